# SPDX-License-Identifier: BSD-3-Clause
"""Records of other libraries, and warnings, on their way into the logs of a run."""

from __future__ import annotations

import sys
import warnings
import zlib
from collections.abc import Callable
from typing import Any, TextIO

from harness.log.default import get_default_log
from harness.log.forward import importance_of
from harness.log.levels import WARN
from harness.log.log import Log

__all__ = ["ForeignRecords"]


class ForeignRecords:
    """Sends what the standard library's logging and warnings tell to the default log, while installed.

    A record keeps the name of its logger, and what was passed as ``extra`` becomes properties. Levels,
    filters and handlers of the loggers stay as they are. A warning is a record of the log ``warnings``,
    once per location and run: ``first_at(place)`` says whether no process of the run has told of a place,
    a number, before.
    """

    def __init__(self, first_at: Callable[[int], bool]) -> None:
        self._first_at = first_at
        self._handler: Any = None
        self._known_loggers = -1
        self._holders: list[Any] = []
        self._show_before: Any = None

    def install(self) -> None:
        """Catch warnings from now on, and records as soon as anything has imported logging."""
        self._show_before = warnings.showwarning
        warnings.showwarning = self._show
        self.follow()

    def follow(self) -> None:
        """See whether logging was imported, or a logger made that hands nothing to its ancestors."""
        logging = sys.modules.get("logging")
        if logging is None:
            return
        if self._handler is None:
            self._handler = make_handler(logging)
            self._hold(logging.getLogger())
        loggers = logging.Logger.manager.loggerDict
        if len(loggers) == self._known_loggers:
            return
        self._known_loggers = len(loggers)
        for logger in list(loggers.values()):
            own = isinstance(logger, logging.Logger) and not logger.propagate
            if own and logger not in self._holders:
                self._hold(logger)

    def _hold(self, logger: Any) -> None:
        logger.addHandler(self._handler)
        self._holders.append(logger)

    def uninstall(self) -> None:
        """Leave loggers and warnings as they were."""
        for logger in self._holders:
            logger.removeHandler(self._handler)
        self._holders.clear()
        if self._show_before is not None and warnings.showwarning == self._show:
            warnings.showwarning = self._show_before
        self._show_before = None

    def _show(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if file is not None:
            self._show_before(message, category, filename, lineno, file, line)
            return
        place = f"{filename}:{lineno} {category.__name__}"
        high = zlib.crc32(place.encode("utf-8", "replace"))
        low = zlib.crc32(place[::-1].encode("utf-8", "replace"))
        if self._first_at(high << 32 | low):
            text = f"{filename}:{lineno}: {category.__name__}: {message}"
            Log(get_default_log(), "warnings").log(WARN, text, {"category": category.__name__})


def follow_levels(root: Log) -> None:
    """Make levels that were set for loggers named ``harness...`` the thresholds of the logs of that name."""
    logging = sys.modules.get("logging")
    if logging is None:
        return
    for name, logger in list(logging.Logger.manager.loggerDict.items()):
        of_harness = name == "harness" or name.startswith("harness.")
        if of_harness and isinstance(logger, logging.Logger) and logger.level != logging.NOTSET:
            root.setThresholdFor(name, importance_of(logger.level))


def make_handler(logging: Any) -> Any:
    """The handler that sends what it gets to the default log."""
    usual = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}

    class HarnessHandler(logging.Handler):  # type: ignore[misc]
        """Brings records of other libraries to the harness."""

        brings_to_harness = True

        def emit(self, record: Any) -> None:
            """Send one record, unless it has come from the harness."""
            if getattr(record, "is_of_harness", False):
                return
            try:
                log = Log(get_default_log(), record.name)
                importance = importance_of(record.levelno)
                if log.sends(importance):
                    extra = {name: value for name, value in vars(record).items() if name not in usual}
                    log.log(importance, self.format(record), _storable(extra))
            except Exception:
                # The rule of logging: what goes wrong with a record is told, not raised where it was sent.
                self.handleError(record)

    return HarnessHandler()


def _storable(extra: dict[str, Any]) -> dict[str, Any]:
    """What a property can hold stays as it is, anything else becomes text."""
    return {
        name: value if isinstance(value, (float, str)) or _is_storable_int(value) else str(value)
        for name, value in extra.items()
        if name != "COMMENT"
    }


def _is_storable_int(value: Any) -> bool:
    return isinstance(value, int) and -(2**63) <= value < 2**63
