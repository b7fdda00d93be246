# SPDX-License-Identifier: BSD-3-Clause
"""The tables of a spool, and what SQLite's errors mean for it.

    events          every event: topic (is_queue 0) or queue (1), header and payload as JSON
    subscriptions   receivers with a name: of `topic`, all up to `low` is done; `owner` is the process
    done            what lies above `low` and is done all the same
    claims          events of queues that a process has taken and not acknowledged
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from harness.events.errors import SpoolError
from harness.events.place import FILE

__all__ = [
    "AFTER", "BELL", "FILE", "HAVING", "INSERT", "LAST", "LOCK", "TOPICS", "WITHIN", "connect", "explain",
]  # fmt: skip

BELL = "bell"
LOCK = "writers"

APPLICATION_ID = 0x70657845
"""`pexE`, in the header of the file: what tells a spool from SQLite files of other programs."""
VERSION = 1

TABLES = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    is_queue INTEGER NOT NULL,
    destination TEXT NOT NULL,
    ident TEXT NOT NULL UNIQUE,
    published REAL NOT NULL,
    header BLOB NOT NULL,
    payload BLOB NOT NULL
);
CREATE INDEX events_by_destination ON events (is_queue, destination, seq);
CREATE TABLE subscriptions (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    topic TEXT NOT NULL,
    low INTEGER NOT NULL,
    owner TEXT NOT NULL,
    seen REAL NOT NULL,
    UNIQUE (name, topic)
);
CREATE TABLE done (
    subscription INTEGER NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    PRIMARY KEY (subscription, seq)
) WITHOUT ROWID;
CREATE TABLE claims (
    seq INTEGER PRIMARY KEY REFERENCES events (seq) ON DELETE CASCADE,
    owner TEXT NOT NULL
);
"""

INSERT = """
INSERT OR IGNORE INTO events (is_queue, destination, ident, published, header, payload)
VALUES (?, ?, ?, ?, ?, ?)
"""
AFTER = """
SELECT seq, ident, header, payload FROM events
WHERE is_queue = 0 AND destination = ? AND seq > ? ORDER BY seq LIMIT ?
"""
HAVING = """
SELECT seq, ident FROM events
WHERE is_queue = 0 AND destination = ? AND ident IN (SELECT value FROM json_each(?))
"""
WITHIN = "SELECT seq FROM events WHERE is_queue = 0 AND destination = ? AND seq > ? AND seq <= ?"
LAST = "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0)"
TOPICS = "SELECT destination, count(*) FROM events WHERE is_queue = 0 GROUP BY destination ORDER BY 1"


def connect(file: Path, busy_s: float) -> sqlite3.Connection:
    """Opens the file, making its tables if it is new. The caller holds the lock of writers.

    Raises `SpoolError` for a file that is no spool, `sqlite3.Error` for one that cannot be read.
    """
    connection = sqlite3.connect(file, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, file)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, file: Path) -> None:
    for pragma in ("trusted_schema = OFF", "foreign_keys = ON", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")
    identity = _value(connection, "PRAGMA application_id")
    if identity == 0 and _value(connection, "SELECT count(*) FROM sqlite_master") == 0:
        mode = _value(connection, "PRAGMA journal_mode = WAL")
        if mode != "wal":
            raise SpoolError(
                f"event spool {file}: SQLite cannot keep a write-ahead log here (it offers {mode!r});"
                ' name another directory with eventBrokerHost: "spool:/local/directory"'
            )
        connection.executescript(
            f"BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION_ID};"
            f" PRAGMA user_version = {VERSION}; COMMIT;"
        )
        return
    if identity != APPLICATION_ID:
        raise SpoolError(
            f"event spool {file}: this SQLite file belongs to another program (application id {identity:#x},"
            f" expected {APPLICATION_ID:#x}); move it away, or name another directory"
        )
    version = _value(connection, "PRAGMA user_version")
    if version != VERSION:
        raise SpoolError(
            f"event spool {file}: its layout is version {version}, and this program knows {VERSION};"
            " empty the spool with the program that wrote it, or name another directory"
        )


def _value(connection: sqlite3.Connection, query: str) -> int | str:
    return connection.execute(query).fetchone()[0]


def explain(error: sqlite3.Error) -> str:
    """An error of SQLite in words that say what to do."""
    text = str(error)
    if "not a database" in text:
        return "the file is no SQLite file; move it away, or name another directory"
    if "malformed" in text:
        return f"the file is damaged ({text}); move it away, and publish again what was not processed"
    if "disk is full" in text or "disk I/O" in text:
        return f"{text}; is there room on the disk?"
    if "readonly" in text or "unable to open" in text:
        return f"{text}; may this user write there?"
    return text
