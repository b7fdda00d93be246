# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of Directories."""

from harness.directories import Directories

__all__ = ["Directories"]
