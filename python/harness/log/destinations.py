# SPDX-License-Identifier: BSD-3-Clause
"""Where records go: a stream, a file, the screen.

A record reaches an operating system file as one write call on a descriptor opened for appending, so
records of several threads and processes do not mix, and there is neither buffer nor lock that a fork
could catch half-way. A destination that cannot write does not stop the caller: it says so once on
standard error, counts, and tells the count in front of the first record that gets through again.
"""

import os
import sys
import weakref
from typing import Protocol

import harness.exceptions as pex
from harness.log.formats import IndentedFormatter, LogFormatter
from harness.log.levels import PASS_ALL
from harness.log.record import LogRecord

__all__ = ["FileDestination", "LogDestination", "ScreenDestination", "TextSink"]

STANDARD_ERROR = 2


class TextSink(Protocol):
    """Anything with a write method for text."""

    def write(self, text: str, /) -> object:
        """Take the text."""


class LogDestination:
    """A text stream with a format and its own threshold; flushed after each record if it can be."""

    def __init__(self, stream: TextSink | None, formatter: LogFormatter, threshold: int = PASS_ALL) -> None:
        self._stream = stream
        self._formatter = formatter
        self._threshold = threshold
        self._lost = 0

    def getThreshold(self) -> int:
        """The least importance this destination takes."""
        return self._threshold

    def setThreshold(self, threshold: int) -> None:
        """Set the least importance this destination takes."""
        self._threshold = threshold

    @property
    def lost(self) -> int:
        """How many records in a row could not be written until now."""
        return self._lost

    def write(self, record: LogRecord) -> bool:
        """Write a record if it passes the threshold; whether it was written."""
        if record.getImportance() < self._threshold or not record.willRecord():
            return False
        text = self._formatter.format(record)
        if not text:
            return True
        if self._lost:
            text = f"harness.log: {self._lost} records before this one could not be written\n{text}"
        try:
            self._put(text)
        except (OSError, ValueError) as error:
            self._note_loss(error)
            return False
        self._lost = 0
        return True

    def wants_none(self, name: str, importance: int) -> bool:
        """Whether a record of the log `name` would not be written; false if that is not known."""
        return False

    def _put(self, text: str) -> None:
        """Write text; OSError or ValueError if that is impossible."""
        if self._stream is None:
            raise OSError("there is no such stream in this process")
        write_text(self._stream, text)

    def _describe(self) -> str:
        return f"the stream {self._stream!r}"

    def _note_loss(self, error: Exception) -> None:
        self._lost += 1
        if self._lost > 1:
            return
        note = f"harness.log: cannot write log records to {self._describe()}: {error}; going on without\n"
        try:
            write_all(STANDARD_ERROR, note)
        except OSError:
            # Standard error is what failed, or is closed too: nobody is left to be told.
            pass


class ScreenDestination(LogDestination):
    """Standard error, whatever that is when a record is written."""

    def __init__(self, formatter: LogFormatter, threshold: int = PASS_ALL) -> None:
        super().__init__(None, formatter, threshold)

    def _put(self, text: str) -> None:
        stream = sys.stderr
        if stream is None:
            raise OSError("this process has none")
        try:
            descriptor = stream.fileno()
        except (OSError, ValueError):
            # Standard error is redirected to an object in memory.
            write_text(stream, text)
            return
        write_all(descriptor, text)

    def _describe(self) -> str:
        return "standard error"


class FileDestination(LogDestination):
    """A file, appended to unless truncate is true; its directory must exist.

    ``FileDestination(path, verbose=False, threshold=PASS_ALL, truncate=False)`` writes the indented
    format; another may be given in place of ``verbose``, or as ``formatter``. Raises IoError if the file
    cannot be opened, TypeError if both are given.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        verbose: bool | LogFormatter = False,
        threshold: int = PASS_ALL,
        truncate: bool = False,
        *,
        formatter: LogFormatter | None = None,
    ) -> None:
        if formatter is not None and verbose is not False:
            raise pex.TypeError("FileDestination: expected verbose or a formatter, saw both")
        self._path = os.fspath(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if truncate else 0)
        try:
            self._descriptor = os.open(self._path, flags, 0o666)
        except OSError as error:
            raise pex.IoError(error.errno, f"cannot open log file: {error.strerror}", self._path) from error
        self._closer = weakref.finalize(self, os.close, self._descriptor)
        self._closer.atexit = False
        if formatter is None:
            formatter = verbose if isinstance(verbose, LogFormatter) else IndentedFormatter(verbose)
        super().__init__(None, formatter, threshold)

    def close(self) -> None:
        """Close the file now; it is closed anyway when no log uses the destination any more."""
        self._closer()

    def _put(self, text: str) -> None:
        if not self._closer.alive:
            raise ValueError("the file was closed")
        write_all(self._descriptor, text)

    def _describe(self) -> str:
        return self._path


def write_text(stream: TextSink, text: str) -> None:
    """Write text to a stream and flush it; what its encoding lacks becomes an escape sequence."""
    try:
        stream.write(text)
    except UnicodeEncodeError:
        stream.write(text.encode("ascii", "backslashreplace").decode())
    flush = getattr(stream, "flush", None)
    if flush is not None:
        flush()


def write_all(descriptor: int, text: str) -> None:
    """Write text as UTF-8 in one call; only if the system takes less does another call follow."""
    data = text.encode("utf-8", "backslashreplace")
    while data:
        data = data[os.write(descriptor, data) :]
