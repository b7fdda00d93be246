# SPDX-License-Identifier: BSD-3-Clause
"""Root logs that are ready to use: to the screen, or to the screen and a file."""

from __future__ import annotations

import os
from typing import Any

from harness.log.default import set_default_log
from harness.log.destinations import FileDestination, LogDestination, ScreenDestination
from harness.log.formats import IndentedFormatter, NetLoggerFormatter
from harness.log.levels import INFO, PASS_ALL
from harness.log.log import Log
from harness.properties import PropertySet

__all__ = ["DualLog", "ScreenLog"]


def _split_preamble(arguments: tuple[Any, ...]) -> tuple[PropertySet | None, tuple[Any, ...]]:
    if arguments and isinstance(arguments[0], PropertySet):
        return arguments[0], arguments[1:]
    return None, arguments


class ScreenLog(Log):
    """A root log to standard error in the indented format.

    ``ScreenLog(verbose=False, threshold=INFO)`` or ``ScreenLog(preamble, verbose, threshold)``. The
    threshold is the log's; the screen itself takes what a child with a lower threshold lets pass.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        preamble, rest = _split_preamble(arguments)
        self._set_up(named.pop("preamble", preamble), *rest, **named)

    def _set_up(self, preamble: PropertySet | None, verbose: bool = False, threshold: int = INFO) -> None:
        super().__init__(threshold)
        if preamble is not None:
            self._change_preamble(lambda properties: properties.combine(preamble))
        self._screen_format = IndentedFormatter(verbose)
        self._screen = ScreenDestination(self._screen_format)
        self.addDestination(self._screen)

    @classmethod
    def createDefaultLog(cls, *arguments: Any, **named: Any) -> None:
        """Make a new log of this class, with the constructor's arguments, the default log."""
        set_default_log(cls(*arguments, **named))

    def _reaches(self, destination: LogDestination) -> int:
        return max(destination.getThreshold(), self.getThreshold())

    def _let_reach(self, destination: LogDestination, threshold: int) -> None:
        destination.setThreshold(threshold)
        if threshold < self.getThreshold():
            self._memory.remember_root(threshold)

    def getScreenThreshold(self) -> int:
        """The least importance with which a record of this log reaches the screen."""
        return self._reaches(self._screen)

    def setScreenThreshold(self, threshold: int) -> None:
        """Set the screen's threshold; the log's is lowered if it would stand in the way."""
        self._let_reach(self._screen, threshold)

    def setScreenVerbose(self, verbose: bool) -> None:
        """Set whether the screen shows all properties."""
        self._screen_format.setVerbose(verbose)

    def isScreenVerbose(self) -> bool:
        """Whether the screen shows all properties."""
        return self._screen_format.isVerbose()


class DualLog(ScreenLog):
    """A ScreenLog that also appends to a file in the NetLogger format.

    ``DualLog(filename, filethresh=0, screenthresh=0, screenVerbose=False)``, or with a preamble
    before the file name. Each destination has its own threshold; the log passes the lower of both.
    """

    def _set_up(  # type: ignore[override]
        self,
        preamble: PropertySet | None,
        filename: str | os.PathLike[str],
        filethresh: int = INFO,
        screenthresh: int = INFO,
        screenVerbose: bool = False,
    ) -> None:
        file = FileDestination(filename, NetLoggerFormatter(), filethresh)
        super()._set_up(preamble, screenVerbose, min(filethresh, screenthresh))
        self._screen.setThreshold(screenthresh)
        self._file = file
        self.addDestination(file)

    @classmethod
    def createDefaultLog(cls, *arguments: Any, **named: Any) -> None:
        """Make a new DualLog the default log; the file takes everything unless told otherwise."""
        preamble, rest = _split_preamble(arguments)
        leading = () if preamble is None else (preamble,)
        if len(rest) < 2:
            named.setdefault("filethresh", PASS_ALL)
        set_default_log(cls(*leading, *rest, **named))

    def getFileThreshold(self) -> int:
        """The least importance with which a record of this log reaches the file."""
        return self._reaches(self._file)

    def setFileThreshold(self, threshold: int) -> None:
        """Set the file's threshold; the log's is lowered if it would stand in the way."""
        self._let_reach(self._file, threshold)
