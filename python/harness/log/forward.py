# SPDX-License-Identifier: BSD-3-Clause
"""Forwarding of records to the standard library's logging, for programs that embed a pipeline."""

import sys
from typing import Any

from harness._records import ListensByLogging
from harness.log import levels
from harness.log.destinations import LogDestination
from harness.log.formats import BriefFormatter
from harness.log.log import Log
from harness.log.record import LogRecord
from harness.properties import DateTime

__all__ = ["LoggingDestination", "forward_to_logging", "importance_of", "level_of"]

# The numbers of logging's levels, which is imported only by who uses it.
DEBUG, INFO, WARNING, ERROR, CRITICAL = 10, 20, 30, 40, 50
IMPORTANCES = (
    (CRITICAL, levels.FATAL), (ERROR, 15), (WARNING, levels.WARN), (INFO, levels.INFO), (DEBUG, levels.DEBUG),
)  # fmt: skip


class LoggingDestination(ListensByLogging, LogDestination):
    """Hands each record to the logger of the same name (``harness`` for a root log).

    FATAL becomes CRITICAL, WARN WARNING, INFO INFO, anything lower DEBUG. The comments are the
    message, one per line; ``record.properties`` is the dict of all properties, and each of them is an
    attribute too unless logging uses that name itself.
    """

    def __init__(self, threshold: int = levels.PASS_ALL) -> None:
        super().__init__(None, BriefFormatter(), threshold)
        self._ask(level_of, listens)

    def write(self, record: LogRecord) -> bool:
        """Forward a record if it passes the threshold; whether the logger took it."""
        logging = sys.modules.get("logging")
        # Where nobody has imported logging, nobody listens.
        if logging is None or record.getImportance() < self.getThreshold() or not record.willRecord():
            return False
        name = record.log_name() or "harness"
        logger = logging.getLogger(name)
        level = level_of(record.getImportance())
        if not listens(logger) or not logger.isEnabledFor(level):
            return False
        logger.handle(_translate(logger, level, record))
        return True


def listens(logger: Any) -> bool:
    """Whether a handler gets what the logger passes, but for the one that brings records to the harness."""
    at = logger
    while at is not None:
        for handler in at.handlers:
            if not getattr(handler, "brings_to_harness", False):
                return True
        at = at.parent if at.propagate else None
    return False


def level_of(importance: int) -> int:
    """The level of logging for an importance."""
    if importance >= levels.FATAL:
        return CRITICAL
    if importance >= levels.WARN:
        return WARNING
    return INFO if importance >= levels.INFO else DEBUG


def importance_of(level: int) -> int:
    """The importance for a level of logging: that of the next named level below it."""
    below = level + levels.DEBUG - DEBUG
    return next((importance for bound, importance in IMPORTANCES if level >= bound), below)


def _translate(logger: Any, level: int, record: LogRecord) -> Any:
    comments = record.getProperties()
    properties = comments.toDict()
    text = "\n".join(comments.getArrayString("COMMENT")) if comments.exists("COMMENT") else ""
    forwarded = logger.makeRecord(logger.name, level, "", 0, text, (), None)
    forwarded.created = comments.getDateTime("TIMESTAMP").nsecs(DateTime.UTC) / 1e9
    forwarded.msecs = float(int(forwarded.created * 1000) % 1000)
    forwarded.properties = properties
    # What brings records of other libraries to the harness leaves these where they came from.
    forwarded.is_of_harness = True
    for name, value in properties.items():
        if not hasattr(forwarded, name):
            setattr(forwarded, name, value)
    return forwarded


def forward_to_logging(log: Log, threshold: int = levels.PASS_ALL) -> LoggingDestination:
    """Forward every record a log delivers, and its children made from now on; the new destination."""
    destination = LoggingDestination(threshold)
    log.addDestination(destination)
    return destination
