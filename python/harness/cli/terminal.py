# SPDX-License-Identifier: BSD-3-Clause
"""What an operator sees of the log during a run: the first line of every warning, on standard error."""

from __future__ import annotations

import sys

from harness.log import LogDestination, LogFormatter, LogRecord
from harness.log.levels import WARN


class FirstLineFormatter(LogFormatter):
    """`pex-harness: <first line of the first comment>`; tracebacks and properties are for the log file."""

    def format(self, record: LogRecord) -> str:
        """The record as one line of text."""
        properties = record.getProperties()
        comments = properties.getArray("COMMENT") if properties.exists("COMMENT") else [""]
        return f"pex-harness: {comments[0].partition(chr(10))[0]}\n"


def terminal_destination(threshold: int = WARN) -> LogDestination:
    """Standard error as a destination for people."""
    return LogDestination(sys.stderr, FirstLineFormatter(), threshold)
