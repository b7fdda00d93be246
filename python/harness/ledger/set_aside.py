# SPDX-License-Identifier: BSD-3-Clause
"""Visits that count no longer, though the ledger keeps what became of them."""

from __future__ import annotations

import sqlite3

AHEAD = """
SELECT v.visit FROM standing s JOIN visits v ON v.run = s.run AND v.visit = s.visit JOIN runs r ON r.run = v.run
WHERE v.visit > {last_visit}
"""
LAST_VISIT = {
    1: "(SELECT max(visit) FROM visits c WHERE c.run = r.run AND c.state = 'complete' AND r.end = 'no more')",
    2: "r.last_visit",
}
"""By version: where, in a run `r`, a slice has said that there are no more data sets; null if none has."""


def set_aside(connection: sqlite3.Connection) -> set[int]:
    """The visits of the last run's series that count no longer.

    These are visits that had begun ahead when one before them said that there are no more data sets.
    """
    return {visit for (visit,) in connection.execute(AHEAD.format(last_visit=last_visit_of(connection)))}


def last_visit_of(connection: sqlite3.Connection) -> str:
    """In SQL, the visit that said of its run `r` that there are no more data sets; null if none did."""
    return LAST_VISIT[connection.execute("PRAGMA user_version").fetchone()[0]]
