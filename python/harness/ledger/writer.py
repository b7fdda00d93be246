# SPDX-License-Identifier: BSD-3-Clause
"""The master's ledger: what it writes, and when that is on the disk.

A visit's end and the next one's beginning are one transaction, unless files were written or something failed:
then the end is one by itself. After `kill -9` all committed transactions are there. The disk is waited for
every few seconds only: after a power failure the file is whole, and the visits since then run again.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from harness.errors import LedgerError
from harness.ledger.bulk import add_rows
from harness.ledger.lock import RunLock, is_at
from harness.ledger.schema import describe, open_for_writing
from harness.ledger.visit import VisitRecord

SYNC_INTERVAL_S = 2.0


class StageTime(NamedTuple):
    """One half-step of one rank; `started` in seconds since 1970."""

    rank: int
    stage: int
    step: str
    started: float
    seconds: float


class Output(NamedTuple):
    """A file that a stage has written: absolute path, size in bytes, SHA-256 in hexadecimal."""

    visit: int
    rank: int
    stage: int
    path: str
    size: int
    sha256: str


class Ledger:
    """The ledger of a run directory, open for writing. Used by the master's main thread only."""

    def __init__(self, path: Path, lock: RunLock | None = None) -> None:
        """Opens or makes the file. The caller holds `lock`, the run directory's. Raises `LedgerError`."""
        self.path = path
        self._lock = lock
        self._pid = os.getpid()
        self._connection = open_for_writing(path)
        self._file = os.stat(path)
        self._run = 0
        self._synced_at = 0.0
        self._log_descriptor = _open_log(path)
        _keep_from_forks(self._connection)
        with self._transaction("noting how earlier runs ended"):
            self._bury_the_dead()

    @property
    def run(self) -> int:
        """The number of this process's run, from 1; 0 before `begin_run`."""
        return self._run

    @property
    def connection(self) -> sqlite3.Connection:
        """For reading what earlier runs have left."""
        return self._connection

    def _bury_the_dead(self) -> None:
        """Runs without an end: their masters are gone, for the lock is here."""
        now = time.time()
        self._connection.execute(
            "UPDATE visits SET state = 'failed', ended = ?, reason = 'the master ended in this visit without"
            " a word: killed, or the machine went down' WHERE state = 'running'",
            (now,),
        )
        self._connection.execute(
            "UPDATE runs SET end = 'lost', ended = ?, reason = 'the master ended without a word: killed, or"
            " the machine went down' WHERE end IS NULL",
            (now,),
        )

    def begin_run(self, row: dict[str, object], *, resumed_series: int | None) -> int:
        """Adds a run, and returns its number. `row` has the columns of `runs` that describe it."""
        columns = ", ".join(row)
        marks = ", ".join("?" * len(row))
        with self._transaction("noting the run"):
            cursor = self._connection.execute(
                f"INSERT INTO runs (series, {columns}) VALUES (?, {marks})",
                (resumed_series or 0, *row.values()),
            )
            self._run = cursor.lastrowid or 0
            if resumed_series is None:
                self._connection.execute("UPDATE runs SET series = run WHERE run = ?", (self._run,))
        return self._run

    def begin_visit(self, visit: int, started: float, input_id: str | None = None) -> None:
        """Notes that a visit has begun, and makes the end of the one before it permanent."""
        with self._errors(f"noting the beginning of visit {visit}"):
            self._begin()
            self._connection.execute(
                "INSERT INTO visits (run, visit, input, state, started) VALUES (?, ?, ?, 'running', ?)"
                " ON CONFLICT (run, visit) DO UPDATE SET state = 'running', ended = NULL, reason = NULL",
                (self._run, visit, input_id, started),
            )
            self._commit(wait=False)

    def drop_visit(self, visit: int) -> None:
        """Forgets a visit of which no stage has run."""
        with self._transaction(f"dropping visit {visit}"):
            self._connection.execute(
                "DELETE FROM visits WHERE run = ? AND visit = ? AND state = 'running'", (self._run, visit)
            )

    def note_input(self, visit: int, input_id: str) -> None:
        """Notes what a visit works on."""
        with self._errors(f"noting the input of visit {visit}"):
            self._begin()
            self._connection.execute(
                "UPDATE visits SET input = ? WHERE run = ? AND visit = ?", (input_id, self._run, visit)
            )
            self._commit(wait=False)

    def complete_inputs(self) -> set[str]:
        """The identities that complete visits of all runs have as their input; a visit may have several."""
        return self._inputs("'complete'")

    def ended_inputs(self) -> set[str]:
        """The same of visits that have ended, whatever failed in them."""
        return self._inputs("'complete', 'partial'")

    def _inputs(self, states: str) -> set[str]:
        with self._errors("reading what has ended"):
            rows = self._connection.execute(
                f"SELECT input FROM visits WHERE state IN ({states}) AND input IS NOT NULL"
            ).fetchall()
        return {identity for (inputs,) in rows for identity in inputs.split()}

    def settle(self) -> None:
        """Returns when the disk has all that was written."""
        with self._transaction("making visits permanent"):
            pass

    def end_visit(self, record: VisitRecord, times: Iterable[StageTime], outputs: Sequence[Output]) -> None:
        """Notes a visit's outcomes, times, outputs and failures, all of them or none."""
        with self._errors(f"recording visit {record.visit}"):
            self._begin()
            run, visit = self._run, record.visit
            add_rows(self._connection, "outcomes", run, visit, record.outcomes(), 5)
            add_rows(self._connection, "stage_times", run, visit, times, 5)
            self._add_outputs(outputs)
            self._add_failures(record)
            self._connection.execute(
                "UPDATE visits SET state = ?, ended = ?, reason = ? WHERE run = ? AND visit = ?",
                (record.verdict()[0], time.time(), record.verdict()[1], run, visit),
            )
            late = time.monotonic() - self._synced_at >= SYNC_INTERVAL_S
            if outputs or record.failures or late:
                self._commit(wait=late)

    def _add_outputs(self, outputs: Sequence[Output]) -> None:
        if outputs:
            self._connection.executemany(
                "INSERT OR REPLACE INTO outputs (run, visit, rank, stage, path, bytes, sha256)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((self._run, out.visit, out.rank, out.stage, out.path, out.size, out.sha256)
                 for out in outputs),
            )

    def _add_failures(self, record: VisitRecord) -> None:
        if record.failures:
            self._connection.executemany(
                "INSERT INTO failures (run, visit, rank, stage, at, cause, kind, text, post_mortem, retried)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                ((self._run, record.visit, one.rank, one.stage, one.at, one.cause, one.kind, _text(one.text),
                  one.post_mortem, int(one.retried)) for one in record.failures),
            )

    def sync(self) -> None:
        """Commits, and returns when the disk has it. Needed before others are told that a visit is over."""
        with self._errors("syncing it"):
            self._begin()
            self._commit(wait=True)

    def break_visit(self, record: VisitRecord, outputs: Sequence[Output], reason: str) -> None:
        """Notes that the run ended within a visit; outcomes are not recorded then."""
        with self._transaction(f"noting the end of visit {record.visit}"):
            self._add_failures(record)
            self._add_outputs(outputs)
            self._connection.execute(
                "UPDATE visits SET state = 'failed', ended = ?, reason = ?"
                " WHERE run = ? AND visit = ? AND state = 'running'",
                (time.time(), _text(reason), self._run, record.visit),
            )

    def call_complete(self, visit: int, reason: str) -> None:
        """A visit that was left early because there are no more data sets is complete."""
        with self._transaction(f"noting the end of visit {visit}"):
            self._connection.execute(
                "UPDATE visits SET state = 'complete', reason = ?"
                " WHERE run = ? AND visit = ? AND state = 'partial'",
                (reason, self._run, visit),
            )

    def note_end_of_data(self, visit: int) -> None:
        """Notes in which visit of this run a slice has said that there are no more data sets."""
        with self._transaction(f"noting that the data sets end with visit {visit}"):
            self._connection.execute("UPDATE runs SET last_visit = ? WHERE run = ?", (visit, self._run))

    def note_reason(self, visit: int, reason: str) -> None:
        """Says why a visit is partial."""
        with self._transaction(f"noting the end of visit {visit}"):
            self._connection.execute(
                "UPDATE visits SET reason = ? WHERE run = ? AND visit = ? AND state = 'partial'",
                (reason, self._run, visit),
            )

    def add_outputs(self, outputs: Sequence[Output]) -> None:
        """Records files that were written after their visit had ended."""
        with self._transaction("recording outputs"):
            self._add_outputs(outputs)

    def end_run(self, end: str, exit_code: int, reason: str) -> None:
        """Notes how the run ended."""
        with self._transaction("noting the end of the run"):
            self._connection.execute(
                "UPDATE runs SET ended = ?, end = ?, exit_code = ?, reason = ? WHERE run = ?",
                (time.time(), end, exit_code, _text(reason), self._run),
            )
        self._require_in_place()

    def _require_in_place(self) -> None:
        """Raises `LedgerError` where nobody will find what is written here, or another run writes, too."""
        if not is_at(self._file, self.path):
            saw = "another one" if self.path.exists() else "none"
            raise LedgerError(
                f"ledger {self.path}: expected the file that this run writes to, saw {saw}: it, or its run"
                " directory, was removed or replaced while the run went on, and what the run has recorded is"
                " lost; begin anew"
            )
        if self._lock is not None:
            self._lock.require_in_place()

    def close(self) -> None:
        """Commits the visit that ended last, and closes the file. Does nothing in a fork of the process."""
        if os.getpid() != self._pid or self._connection not in _open_here:
            return
        try:
            if self._connection.in_transaction:
                with self._errors("closing it"):
                    self._write_out()
        finally:
            _open_here.discard(self._connection)
            self._connection.close()
            self._close_log()

    def _close_log(self) -> None:
        if self._log_descriptor >= 0:
            os.close(self._log_descriptor)
            self._log_descriptor = -1

    # --- transactions

    def _begin(self) -> None:
        if os.getpid() != self._pid:
            raise LedgerError(
                f"ledger {self.path}: process {os.getpid()} writes to it, which stage code has forked and let"
                f" return into the run of process {self._pid}; it must end by itself (os._exit)"
            )
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def _commit(self, *, wait: bool) -> None:
        """Ends the transaction; with `wait`, returns when the disk has it, where others find it."""
        if not wait:
            self._connection.execute("COMMIT")
            return
        self._write_out()
        self._require_in_place()

    def _write_out(self) -> None:
        """Ends the transaction, and returns when the disk has it."""
        self._connection.execute("COMMIT")
        if self._log_descriptor >= 0:
            os.fdatasync(self._log_descriptor)
        self._synced_at = time.monotonic()

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[None]:
        with self._errors(doing):
            self._begin()
            yield
            self._commit(wait=False)

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if os.getpid() == self._pid and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise describe(error, self.path, doing) from error


def _text(text: str) -> str:
    """What SQLite can store: a lone surrogate becomes `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _open_log(path: Path) -> int:
    """The write-ahead log, which SQLite itself syncs too rarely; -1 where there is none (a rollback journal
    is synced at every commit). It is the same file for as long as the ledger is open."""
    try:
        return os.open(f"{path}-wal", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1


# --- forks of stage code

_open_here: set[sqlite3.Connection] = set()


def _keep_from_forks(connection: sqlite3.Connection) -> None:
    _open_here.add(connection)


def _never_close() -> None:
    """In a fork of the master: SQLite must not even close what its parent has opened, so it never is."""
    for connection in _open_here:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


os.register_at_fork(after_in_child=_never_close)
