# SPDX-License-Identifier: BSD-3-Clause
"""What an operator sees of the log during a run: the first line of every warning, on standard error."""

from __future__ import annotations

import sys

from harness.log import LogDestination, LogFormatter, LogRecord
from harness.log.levels import WARN
from harness.log.run_file import place_of


class FirstLineFormatter(LogFormatter):
    """`pex-harness: visit 3, stage 1: <first line of the first comment>`, the place of what a stage has sent.

    Tracebacks and other properties are for the log file.
    """

    def format(self, record: LogRecord) -> str:
        """The record as one line of text."""
        properties = record.getProperties()
        comments = properties.getArray("COMMENT") if properties.exists("COMMENT") else [""]
        # After the last visit records still have its number.
        place = f"{', '.join(place_of(properties))}: " if properties.exists("STAGEID") else ""
        return f"pex-harness: {place}{comments[0].partition(chr(10))[0]}\n"


def terminal_destination(threshold: int = WARN) -> LogDestination:
    """Standard error as a destination for people."""
    return LogDestination(sys.stderr, FirstLineFormatter(), threshold)
