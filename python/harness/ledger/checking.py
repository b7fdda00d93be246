# SPDX-License-Identifier: BSD-3-Clause
"""Whether a ledger contradicts itself."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

from harness.ledger.schema import LEDGER_NAME, describe, open_for_reading

MOST = 20


def check(path: str | os.PathLike[str]) -> list[str]:
    """What is wrong with the ledger of a run directory (or of a ledger file); an empty list if nothing is.

    Every (visit, rank, stage) of a visit that has ended must have exactly one outcome; a complete visit
    nothing but `done`, apart from stages after the data sets ended; a failed outcome a failure that says why;
    times, outputs and failures a visit; the file itself no damage.

    Raises:
        harness.errors.LedgerError: there is no ledger, or it is no ledger that this version knows.
    """
    file = Path(path)
    if file.is_dir():
        file = file / LEDGER_NAME
    connection = open_for_reading(file)
    try:
        return _problems(connection)
    except sqlite3.Error as error:
        raise describe(error, file, "checking it") from error
    finally:
        connection.close()


def _problems(connection: sqlite3.Connection) -> list[str]:
    found = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    found += [
        f"{table}: a row that belongs to no visit or run"
        for table, *_ in connection.execute("PRAGMA foreign_key_check").fetchmany(MOST)
    ]
    for run, slices, stages in connection.execute("SELECT run, slices, stages FROM runs").fetchall():
        found += _problems_of_run(connection, run, (slices + 1) * len(json.loads(stages)))
    return found


def _problems_of_run(connection: sqlite3.Connection, run: int, expected: int) -> list[str]:
    found = []
    counts = connection.execute(
        "SELECT visit, state, reason, (SELECT count(*) FROM outcomes WHERE run = v.run AND visit = v.visit),"
        " (SELECT count(*) FROM outcomes WHERE run = v.run AND visit = v.visit AND outcome <> 'done')"
        " FROM visits v WHERE run = ?",
        (run,),
    )
    for visit, state, reason, outcomes, undone in counts:
        where = f"run {run}, visit {visit} ({state})"
        wanted = expected if state in ("complete", "partial") else 0
        if outcomes != wanted:
            found.append(f"{where}: expected {wanted} outcomes, one per rank and stage, saw {outcomes}")
        if state == "complete" and undone and reason is None:
            found.append(f"{where}: expected that all is done, saw {undone} outcomes that are not")
        if state == "partial" and not undone:
            found.append(f"{where}: expected an outcome that is not done, saw none")
    unexplained = connection.execute(
        "SELECT visit, rank, stage, kind FROM outcomes o WHERE run = ? AND outcome = 'failed' AND NOT EXISTS"
        " (SELECT 1 FROM failures f WHERE f.run = o.run AND f.visit = o.visit AND f.rank = o.rank"
        "  AND f.stage = o.stage)",
        (run,),
    )
    for visit, rank, stage, kind in unexplained.fetchmany(MOST):
        where = f"run {run}, visit {visit}, rank {rank}, stage {stage}"
        found.append(f"{where}: failed ({kind}) without a failure that says why")
    return found
