# SPDX-License-Identifier: BSD-3-Clause
"""DC2 import path of Queue."""

from harness.queue import Queue

__all__ = ["Queue"]
