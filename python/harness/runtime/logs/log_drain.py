# SPDX-License-Identifier: BSD-3-Clause
"""LogDrain: takes the records of every process of a run out of shared memory and appends them to their files.

    workers, master ── ring each ──> drain (a thread of the master) ── one write per file and batch ──> files
                     └─ eventfd: a record from WARN on, or a ring that is half full, wakes the drain at once

A record is taken at most `INTERVAL_S` after it was sent, whatever stages do. What a killed process has sent
is in its ring, and is written in its turn. Should the master be killed, the nursery writes what is left.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from harness.log.append import AppendFile
from harness.log.levels import WARN
from harness.log.run_file import CONSOLE, EVENT
from harness.runtime.halves.failure import message_of
from harness.runtime.logs.output_guard import OutputGuard

if TYPE_CHECKING:
    from harness import _core
    from harness.runtime.logs.run_log import LogSettings

INTERVAL_S = 0.1
STANDARD_ERROR = 2


class LogDrain:
    """Empties the rings of one run. Made before the nursery is forked, started after it.

    Attributes: `event_fd`, the descriptor that wakes the drain.
    """

    def __init__(
        self, run: _core.Run, logs: LogSettings, n_workers: int, *, event_fd: int | None = None
    ) -> None:
        """`event_fd` is the one of the master's drain, in a process that did not inherit that."""
        self._rings = [run.log_ring(index) for index in range(n_workers + 1)]
        self._logs = logs
        self._files: dict[int, AppendFile] = {}
        outputs = [logs.output_file(worker) for worker in range(n_workers if logs.captures_output else 0)]
        self._guard = OutputGuard(outputs, logs.output_limit, partial(self._tell, WARN))
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        flags = os.EFD_CLOEXEC | os.EFD_NONBLOCK
        self.event_fd = os.eventfd(0, flags) if event_fd is None else event_fd
        self.consoles: Sequence[Callable[[int, str], object]] = ()
        """Get the importance and the text of each line for the console, in the drain's thread."""
        self.events: Callable[[list[bytes]], object] = _nobody_publishes
        """Gets the records that are to be published as events; must not wait."""
        self.untold = 0
        """How many lines a console has not taken, but raised."""

    def wake(self) -> None:
        """Asks for a drain now. Any process of the run may call it."""
        # The counter of an eventfd is full after 2**64 - 2 wakes that nobody has noticed: awake enough.
        with contextlib.suppress(BlockingIOError):
            os.eventfd_write(self.event_fd, 1)

    def start(self) -> None:
        """Starts the thread."""
        thread = threading.Thread(target=self._follow, name="pex-log", daemon=True)
        thread.start()
        # Only a thread that runs can be waited for.
        self._thread = thread

    def stop(self) -> None:
        """Writes everything that was sent until now, and ends the thread. Safe to call twice."""
        if self.event_fd < 0:
            return
        self._stopping = True
        if self._thread is not None:
            self.wake()
            self._thread.join()
        self.drain()
        os.close(self.event_fd)
        self.event_fd = -1
        if self.untold > 1:
            _say(f"{self.untold} lines in all could not be written to a console")

    def drain(self) -> None:
        """Writes what waits in the rings."""
        with self._lock:
            for process, ring in enumerate(self._rings):
                if ring.waiting():
                    self._empty(process, ring)

    def _follow(self) -> None:
        poll = select.poll()
        poll.register(self.event_fd, select.POLLIN)
        looked = 0.0
        while not self._stopping:
            if poll.poll(INTERVAL_S * 1000):
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self.event_fd)
            self.drain()
            if time.monotonic() - looked >= INTERVAL_S:
                self.look_at_output()
                looked = time.monotonic()

    def look_at_output(self) -> None:
        """Holds what stages have printed to its bound."""
        with self._lock:
            self._guard.look()

    def take_losses(self) -> list[str]:
        """The same for the last time; a text for each worker whose output lacks something."""
        with self._lock:
            self._guard.look()
            losses = self._guard.losses()
            self._guard = OutputGuard((), 0, _say)
            return losses

    def _empty(self, process: int, ring: _core.LogRing) -> None:
        texts, flagged, position, broken = ring.batch()
        for rank, data, count in texts:
            self._file(rank).append(data, count)
        ring.commit(position)
        if events := [text for _importance, flags, text in flagged if flags & EVENT]:
            self.events(events)
        for importance, flags, text in flagged:
            if flags & CONSOLE:
                self._tell(importance, text.decode("utf-8", "replace"))
        if broken:
            lost = "log records in shared memory were overwritten, and are lost"
            self._tell(WARN, f"process {process}: {lost}")

    def _tell(self, importance: int, text: str) -> None:
        for console in self.consoles:
            try:
                console(importance, text)
            except Exception as error:
                # A program's own destination may raise anything; without the drain every record would wait.
                self.untold += 1
                if self.untold == 1:
                    reason = f"{type(error).__name__}: {message_of(error)}"
                    _say(f"cannot write log records to a console: {reason}; going on without")

    def _file(self, rank: int) -> AppendFile:
        if rank not in self._files:
            self._files[rank] = AppendFile(self._logs.log_file(rank))
        return self._files[rank]

    def take_over(self) -> None:
        """Writes what a master that was killed has left, and nothing that it has written. For the nursery."""
        for ring in self._rings:
            texts, _flagged, position, _broken = ring.batch()
            for rank, data, _count in texts:
                with contextlib.suppress(OSError):
                    # Nobody is left to be told that the disk is full.
                    self._file(rank).append_missing(data)
            ring.commit(position)


def _nobody_publishes(records: list[bytes]) -> None:
    """Records are not published."""


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        # Where standard error is closed, nobody is left to be told.
        os.write(STANDARD_ERROR, f"harness.log: {text}\n".encode("utf-8", "backslashreplace"))
