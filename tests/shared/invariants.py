# SPDX-License-Identifier: BSD-3-Clause
"""Invariants of docs/design/faults.md that are read from what a run has recorded: a line for each breach.

`tests/runs/test_invariants.py` shows that every check sees a run that lacks the defence.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

MASTER = -1


class Fault(NamedTuple):
    """What a test has had happen: in which visit, stage (from 1) and rank, and what it is to be called."""

    visit: int
    stage: int
    rank: int
    cause: str


@contextlib.contextmanager
def ledger_of(run_dir: Path) -> Iterator[sqlite3.Connection]:
    """The ledger of a run directory, for reading."""
    connection = sqlite3.connect(f"file:{run_dir / 'ledger.sqlite'}?mode=ro", uri=True)
    try:
        yield connection
    finally:
        connection.close()


def standing_states(run_dir: Path) -> dict[int, str]:
    """What became of each visit when it was last begun."""
    with ledger_of(run_dir) as ledger:
        rows = ledger.execute(
            "SELECT s.visit, v.state FROM standing s JOIN visits v ON v.run = s.run AND v.visit = s.visit"
        )
        return dict(rows.fetchall())


# --- the cause is named


def unnamed(run_dir: Path, deaths: Iterable[Fault], raised: Iterable[Fault] = ()) -> list[str]:
    """Faults of which ledger, log and summary do not say what it was, in which visit, stage and rank."""
    deaths, raised = list(deaths), list(raised)
    log = (run_dir / "log" / "Pipeline.log").read_text()
    counted = [Fault(*(one[key] for key in Fault._fields))
               for one in json.loads((run_dir / "summary.json").read_text())["deaths"]]  # fmt: skip
    with ledger_of(run_dir) as ledger:
        names = json.loads(ledger.execute("SELECT stages FROM runs ORDER BY run DESC").fetchone()[0])
        rows = ledger.execute("SELECT visit, stage, rank, cause, kind, text FROM failures").fetchall()
    wrong = []
    for one in deaths:
        if (*one[:3], "died", one.cause) not in [row[:5] for row in rows]:
            wrong.append(f"no failure in the ledger is {one}: {[row[:5] for row in rows]}")
        if one not in counted:
            wrong.append(f"no death in the summary is {one}: {counted}")
        place = f"while it ran stage {names[one.stage - 1]!r} of visit {one.visit} for rank {one.rank}"
        if not any(f"died of {one.cause}" in line and place in line for line in log.splitlines()):
            wrong.append(f"no line of the log names {one}")
    for one in raised:
        if not any(row[:4] == (*one[:3], "raised") and one.cause in row[5] for row in rows):
            wrong.append(f"no failure in the ledger is {one}: {rows}")
    return wrong


# --- others go on


def held_up(run_dir: Path, visits: int, concerned: Iterable[tuple[int, int]]) -> list[str]:
    """Slices and visits that are not complete, though no fault concerns them: it does (visit, rank)."""
    concerned = set(concerned)
    states = standing_states(run_dir)
    with ledger_of(run_dir) as ledger:
        slices, names = ledger.execute("SELECT slices, stages FROM runs ORDER BY run DESC").fetchone()
        rows = ledger.execute(
            "SELECT o.visit, o.rank, o.stage FROM outcomes o"
            " JOIN standing s ON s.run = o.run AND s.visit = o.visit WHERE o.outcome = 'done'"
        )
        done = set(rows.fetchall())
    wrong = []
    for visit in range(1, visits + 1):
        ranks = [rank for rank in range(MASTER, slices) if (visit, rank) not in concerned]
        if len(ranks) == slices + 1 and states.get(visit) != "complete":
            wrong.append(f"visit {visit} is {states.get(visit, 'not begun')}")
        wrong += [
            f"visit {visit}, rank {rank}: stage {stage} is not done"
            for rank in ranks
            for stage in range(1, len(json.loads(names)) + 1)
            if (visit, rank, stage) not in done
        ]
    return wrong


# --- what is proven complete does not run again, everything else does


def proven(run_dir: Path) -> set[int]:
    """The visits that are complete, and of whose outputs every one is what was recorded of it last."""
    complete = {visit for visit, state in standing_states(run_dir).items() if state == "complete"}
    with ledger_of(run_dir) as ledger:
        rows = ledger.execute(
            "SELECT o.path, o.visit, o.sha256 FROM outputs o"
            " JOIN standing s ON s.run = o.run AND s.visit = o.visit ORDER BY o.output"
        )
        newest = {path: (visit, digest) for path, visit, digest in rows}
    lost = {visit for path, (visit, digest) in newest.items() if _sha256(Path(path)) != digest}
    return complete - lost


def _sha256(path: Path) -> str:
    """Of a file; of a directory as `harness.outputs` describes it."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    files = sorted((str(file.relative_to(path)), file) for file in path.rglob("*") if file.is_file())
    lines = [f"{_sha256(file)}  {name}\n" for name, file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def misjudged(visits: int, trusted: set[int], called: set[int]) -> list[str]:
    """What a resumed run of so many visits has run again, or left out, against what was to be `trusted`."""
    wanted = set(range(1, visits + 1)) - trusted
    wrong = [f"visit {visit} is proven complete, and has run again" for visit in sorted(called & trusted)]
    wrong += [f"visit {visit} is not proven complete, and was left out" for visit in sorted(wanted - called)]
    return wrong + [f"visit {visit} was never asked for" for visit in sorted(called - wanted - trusted)]
