# SPDX-License-Identifier: BSD-3-Clause
"""The thread of a process that reads files before they are asked for.

There is one per process, whatever number of stages use it: one disk is read in order. It lives while there
are jobs, the first of which comes when a stage runs: after all forks that the harness makes of its workers. A
fork that stage code makes waits until no file is being read, so that no lock is held by a thread that the
child does not have; the child begins without jobs.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from harness.iostage.fingerprints import Fingerprint, fingerprint
from harness.storage.quiet import beside_stages

__all__ = ["Job", "Reader", "process_reader"]

THREAD_NAME = "pex-harness reader"

WAITING, READING, DONE, FAILED, CANCELLED = "waiting", "reading", "done", "failed", "cancelled"


class Job:
    """One file to read.

    Attributes:
        path: of the file, absolute; to see whether it changes.
        read: reads it; called in the thread.
        room: whether there is memory for a file of so many bytes; asked just before.
        state: how far it is.
        result: what was read.
        before: how the file looked then.
    """

    def __init__(self, path: str, read: Callable[[], Any], room: Callable[[int], bool]) -> None:
        self.path = path
        self.read = read
        self.room = room
        self.state = WAITING
        self.result: Any = None
        self.before: Fingerprint | None = None


class Reader:
    """Does jobs one after the other in a thread of its own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._busy = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, job: Job) -> None:
        """Do this job after those that wait."""
        with self._changed:
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
                self._thread.start()

    def cancel(self, job: Job) -> None:
        """Nobody wants its result. One that is being read is read to its end."""
        with self._changed:
            if job.state != DONE:
                job.state = CANCELLED
            job.result = None

    def result(self, job: Job) -> tuple[bool, Any]:
        """Whether the job has succeeded, and its result. Waits for its end if it has begun, or cancels it."""
        with self._changed:
            while job.state == READING:
                self._changed.wait()
            if job.state == WAITING:
                job.state = CANCELLED
            result, job.result = job.result, None
        if job.state != DONE or fingerprint(job.path) != job.before:
            return False, None
        return True, result

    def hold(self) -> bool:
        """No file is being read from now on until `go_on`; for forks. False in the thread itself."""
        if threading.current_thread() is self._thread:
            return False
        self._busy.acquire()
        self._changed.acquire()
        return True

    def go_on(self) -> None:
        """Files are read again."""
        self._changed.release()
        self._busy.release()

    def _run(self) -> None:
        with beside_stages():
            while True:
                with self._changed:
                    if not self._jobs:
                        self._thread = None
                        return
                    job = self._jobs.popleft()
                with self._busy:
                    self._do(job)

    def _do(self, job: Job) -> None:
        with self._changed:
            if job.state != WAITING:
                return
            job.state = READING
        result, state = None, FAILED
        try:
            before = fingerprint(job.path)
            if before is not None and job.room(before.size):
                result = job.read()
                job.before, state = before, DONE
        # Whatever it is: the stage reads the file itself when its time has come, and raises then.
        except BaseException:
            state = FAILED
        with self._changed:
            if job.state == READING:
                job.state, job.result = state, result
            self._changed.notify_all()


_reader: Reader | None = None


def process_reader() -> Reader:
    """The reader of this process."""
    global _reader
    if _reader is None:
        _reader = Reader()
        _follow_forks()
    return _reader


_follows = False
_held = False


def _follow_forks() -> None:
    global _follows
    if not _follows:
        _follows = True
        os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)


def _before() -> None:
    global _held
    _held = _reader is not None and _reader.hold()


def _after_in_parent() -> None:
    if _held and _reader is not None:
        _reader.go_on()


def _after_in_child() -> None:
    global _reader
    _reader = None
