# SPDX-License-Identifier: BSD-3-Clause
"""Log records of a tested run, on their way from its processes to the log of the test."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from harness.log import BriefFormatter, LogDestination, LogRecord
from harness.log.levels import INFO, WARN
from harness.log.stage_log import StageLog
from harness.runtime.pipeline.brief import HARNESS
from harness.tester.messages import Told, who
from harness.tester.simple import LOG_NAME

if TYPE_CHECKING:
    from harness.log import Log
    from harness.tester.channel import Channel

__all__ = ["Teller", "forget_handlers", "lines_of_the_run", "log_of_stages", "tell"]

class Teller(LogDestination):
    """Sends the records of one rank to the test."""

    def __init__(self, channel: Channel, rank: int) -> None:
        super().__init__(None, BriefFormatter())
        self._channel = channel
        self._rank = rank

    def write(self, record: LogRecord) -> bool:
        """Send a record; whether it was sent."""
        if not record.willRecord():
            return False
        self._channel.send(self._rank, Told(self._rank, record))
        return True


def log_of_stages(log: Log) -> Log:
    """What stages write to, beside the log of a run, which tells less."""
    return StageLog(log.root, LOG_NAME)


def forget_handlers() -> None:
    """Takes away the handlers of the standard library's logging: they are the test's. It gets the records."""
    logging = sys.modules.get("logging")
    if logging is None:
        return
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    for logger in loggers:
        # Names of which only descendants have loggers are place holders.
        for handler in list(getattr(logger, "handlers", ())):
            logger.removeHandler(handler)


def tell(log: Log, told: Iterable[Told], *, raised: bool) -> None:
    """Hands records to the destinations of a log, in the order in which they were made.

    Of a run that has `raised` only those of stages: what the run itself has told is in the exception. All of
    them where the log has a threshold below INFO.
    """
    everything = not raised or log.getThreshold() < INFO
    for one in sorted(told, key=lambda one: _time(one.record)):
        if everything or not is_of_run(one.record):
            for destination in log.destinations:
                destination.write(one.record)


def is_of_run(record: LogRecord) -> bool:
    """Whether a record is the run's, not one of stage code or a library."""
    name = record.log_name()
    return name == HARNESS or name.startswith(f"{HARNESS}.")


def lines_of_the_run(messages: Iterable[Any]) -> list[str]:
    """A line for each record of the run from WARN on."""
    return [
        f"{who(one.rank)}: {_text(one.record)}"
        for one in messages
        if isinstance(one, Told) and one.record.getImportance() >= WARN and is_of_run(one.record)
    ]


def _time(record: LogRecord) -> int:
    return record.getProperties().getDateTime("TIMESTAMP").nsecs()


def _text(record: LogRecord) -> str:
    properties = record.getProperties()
    texts = properties.getArrayString("COMMENT") if properties.exists("COMMENT") else ()
    return "\n".join(texts)
