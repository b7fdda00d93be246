# SPDX-License-Identifier: BSD-3-Clause
"""Forwarding of records to the standard library's logging, for programs that embed a pipeline."""

from typing import Any

from harness.log import levels
from harness.log.destinations import LogDestination
from harness.log.formats import BriefFormatter
from harness.log.log import Log
from harness.log.record import LogRecord
from harness.properties import DateTime

__all__ = ["LoggingDestination", "forward_to_logging"]


class LoggingDestination(LogDestination):
    """Hands each record to the logger of the same name (``harness`` for a root log).

    FATAL becomes CRITICAL, WARN WARNING, INFO INFO, anything lower DEBUG. The comments are the
    message, one per line; ``record.properties`` is the dict of all properties, and each of them is an
    attribute too unless logging uses that name itself.
    """

    def __init__(self, threshold: int = levels.PASS_ALL) -> None:
        super().__init__(None, BriefFormatter(), threshold)

    def write(self, record: LogRecord) -> bool:
        """Forward a record if it passes the threshold; whether the logger took it."""
        import logging

        if record.getImportance() < self.getThreshold() or not record.willRecord():
            return False
        properties = record.getProperties().toDict()
        name = properties.get("LOG")
        logger = logging.getLogger(name if isinstance(name, str) and name else "harness")
        level = _level(record.getImportance())
        if not logger.isEnabledFor(level):
            return False
        logger.handle(_translate(logger, level, record, properties))
        return True


def _level(importance: int) -> int:
    import logging

    if importance >= levels.FATAL:
        return logging.CRITICAL
    if importance >= levels.WARN:
        return logging.WARNING
    return logging.INFO if importance >= levels.INFO else logging.DEBUG


def _translate(logger: Any, level: int, record: LogRecord, properties: dict[str, Any]) -> Any:
    comments = record.getProperties()
    text = "\n".join(comments.getArrayString("COMMENT")) if comments.exists("COMMENT") else ""
    forwarded = logger.makeRecord(logger.name, level, "", 0, text, (), None)
    forwarded.created = comments.getDateTime("TIMESTAMP").nsecs(DateTime.UTC) / 1e9
    forwarded.msecs = float(int(forwarded.created * 1000) % 1000)
    forwarded.properties = properties
    for name, value in properties.items():
        if not hasattr(forwarded, name):
            setattr(forwarded, name, value)
    return forwarded


def forward_to_logging(log: Log, threshold: int = levels.PASS_ALL) -> LoggingDestination:
    """Forward every record a log delivers, and its children made from now on; the new destination."""
    destination = LoggingDestination(threshold)
    log.addDestination(destination)
    return destination
