# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of Queue."""

from harness.queue import Queue

__all__ = ["Queue"]
