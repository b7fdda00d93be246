# SPDX-License-Identifier: BSD-3-Clause
"""The clipboard that stages read and write."""

from harness._clipboard import Clipboard, Pending

__all__ = ["Clipboard", "Pending"]
