# SPDX-License-Identifier: BSD-3-Clause
"""Visits that count no longer, though the ledger keeps what became of them."""

from __future__ import annotations

import sqlite3

STANDING = "standing s JOIN visits v ON v.run = s.run AND v.visit = s.visit"
AHEAD = f"SELECT v.visit FROM {STANDING} JOIN runs r ON r.run = v.run WHERE v.visit > {{last_visit}}"
LAST_VISIT = {
    1: "(SELECT max(visit) FROM visits c WHERE c.run = r.run AND c.state = 'complete' AND r.end = 'no more')",
    2: "r.last_visit",
}
"""By version: where, in a run `r`, a slice has said that there are no more data sets; null if none has."""
WITH_INPUT = f"SELECT EXISTS (SELECT 1 FROM {STANDING} WHERE v.input IS NOT NULL)"
NEWEST_FIRST = f"SELECT v.visit, v.run, v.state, v.input FROM {STANDING} ORDER BY v.visit DESC"


def set_aside(connection: sqlite3.Connection) -> set[int]:
    """The visits of the last run's series that count no longer.

    These are visits that had begun ahead when one before them said that there are no more data sets, and
    visits whose input a later one has had: the event had come again.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    ahead = connection.execute(AHEAD.format(last_visit=LAST_VISIT[version]))
    return {visit for (visit,) in ahead} | _done_again(connection)


def _done_again(connection: sqlite3.Connection) -> set[int]:
    found: set[int] = set()
    if not connection.execute(WITH_INPUT).fetchone()[0]:
        return found
    seen: set[str] = set()
    newest_run = 0
    for visit, run, state, identities in connection.execute(NEWEST_FIRST):
        own = set((identities or "").split())
        if own:
            if own <= seen:
                found.add(visit)
            seen |= own
            newest_run = max(newest_run, run)
        elif state != "complete" and run < newest_run:
            # It was cut off before its event had come, which a later run has had or waits for.
            found.add(visit)
    return found
