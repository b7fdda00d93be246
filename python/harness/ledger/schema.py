# SPDX-License-Identifier: BSD-3-Clause
"""The tables of a ledger, and opening a file that must be one. docs/design/ledger.md explains the columns."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from harness.errors import LedgerError
from harness.ledger.lock import running_process
from harness.ledger.mounts import is_network_path

LEDGER_NAME = "ledger.sqlite"
APPLICATION_ID = 0x70657868
"""`pexh`, at byte 68 of the file: tells a ledger from other SQLite files."""
SCHEMA_VERSION = 2
"""Version 1 lacks `runs.last_visit`. It is read as it is, and brought to this version by who writes to it."""
OLDEST_VERSION = 1
BUSY_TIMEOUT_S = 10.0
CHECKPOINT_PAGES = 4000
"""Of 4 KiB: how much of the log is written before it goes into the file, for which the disk is waited for."""

TABLES = """
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    series INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    pipeline TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started REAL NOT NULL,
    ended REAL,
    end TEXT,
    exit_code INTEGER,
    reason TEXT,
    slices INTEGER NOT NULL,
    workers INTEGER NOT NULL,
    stages TEXT NOT NULL,
    policy_file TEXT NOT NULL,
    policy TEXT NOT NULL,
    policy_sha256 TEXT NOT NULL,
    code TEXT NOT NULL,
    host TEXT NOT NULL,
    cores INTEGER NOT NULL,
    command TEXT NOT NULL,
    directory TEXT NOT NULL,
    last_visit INTEGER
);
CREATE TABLE visits (
    run INTEGER NOT NULL REFERENCES runs,
    visit INTEGER NOT NULL,
    input TEXT,
    state TEXT NOT NULL CHECK (state IN ('running', 'complete', 'partial', 'failed')),
    started REAL NOT NULL,
    ended REAL,
    reason TEXT,
    PRIMARY KEY (run, visit)
) WITHOUT ROWID;
CREATE TABLE outcomes (
    run INTEGER NOT NULL,
    visit INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('done', 'failed', 'skipped')),
    kind TEXT CHECK ((outcome = 'failed') = (kind IS NOT NULL)),
    retries INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, visit, rank, stage),
    FOREIGN KEY (run, visit) REFERENCES visits
) WITHOUT ROWID;
CREATE TABLE stage_times (
    run INTEGER NOT NULL,
    visit INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    step TEXT NOT NULL CHECK (step IN ('preprocess', 'process', 'postprocess')),
    started REAL NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (run, visit, rank, stage, step),
    FOREIGN KEY (run, visit) REFERENCES visits
) WITHOUT ROWID;
CREATE TABLE outputs (
    output INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL,
    visit INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    path TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    UNIQUE (run, visit, rank, stage, path),
    FOREIGN KEY (run, visit) REFERENCES visits
);
CREATE INDEX outputs_by_path ON outputs (path);
CREATE TABLE failures (
    failure INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL,
    visit INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    at REAL NOT NULL,
    cause TEXT NOT NULL CHECK (cause IN ('raised', 'died')),
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    post_mortem TEXT,
    retried INTEGER NOT NULL,
    FOREIGN KEY (run, visit) REFERENCES visits
);
CREATE VIEW standing AS
    SELECT visit, max(run) AS run FROM visits
    WHERE run IN (SELECT run FROM runs
                  WHERE series = (SELECT series FROM runs ORDER BY run DESC LIMIT 1))
    GROUP BY visit;
"""
FROM_1_TO_2 = """
ALTER TABLE runs ADD COLUMN last_visit INTEGER;
UPDATE runs SET last_visit = (SELECT max(visit) FROM visits v WHERE v.run = runs.run AND state = 'complete')
    WHERE end = 'no more';
"""


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Opens the ledger, making it where there is none. The caller holds the run directory's lock.

    Raises:
        LedgerError: the file is something else, damaged, of another version, or cannot be written.
    """
    try:
        connection = _connect(path, "rwc")
        try:
            journal = "delete" if is_network_path(path) else "wal"
            fresh = _is_empty(connection)
            if not fresh:
                _require_ledger(connection, path)
                _bring_up_to_date(connection)
            # The writer syncs the write-ahead log by itself, see there.
            connection.execute(f"PRAGMA synchronous = {'NORMAL' if journal == 'wal' else 'FULL'}")
            connection.execute(f"PRAGMA journal_mode = {journal}")
            if fresh:
                connection.executescript(
                    f"BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION_ID};"
                    f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                )
            # References are held by check(): to look them up at every row would cost as much as the rows.
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise describe(error, path, "opening it") from error
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Opens an existing ledger read-only; a run may be writing to it meanwhile. Raises as for writing."""
    if not path.is_file():
        raise LedgerError(
            f"ledger {path}: no such file; expected a run directory in which `pex-harness run` has started"
        )
    try:
        # A ledger that nobody writes to and that has no log is whole by itself: then no files are made
        # beside it, which a directory that cannot be written would not allow.
        logged = path.with_name(f"{path.name}-wal").exists()
        mode = "ro" if logged or running_process(path.parent) else "ro&immutable=1"
        connection = _connect(path, mode)
        try:
            _require_ledger(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise describe(error, path, "reading it") from error
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    # Without isolation level every transaction is begun and ended in plain sight.
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Whether the file is new, or nothing had got into it when its maker was killed."""
    ids = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    return ids == [0, 0] and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Adds what the version of the file lacks, all of it or nothing."""
    if connection.execute("PRAGMA user_version").fetchone()[0] < SCHEMA_VERSION:
        connection.executescript(
            f"BEGIN IMMEDIATE; {FROM_1_TO_2} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )


def _require_ledger(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if _is_empty(connection):
        raise LedgerError(f"ledger {path}: there is no run in it yet; the run that made it has just begun")
    if application != APPLICATION_ID:
        raise LedgerError(
            f"ledger {path}: expected a ledger of pex-harness (application id {APPLICATION_ID:#x}), saw"
            f" another SQLite file (application id {application:#x}); choose another run directory, or move"
            " that file away"
        )
    if not OLDEST_VERSION <= version <= SCHEMA_VERSION:
        older = version < OLDEST_VERSION
        raise LedgerError(
            f"ledger {path}: expected schema version {OLDEST_VERSION} to {SCHEMA_VERSION}, saw version"
            f" {version}, written by {'an older' if older else 'a newer'} pex-harness; use that one, or"
            " another run directory"
        )
    connection.execute("SELECT count(*) FROM runs").fetchone()


def describe(error: sqlite3.Error | OSError, path: Path, doing: str) -> LedgerError:
    """The error for people: what SQLite saw, and what to do about it."""
    text = str(error)
    if "not a database" in text or "malformed" in text or "no such table" in text:
        cure = "the file is damaged, or no ledger; move it away, and start anew or in another directory"
    elif "full" in text:
        cure = "free some space; `pex-harness run --resume` then goes on with the visit that is not recorded"
    elif "readonly" in text or "unable to open" in text:
        cure = "the user of this process must be able to write the file and its directory"
    elif "locked" in text:
        cure = f"another program has held it for {BUSY_TIMEOUT_S:g} s; end that program"
    else:
        cure = "look at the file system: space, permissions, errors in the kernel's log"
    return LedgerError(f"ledger {path}: {doing}: {text}; {cure}")
