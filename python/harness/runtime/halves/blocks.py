# SPDX-License-Identifier: BSD-3-Clause
"""Blocks: the start and the end of visits, stages and half-steps in a half's log (contract 5.9, 13.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.log import BlockTimingLog

if TYPE_CHECKING:
    from harness.log import Log

VISIT = "visit"
STAGE = "visit.stage"

VERBS = {BlockTimingLog.START: "Starting", BlockTimingLog.END: "Ending"}


class Blocks:
    """Marks with STATUS `start` or `end` and what the process has used, from logs below that of a half.

    Their importance is one that the half's log lets pass: whoever calls has asked it.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._preamble: object = None
        self._logs: dict[str, BlockTimingLog] = {}

    def mark(self, block: str, status: str, importance: int, what: str, stage: str = "") -> None:
        """Records a mark in the log named `block`, with `what` in its text and `stage` as `stagename`."""
        log = self._block(block)
        properties = [(BlockTimingLog.STATUS, status)]
        if stage:
            properties.append(("stagename", stage))
        if log.send_plain(importance, f"{VERBS[status]} {what}", properties, log.getUsageFlags()):
            return
        record = log.new_record(importance)
        record.addComment(f"{VERBS[status]} {what}")
        for name, value in properties:
            record.addPropertyString(name, value)
        log.addUsageProps(record)
        log.send(record)

    def _block(self, name: str) -> BlockTimingLog:
        # What a stage has attached to the log since then is on the marks, too.
        preamble = self._log.preamble
        if self._preamble is not preamble:
            self._preamble = preamble
            self._logs.clear()
        if name not in self._logs:
            self._logs[name] = BlockTimingLog(self._log, name)
        return self._logs[name]
