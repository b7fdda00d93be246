# SPDX-License-Identifier: BSD-3-Clause
"""What a spool forgets: by age, and when it is full. Never what a receiver with a name still waits for."""

from __future__ import annotations

import sqlite3

from harness.events.owners import is_alive

__all__ = ["drop_old", "free_bytes", "used_bytes", "waiting"]

STEP = 500

# An event of a topic is pending where a receiver with a name has not acknowledged it.
PENDING = """
EXISTS (SELECT 1 FROM subscriptions s WHERE s.topic = e.destination AND e.seq > s.low
        AND NOT EXISTS (SELECT 1 FROM done d WHERE d.subscription = s.id AND d.seq = e.seq))
"""
HEARD = "EXISTS (SELECT 1 FROM subscriptions s WHERE s.topic = e.destination)"
DROP_OLD = f"""
DELETE FROM events WHERE seq IN (
    SELECT e.seq FROM events e WHERE e.is_queue = 0 AND e.published < ? AND NOT {PENDING})
"""
DROP_SOME = f"""
DELETE FROM events WHERE seq IN (
    SELECT e.seq FROM events e WHERE e.is_queue = 0 AND NOT {PENDING} AND {HEARD} = ? ORDER BY e.seq LIMIT ?)
"""
WAITING = """
SELECT s.name, s.topic, count(*) FROM subscriptions s JOIN events e ON e.destination = s.topic
WHERE e.is_queue = 0 AND e.seq > s.low GROUP BY s.id ORDER BY 3 DESC LIMIT 5
"""


def drop_old(connection: sqlite3.Connection, before: float) -> None:
    """Forgets receivers that were last seen before a time (seconds since 1970), and what none waits for."""
    for number, owner in connection.execute(
        "SELECT id, owner FROM subscriptions WHERE seen < ?", (before,)
    ).fetchall():
        if not is_alive(owner):
            connection.execute("DELETE FROM subscriptions WHERE id = ?", (number,))
    connection.execute(DROP_OLD, (before,))


def used_bytes(connection: sqlite3.Connection) -> int:
    """What the events and their tables take in the file."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return (pages - free) * connection.execute("PRAGMA page_size").fetchone()[0]


def free_bytes(connection: sqlite3.Connection, wanted: int, most: int) -> bool:
    """Removes the oldest events that all have acknowledged, then those that nobody has ever asked for.

    Returns whether `wanted` bytes now fit below `most`. A tenth more is freed, so that it is not done for
    every event.
    """
    for heard in (1, 0):
        while used_bytes(connection) + wanted > most * 0.9:
            if connection.execute(DROP_SOME, (heard, STEP)).rowcount == 0:
                break
    return used_bytes(connection) + wanted <= most


def waiting(connection: sqlite3.Connection) -> list[str]:
    """The receivers that keep most events, for people."""
    return [
        f"{name!r} has {count} events of topic {topic!r}"
        for name, topic, count in connection.execute(WAITING).fetchall()
    ]
