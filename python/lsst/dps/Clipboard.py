# SPDX-License-Identifier: BSD-3-Clause
"""DC2 import path of Clipboard."""

from harness.dc3a import Dc2Clipboard as Clipboard

__all__ = ["Clipboard"]
