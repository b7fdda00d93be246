# SPDX-License-Identifier: BSD-3-Clause
"""DC3a import path of the stage whose one class has both halves."""

from harness.dc3a import Dc3aStage as Stage

__all__ = ["Stage"]
