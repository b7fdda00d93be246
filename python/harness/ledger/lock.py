# SPDX-License-Identifier: BSD-3-Clause
"""One run at a time in a run directory: a lock that ends with the process that holds it.

A POSIX record lock belongs to the process alone: what it forks (nursery, workers, whatever a stage starts)
does not hold it, and a process that dies, however it dies, holds it no longer.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import weakref
from pathlib import Path

from harness.errors import LedgerError

LOCK_NAME = "ledger.lock"
_FLOCK = struct.Struct("hhqqi4x")

_held_here: set[str] = set()
"""A second descriptor of a file would end this process's lock on it when it is closed: so none is opened."""


class RunLock:
    """The lock on a run directory, held until `release`."""

    def __init__(self, directory: Path) -> None:
        """Takes the lock. Raises `LedgerError` naming the process that holds it."""
        self._path = os.path.realpath(directory / LOCK_NAME)
        if self._path in _held_here:
            raise LedgerError(_in_use(directory, os.getpid()))
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise LedgerError(
                f"run directory {directory}: locking it: {error.strerror}; the user of this process must be"
                " able to write there"
            ) from error
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise LedgerError(_in_use(directory, holder)) from None
            raise LedgerError(
                f"run directory {directory}: locking {LOCK_NAME}: {error.strerror}; its file system must"
                " allow locks: choose another with --run-dir"
            ) from error
        _held_here.add(self._path)
        self._descriptor = descriptor
        self.release = weakref.finalize(self, _let_go, descriptor, self._path, os.getpid())


    def require_in_place(self) -> None:
        """Raises `LedgerError` where the file is no longer the one that others find: it keeps nobody out."""
        if self.release.alive and not is_at(os.fstat(self._descriptor), self._path):
            saw = "another file in its place" if os.path.exists(self._path) else "none"
            raise LedgerError(
                f"run directory {os.path.dirname(self._path)}: expected {LOCK_NAME}, by which one run at a"
                f" time goes on there, saw {saw}: it was removed while the run went on, and another run may"
                " write there now; this one ends"
            )


def is_at(facts: os.stat_result, path: str | os.PathLike[str]) -> bool:
    """Whether an open file is the one that its path leads to."""
    try:
        return os.path.samestat(facts, os.stat(path))
    except OSError:
        return False


def _let_go(descriptor: int, path: str, pid: int) -> None:
    os.close(descriptor)
    if os.getpid() == pid:
        _held_here.discard(path)


def _in_use(directory: Path, holder: int) -> str:
    who = f"process {holder}" if holder > 0 else "another process"
    return (
        f"run directory {directory}: expected that no run is going on there, saw one in {who}; wait for its"
        " end, end it, or choose another with --run-dir"
    )


def _holder(descriptor: int) -> int:
    """The process that holds the lock; 0 if nobody does, or the kernel does not tell."""
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except OSError:
        return 0
    kind, _, _, _, pid = _FLOCK.unpack(answer)
    return pid if kind != fcntl.F_UNLCK else 0


def running_process(directory: Path) -> int:
    """The process whose run is going on in a run directory; 0 if there is none.

    A run on another machine that shares the file system counts if its locks are seen here; it has no number
    then: -1.
    """
    path = os.path.realpath(directory / LOCK_NAME)
    if path in _held_here:
        return os.getpid()
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        # A read lock may be asked for through a descriptor that cannot write.
        question = _FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    if kind == fcntl.F_UNLCK:
        return 0
    return pid if pid > 0 else -1
