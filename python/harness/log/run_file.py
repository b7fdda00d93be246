# SPDX-License-Identifier: BSD-3-Clause
"""RunFile: the log file of one Pipeline or Slice, reached through shared memory while a run lasts.

A record is one append to a ring that the master empties: no system call, and the record outlives the
process that sent it. Where there is no ring (before and after a run, in a process that a stage has forked),
where the ring stays full or the record is long, it is one write to the file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import harness.exceptions as pex
from harness._records import FileState
from harness.log.append import AppendFile
from harness.log.base import Preamble, RecordBase
from harness.log.destinations import LogDestination
from harness.log.flood import FloodGuard
from harness.log.formats import IndentedFormatter, LogFormatter
from harness.log.levels import PASS_ALL, WARN
from harness.log.record import LogRecord

if TYPE_CHECKING:
    from harness import _core
    from harness.properties import PropertySet

__all__ = ["CONSOLE", "EVENT", "RunFile", "place_of"]

CONSOLE = 1
"""Flag of a frame in a ring: a line for the console, not for the file."""

EVENT = 2
"""Flag of a frame in a ring: a record as an event that is to be published, not for the file."""

EVENTS_WAKE_BYTES, EVENTS_MOST_BYTES = 32 * 1024, 64 * 1024
"""Of a ring: from where on it is emptied early for events, and how far they may fill it."""

LONG_BYTES = 32 * 1024
FULL_TIMEOUT_S = 0.5
FULL_STEP_S = 0.001


class RunFile(FileState, LogDestination):
    """A log file of a run; its directory must exist. Raises IoError if the file cannot be opened.

    ``rank`` is the Slice's, or -1 for the Pipeline. ``guard`` bounds floods.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        rank: int,
        formatter: LogFormatter,
        *,
        threshold: int = PASS_ALL,
        truncate: bool = True,
        guard: FloodGuard | None = None,
    ) -> None:
        super().__init__(None, formatter, threshold)
        # Of this class itself: another one may do more with a record.
        is_usual = type(formatter) is IndentedFormatter and formatter.isVerbose()
        self._writes_plain = is_usual and type(self) is RunFile
        self._file = AppendFile(path)
        self._rank = rank
        self._guard = guard
        self._wake: Callable[[], object] = _nobody
        self._offer: Callable[[list[bytes]], object] = _nobody_listens
        self._unpublished = 0
        try:
            self._file.open(truncate)
        except OSError as error:
            message = f"cannot open log file: {error.strerror}"
            raise pex.IoError(error.errno, message, self._file.path) from error

    def use_ring(self, ring: _core.LogRing | None, wake: Callable[[], object] | None = None) -> None:
        """Send records of this process through a ring from now on; None: straight to the file.

        ``wake`` asks whoever empties the ring to do so now. It is called for records from WARN on.
        """
        self._use_ring(ring)
        self._wake = wake or _nobody

    def show_on_console(self, threshold: int | None) -> None:
        """Send a line about each record from this importance on to the master's console, too; None: none."""
        self._console_threshold = threshold

    def publish(
        self,
        encode: Callable[[LogRecord], bytes | None],
        offer: Callable[[list[bytes]], object] | None = None,
    ) -> None:
        """Send each record as an event, too, in the form that ``encode`` gives it (None: not this one).

        Through the ring, to whoever empties it; where there is none, to ``offer``. Nothing waits: what finds
        no room is counted, and the count goes with the next that does.
        """
        self._encode = encode
        self._offer = offer or _nobody_listens
        self._use_ring(self._ring)

    def write(self, record: LogRecord) -> bool:
        """Write a record if it passes the threshold and the bound on floods; whether it was taken."""
        importance = record.getImportance()
        if importance < self._threshold or not record.willRecord():
            return False
        if self._guard is not None:
            allowed, notice = self._guard.judge(importance)
            if notice:
                self._send(record.sibling(WARN, notice), WARN)
            if not allowed:
                return False
        return self._send(record, importance)

    def _beginning(self, preamble: Preamble, importance: int) -> tuple[str, str]:
        assert isinstance(self._formatter, IndentedFormatter), "others write nothing in the short way"
        return self._formatter.beginning(preamble, importance)

    def _send_notice(self, base: RecordBase, notice: str) -> None:
        record = LogRecord(WARN, WARN)
        record._begin(base)
        self._send(record.sibling(WARN, notice), WARN)

    def _append_slowly(self, importance: int, data: bytes) -> None:
        """Sends the text of a record for which the ring had no room, or that has none any more."""
        if self._ring is None or not self._is_here() or not self._append(self._ring, importance, 0, data):
            self._file.append(data, 1)

    def __copy__(self) -> RunFile:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._become(self)
        return twin

    def close(self) -> None:
        """Write how many records a flood has lost, if that was not told yet."""
        if self._guard is not None and (notice := self._guard.end()):
            record = LogRecord(WARN, WARN)
            record.addPropertyString("LOG", "harness.log")
            record.addComment(notice)
            self._send(record, WARN)

    def _send(self, record: LogRecord, importance: int) -> bool:
        if self._encode is not None:
            self._publish(record, importance, self._encode)
        text = self._formatter.format(record)
        if not text:
            return True
        data = text.encode("utf-8", "backslashreplace")
        if self._ring is None or not self._is_here():
            return self._file.append(data, 1)
        sent = self._append(self._ring, importance, 0, data) or self._file.append(data, 1)
        if self._console_threshold is not None and importance >= self._console_threshold:
            line = console_line(record, self._rank).encode("utf-8", "replace")
            self._append(self._ring, importance, CONSOLE, line)
        if importance >= WARN:
            self._wake()
        return sent

    def _publish(
        self, record: LogRecord, importance: int, encode: Callable[[LogRecord], bytes | None]
    ) -> None:
        if not self._is_here():
            return
        data = encode(record)
        if self._ring is None:
            if data is not None:
                self._offer([data])
            return
        if data is None or len(data) > LONG_BYTES:
            self._unpublished += 1
            return
        if self._unpublished:
            notice = record.sibling(WARN, f"{self._unpublished} records before this one were not published")
            told = encode(notice)
            if told is None or not self._append_event(self._ring, WARN, told):
                self._unpublished += 1
                return
            self._unpublished = 0
        if not self._append_event(self._ring, importance, data):
            self._unpublished += 1

    def _append_event(self, ring: _core.LogRing, importance: int, data: bytes) -> bool:
        """Whether there was room beside what goes to the file, which must not wait for events."""
        waiting = ring.waiting() + len(data)
        if waiting > EVENTS_WAKE_BYTES:
            self._wake()
        return waiting <= EVENTS_MOST_BYTES and ring.try_append(self._rank, importance, EVENT, data)

    def _append(self, ring: _core.LogRing, importance: int, flags: int, data: bytes) -> bool:
        """Whether the ring has taken it; if not, what was sent before is in the file, or takes long."""
        if len(data) <= LONG_BYTES and ring.try_append(self._rank, importance, flags, data):
            return True
        self._wake()
        deadline = time.monotonic() + FULL_TIMEOUT_S
        while time.monotonic() < deadline:
            time.sleep(FULL_STEP_S)
            if len(data) > LONG_BYTES:
                if not ring.waiting():
                    return False
            elif ring.try_append(self._rank, importance, flags, data):
                return True
        return False


def console_line(record: LogRecord, rank: int) -> str:
    """Who, in which visit and stage, and the first line of the first text."""
    properties = record.getProperties()
    text = properties.getArrayString("COMMENT")[0] if properties.exists("COMMENT") else ""
    where = [f"slice {rank}" if rank >= 0 else "pipeline", *place_of(properties)]
    return f"{', '.join(where)}: {text.partition(chr(10))[0]}"


def place_of(properties: PropertySet) -> list[str]:
    """Visit and stage of a record, as far as it has them, for people."""
    names = (("visit", "LOOPNUM"), ("stage", "STAGEID"))
    return [f"{word} {properties.get(name)}" for word, name in names if properties.exists(name)]


def _nobody_listens(records: list[bytes]) -> None:
    """Nobody publishes records."""


def _nobody() -> None:
    """Nobody empties a ring."""
