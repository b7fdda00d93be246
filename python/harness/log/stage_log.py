# SPDX-License-Identifier: BSD-3-Clause
"""StageLog: the log that stages get."""

from __future__ import annotations

from harness.log.debug import Debug
from harness.log.log import Log
from harness.log.timing import BlockTimingLog

__all__ = ["StageLog"]


class StageLog(BlockTimingLog, Debug):
    """A child log with the methods of both, the same in a run and in a test.

    Blocks made from it record resource usage. ``Debug.default_max_debug`` says nothing about it: its
    threshold is that of its name.
    """

    def __init__(self, parent: Log, name: str) -> None:
        BlockTimingLog.__init__(self, parent, name, usageFlags=BlockTimingLog.LINUXUDATA)
