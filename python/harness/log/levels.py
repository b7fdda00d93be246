# SPDX-License-Identifier: BSD-3-Clause
"""The named importances and thresholds; also importable as harness.log.threshold."""

from typing import Final

DEBUG: Final = -10
INFO: Final = 0
WARN: Final = 10
FATAL: Final = 20

# As the threshold of a log: use the nearest ancestor's. As the threshold of a destination, or of a
# root when it is made: let everything pass.
PASS_ALL: Final = -9999
INHERIT: Final = PASS_ALL

# Default importance of the records that mark the start and end of a block.
INSTRUM: Final = -3

VERB1: Final = -1
VERB2: Final = -2
VERB3: Final = -3
TRACE: Final = VERB1


def level_word(importance: int) -> str:
    """What a format writes between the log's name and the colon, with its leading blank."""
    if importance >= FATAL:
        return " FATAL"
    if importance >= WARN:
        return " WARNING"
    return " DEBUG" if importance < INFO else ""
