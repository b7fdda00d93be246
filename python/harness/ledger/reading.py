# SPDX-License-Identifier: BSD-3-Clause
"""The state of a run directory, from its ledger, its lock and the master's note of where it is."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

from harness.ledger.lock import running_process
from harness.ledger.progress import read_progress
from harness.ledger.schema import LEDGER_NAME, describe, open_for_reading
from harness.ledger.set_aside import set_aside
from harness.ledger.visit import RAISED

RUNNING, COMPLETE, PARTIAL, STOPPED, FAILED = "running", "complete", "partial", "stopped", "failed"
ORDERLY_ENDS = ("visits done", "no more", "stopped", "event timeout", "drained")
"""As `LoopEnd` has them."""
MOST_SAID = 200
"""Characters that are told of what an exception says."""


def read_status(run_dir: Path) -> dict[str, Any]:
    """Everything that `pex-harness status` tells, as what JSON can hold.

    `state` is one of: `running`; `complete` (ended, every visit complete); `partial` (ended, but of some
    visit something failed); `stopped` (asked to end early); `failed` (ended by an error, or killed).

    Raises:
        harness.errors.LedgerError: there is no ledger, or it cannot be read.
    """
    path = run_dir / LEDGER_NAME
    connection = open_for_reading(path)
    try:
        connection.row_factory = sqlite3.Row
        # One transaction: all tables are seen as of one moment.
        connection.execute("BEGIN")
        return _status(connection, run_dir)
    except sqlite3.Error as error:
        raise describe(error, path, "reading it") from error
    finally:
        connection.close()


def read_policy(run_dir: Path) -> tuple[dict[str, Any], Path] | None:
    """The policy of a directory's last run, with its defaults and without passwords, and its file.

    `None` where no run has begun. Raises `LedgerError`.
    """
    path = run_dir / LEDGER_NAME
    if not path.exists():
        return None
    try:
        with contextlib.closing(open_for_reading(path)) as connection:
            row = connection.execute(
                "SELECT policy, policy_file FROM runs ORDER BY run DESC LIMIT 1"
            ).fetchone()
    except sqlite3.Error as error:
        raise describe(error, path, "reading the policy") from error
    return None if row is None else (json.loads(row[0]), Path(row[1]))


def _status(connection: sqlite3.Connection, run_dir: Path) -> dict[str, Any]:
    runs = [dict(row) for row in connection.execute("SELECT * FROM runs ORDER BY run")]
    status: dict[str, Any] = {"run_dir": str(run_dir), "ledger": LEDGER_NAME, "state": FAILED, "runs": []}
    for row in runs:
        row["stages"], row["code"], row["command"] = (
            json.loads(row[key]) for key in ("stages", "code", "command")
        )
        status["runs"].append({key: value for key, value in row.items() if key != "policy"})
    if not runs:
        status.update(reason="the ledger has no run", visits={}, failures=[], outputs={}, stages=[])
        return status
    last = runs[-1]
    # In memory: the ledger itself is open for reading only.
    connection.execute("CREATE TEMP TABLE aside (visit INTEGER PRIMARY KEY)")
    connection.executemany("INSERT INTO aside VALUES (?)", [(visit,) for visit in set_aside(connection)])
    visits = _visit_counts(connection)
    pid = running_process(run_dir) if last["end"] is None else 0
    places = _places(run_dir, last["stages"], pid)
    status.update(
        state=_state(last, visits, pid),
        reason=last["reason"] or ("the master ended without a word: killed, or the machine went down"
                                  if last["end"] is None and not pid else None),
        run=last["run"],
        pid=pid or None,
        now=next(iter(places), None),
        in_flight=[place for place in places if place["stage"]],
        visits=visits,
        incomplete=_incomplete(connection),
        outcomes=_outcome_counts(connection),
        stages=_stage_times(connection, last["stages"]),
        failures=_failures(connection, last["stages"]),
        outputs=_outputs(connection),
    )
    return status


def _state(last: dict[str, Any], visits: dict[str, int], pid: int) -> str:
    if last["end"] is None:
        return RUNNING if pid else FAILED
    if last["end"] not in ORDERLY_ENDS:
        return FAILED
    if visits.get("partial") or visits.get("failed"):
        return PARTIAL
    return STOPPED if last["end"] == "stopped" else COMPLETE


def _places(run_dir: Path, names: list[str], pid: int) -> list[dict[str, Any]]:
    """Where a living run is, the oldest visit first."""
    found = read_progress(run_dir, pid) if pid else None
    return [
        {"visit": visit, "stage": stage, "name": names[stage - 1] if 1 <= stage <= len(names) else None}
        for visit, stage in found or []
    ]


STANDING = (
    "JOIN standing s ON s.run = t.run AND s.visit = t.visit AND s.visit NOT IN (SELECT visit FROM aside)"
)


def _visit_counts(connection: sqlite3.Connection) -> dict[str, int]:
    rows = connection.execute(f"SELECT state, count(*) FROM visits t {STANDING} GROUP BY state")
    return {state: count for state, count in rows}


def _incomplete(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    rows = connection.execute(
        f"SELECT t.visit, t.state, t.reason FROM visits t {STANDING} WHERE state <> 'complete'"
        " ORDER BY t.visit LIMIT 100"
    )
    return [dict(row) for row in rows]


def _outcome_counts(connection: sqlite3.Connection) -> dict[str, int]:
    rows = connection.execute(f"SELECT outcome, count(*), sum(retries) FROM outcomes t {STANDING} GROUP BY 1")
    counts = {"retries": 0}
    for outcome, count, retries in rows:
        counts[outcome] = count
        counts["retries"] += retries
    return counts


def _stage_times(connection: sqlite3.Connection, names: list[str]) -> list[dict[str, Any]]:
    rows = connection.execute(
        f"SELECT stage, step, count(*) AS runs, sum(seconds) AS total_s, avg(seconds) AS mean_s,"
        f" max(seconds) AS max_s FROM stage_times t {STANDING} GROUP BY stage, step"
    )
    order = ("preprocess", "process", "postprocess")
    found = [{"name": names[row["stage"] - 1], **dict(row)} for row in rows if row["stage"] <= len(names)]
    return sorted(found, key=lambda row: (row["stage"], order.index(row["step"])))


def _failures(connection: sqlite3.Connection, names: list[str]) -> list[dict[str, Any]]:
    rows = connection.execute(
        f"SELECT t.visit, rank, stage, cause, kind, text, post_mortem, retried, at FROM failures t {STANDING}"
        " ORDER BY failure DESC LIMIT 100"
    )
    return [
        {
            **dict(row),
            "name": names[row["stage"] - 1] if 1 <= row["stage"] <= len(names) else None,
            "message": _message(row["kind"], row["text"]) if row["cause"] == RAISED else "",
        }
        for row in rows
    ][::-1]


def _message(kind: str, text: str) -> str:
    """The first line of what the exception says: it stands behind its class at the end of a traceback."""
    said = re.findall(rf"^(?:[\w.]+\.)?{re.escape(kind)}: (.*)", text, re.MULTILINE)
    line = said[-1].strip() if said else "" if text.startswith("Traceback") else text.partition("\n")[0]
    return line if len(line) <= MOST_SAID else line[: MOST_SAID - 3] + "..."


def _outputs(connection: sqlite3.Connection) -> dict[str, Any]:
    count, size = connection.execute(
        f"SELECT count(*), coalesce(sum(bytes), 0) FROM outputs t {STANDING}"
    ).fetchone()
    rows = connection.execute(
        f"SELECT path, bytes, sha256, t.visit, rank, stage FROM outputs t {STANDING}"
        " ORDER BY output DESC LIMIT 100"
    )
    return {"count": count, "bytes": size, "last": [dict(row) for row in rows][::-1]}
