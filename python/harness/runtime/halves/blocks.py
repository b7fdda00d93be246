# SPDX-License-Identifier: BSD-3-Clause
"""Blocks: the start and the end of visits, stages and half-steps in a half's log (contract 5.9, 13.8)."""

from __future__ import annotations

from collections.abc import Iterable

from harness._records import BlockMarks
from harness.log import BlockTimingLog

VISIT = "visit"
STAGE = "visit.stage"


class Blocks(BlockMarks):
    """Marks with STATUS `start` or `end` and what the process has used, from logs below that of a half."""

    def make(self, name: str) -> BlockTimingLog:
        """The log of a block."""
        return BlockTimingLog(self.log, name)

    def send(
        self, log: BlockTimingLog, importance: int, text: str, properties: Iterable[tuple[str, str]]
    ) -> None:
        """Sends a mark that is more than a text in a ring."""
        record = log.new_record(importance)
        record.addComment(text)
        for name, value in properties:
            record.addPropertyString(name, value)
        log.addUsageProps(record)
        log.send(record)
