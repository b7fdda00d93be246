# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of Clipboard."""

from harness.clipboard import Clipboard

__all__ = ["Clipboard"]
