# SPDX-License-Identifier: BSD-3-Clause
"""DC2 import path of the stage whose one class has both halves."""

from harness.dc3a import Dc2Stage as Stage

__all__ = ["Stage"]
