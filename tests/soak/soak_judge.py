# SPDX-License-Identifier: BSD-3-Clause
"""What must hold when a night is complete, whatever was killed: ledger, files, nothing else."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import soak_model
from harness.errors import LedgerError
from harness.ledger.checking import check
from harness.ledger.schema import LEDGER_NAME, open_for_reading
from soak_figures import Figures

STAGES = 3
RANKS = (-1, *range(soak_model.AMPS))


def is_complete(run_dir: Path, visits: int) -> bool:
    """Whether the ledger has every visit as complete."""
    try:
        connection = open_for_reading(run_dir / LEDGER_NAME)
    except LedgerError:
        return False
    try:
        rows = connection.execute(
            "SELECT count(*) FROM standing s JOIN visits v ON v.run = s.run AND v.visit = s.visit"
            " WHERE v.state = 'complete'"
        )
        return rows.fetchone()[0] == visits
    finally:
        connection.close()


def judge(folder: Path, run_dir: Path, visits: int, figures: Figures) -> None:
    """Adds to the figures, and a line to `figures.wrong` for whatever is not as it must be."""
    figures.wrong += check(run_dir)
    connection = open_for_reading(run_dir / LEDGER_NAME)
    try:
        _judge_outcomes(connection, visits, figures)
        _judge_files(connection, folder / "out", visits, figures)
    finally:
        connection.close()
    _judge_leaks(folder, run_dir, figures)


def _judge_outcomes(connection: sqlite3.Connection, visits: int, figures: Figures) -> None:
    """Exactly one outcome of each (visit, rank, stage), and that is `done`."""
    expected = {
        (visit, rank, stage)
        for visit in range(1, visits + 1)
        for rank in RANKS
        for stage in range(1, STAGES + 1)
    }
    rows = connection.execute(
        "SELECT o.visit, o.rank, o.stage, o.outcome, o.retries FROM outcomes o"
        " JOIN standing s ON s.run = o.run AND s.visit = o.visit"
    ).fetchall()
    seen = [row[:3] for row in rows]
    lost = expected - set(seen)
    figures.visits += visits
    figures.outcomes += len(rows)
    figures.retries += sum(row[4] for row in rows)
    figures.lost += len(lost)
    figures.doubled += len(seen) - len(set(seen))
    if lost or len(seen) != len(expected):
        told = f"{len(expected)} outcomes expected, {len(seen)} seen"
        figures.wrong.append(f"{told}; lost: {sorted(lost)[:10]}")
    figures.wrong += [f"outcome {row} of a complete visit" for row in rows if row[3] != "done"][:10]


def _judge_files(connection: sqlite3.Connection, place: Path, visits: int, figures: Figures) -> None:
    """Every file is what the reduction without a harness gives, once in the ledger, and there is no other."""
    told = [
        Path(path).name
        for (path,) in connection.execute(
            "SELECT path FROM outputs o JOIN standing s ON s.run = o.run AND s.visit = o.visit"
        )
    ]
    wanted: set[str] = set()
    for visit in range(1, visits + 1):
        for name, content in soak_model.files_of(visit).items():
            wanted.add(name)
            figures.files += 1
            file = place / name
            if not file.exists() or file.read_bytes() != content:
                figures.wrong.append(f"{file} differs from what a run without harness gives, or is missing")
    if sorted(told) != sorted(wanted):
        figures.wrong.append(f"the ledger has {len(told)} outputs, expected {len(wanted)}, each once")
    others = sorted({entry.name for entry in place.iterdir()} - wanted)
    if others:
        figures.leaks += len(others)
        figures.wrong.append(f"files beside the results: {others[:10]}")


def _judge_leaks(folder: Path, run_dir: Path, figures: Figures) -> None:
    """No file under a temporary name, no segment with a name."""
    hidden = [path for path in run_dir.rglob("*") if path.name.startswith(".") or path.suffix == ".tmp"]
    segments = [name for name in os.listdir("/dev/shm") if name.startswith("pex-")]
    figures.leaks += len(hidden) + len(segments)
    figures.wrong += [f"a temporary file was left: {path}" for path in hidden]
    figures.wrong += [f"a segment was left: /dev/shm/{name}" for name in segments]
