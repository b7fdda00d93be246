# SPDX-License-Identifier: BSD-3-Clause
"""First-in, first-out queue of clipboards between two consecutive stages."""

from harness._steps import Queue

__all__ = ["Queue"]
