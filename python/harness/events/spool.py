# SPDX-License-Identifier: BSD-3-Clause
"""The event spool: a directory with an SQLite file that holds events, and a bell that tells of new ones.

Publishers and receivers in any number of processes open it. An event is on the disk when `publish` returns.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.events import retention, schema
from harness.events.bell import ring
from harness.events.errors import SpoolError, SpoolFull
from harness.events.limits import SpoolLimits, read_limits, write_limits
from harness.events.message import Message
from harness.events.place import refuse_network

__all__ = ["Spool"]

BUSY_S = 30.0

_GATE = threading.RLock()
"""Held while SQLite works, and while this process forks: a child must not find SQLite's own locks taken."""
os.register_at_fork(before=_GATE.acquire, after_in_parent=_GATE.release, after_in_child=_GATE.release)


class Spool:
    """A process's access to a spool. Threads may share one; a child made by fork gets its own connection.

    Raises `SpoolError` when the directory cannot be used, or its file is damaged or no spool.
    """

    def __init__(self, directory: str | os.PathLike[str], limits: SpoolLimits | None = None) -> None:
        self.directory = Path(os.path.abspath(directory))
        self._own_limits = limits
        self.file = self.directory / schema.FILE
        self._trim_at = 0.0
        refuse_network(self.directory)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SpoolError(f"event spool {self.directory}: cannot be made: {error.strerror}") from error
        self.limits = self._read_limits()
        self._open()

    @property
    def bell(self) -> Path:
        """The file that publishers touch."""
        return self.directory / schema.BELL

    def _read_limits(self) -> SpoolLimits:
        return self._own_limits if self._own_limits is not None else read_limits(self.directory)

    def set_limits(self, *, max_bytes: int | None, keep_s: float | None) -> None:
        """Says for all users of the spool how much it may keep, and how long; `None` leaves that as it is."""
        with self._explained("setting limits"), _GATE, _held(self._handles.lock):
            limits = read_limits(self.directory).changed(max_bytes=max_bytes, keep_s=keep_s)
            write_limits(self.directory, limits)
        self.limits, self._trim_at = limits, 0.0

    def _open(self) -> None:
        self._pid = os.getpid()
        self._handles = handles = _Handles()
        self._finalizer = weakref.finalize(self, handles.close)
        try:
            handles.bell = _open_file(self.bell)
            handles.lock = _open_file(self.directory / schema.LOCK)
            with _GATE, self._explained("opening"), _held(handles.lock):
                handles.connection = schema.connect(self.file, BUSY_S)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes files and connection. Safe to call twice."""
        self._finalizer()

    def _connection(self) -> sqlite3.Connection:
        if self._pid != os.getpid():
            # SQLite forbids a child even to close what it inherited.
            _INHERITED.append(self._handles)
            self._finalizer.detach()
            self._open()
        if self._handles.connection is None:
            raise SpoolError(f"event spool {self.directory}: it has been closed")
        return self._handles.connection

    # --- writing

    def publish(self, messages: Iterable[Message]) -> int:
        """Stores messages, all or none, and rings the bell. Returns how many were new.

        Raises `SpoolFull` when there is no room, `SpoolError` when the disk fails.
        """
        rows = [
            (int(one.is_queue), one.destination, one.ident, time.time(), one.header, one.payload)
            for one in messages
        ]
        with self.writing("publishing an event") as connection:
            self._make_room(connection, sum(len(row[4]) + len(row[5]) + 200 for row in rows))
            before = connection.total_changes
            connection.executemany(schema.INSERT, rows)
            added = connection.total_changes - before
        ring(self._handles.bell)
        return added

    def _make_room(self, connection: sqlite3.Connection, wanted: int) -> None:
        now = time.time()
        if now >= self._trim_at:
            # Another process may have set them.
            self.limits = self._read_limits()
            retention.drop_old(connection, now - self.limits.keep_s)
            self._trim_at = now + min(60.0, self.limits.keep_s / 10)
        if retention.used_bytes(connection) + wanted <= self.limits.max_bytes:
            return
        if not retention.free_bytes(connection, wanted, self.limits.max_bytes):
            waiting = "; ".join(retention.waiting(connection)) or "queues that nobody empties"
            raise SpoolFull(
                f"event spool {self.directory} is full ({self.limits.max_bytes} bytes), and somebody still"
                f" waits for everything in it: {waiting}. Start or forget those receivers, or raise"
                " eventSpoolSize in a pipeline's policy"
            )

    @contextlib.contextmanager
    def writing(self, doing: str) -> Iterator[sqlite3.Connection]:
        """A transaction that writes; rolled back when the block raises. Writers queue up in the kernel."""
        connection = self._connection()
        with _GATE, self._explained(doing), _held(self._handles.lock):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    # --- reading

    def rows(self, query: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """The rows that a query finds. Raises `SpoolError`."""
        connection = self._connection()
        with _GATE, self._explained("reading"):
            return connection.execute(query, parameters).fetchall()

    def after(self, destination: str, sequence: int, most: int = 64) -> list[Message]:
        """The next messages of a topic behind a sequence number, in the order of publication."""
        return [
            Message(destination, header, payload, ident, False, number)
            for number, ident, header, payload in self.rows(schema.AFTER, (destination, sequence, most))
        ]

    def last_sequence(self) -> int:
        """The sequence number of the newest event there has been; 0 if none."""
        return int(self.rows(schema.LAST)[0][0])

    def topics(self) -> list[tuple[str, int]]:
        """The topics that have events, with how many."""
        return [(name, count) for name, count in self.rows(schema.TOPICS)]

    def forget(self, name: str) -> int:
        """Removes the receiver `name` of every topic; returns how many there were."""
        with self.writing(f"forgetting receiver {name!r}") as connection:
            return connection.execute("DELETE FROM subscriptions WHERE name = ?", (name,)).rowcount

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SpoolError(f"event spool {self.file}: {doing}: {schema.explain(error)}") from error
        except OSError as error:
            raise SpoolError(f"event spool {self.file}: {doing}: {error.strerror}") from error


class _Handles:
    """What a Spool holds of the process."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self.bell = -1
        self.lock = -1

    def close(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()
        for descriptor in (self.bell, self.lock):
            if descriptor >= 0:
                os.close(descriptor)
        self.bell = self.lock = -1


_INHERITED: list[_Handles] = []
"""What this process has inherited open from the one that forked it: never used, never closed."""


def _open_file(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise SpoolError(f"event spool {path.parent}: opening {path.name}: {error.strerror}") from error


@contextlib.contextmanager
def _held(descriptor: int) -> Iterator[None]:
    """Holds the lock of writers: SQLite itself would poll for it, at up to 0.1 s."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
