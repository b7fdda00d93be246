# SPDX-License-Identifier: BSD-3-Clause
"""Where the time of a run's visits has gone, from the stage times in its ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from harness.ledger import LEDGER_NAME


@dataclass(frozen=True)
class Shares:
    """Shares of the wall time of visits, 0 to 1.

    Attributes:
        work: of the workers' time, what they spent in steps of slices.
        master: of the wall time, what the master spent in serial halves.
        sync: of the wall time, what passed while nobody was in a step: releasing, publishing, arriving,
            waking up, gathering, opening and closing visits.
        wait: of the workers' time, what is left: they had nothing to do while others were in steps.
    """

    work: float
    master: float
    sync: float
    wait: float


def read_shares(run_dir: Path, first: int, last: int, workers: int, wall: float) -> Shares:
    """The shares of visits `first` to `last`, which took `wall` seconds together."""
    with closing(sqlite3.connect(run_dir / LEDGER_NAME)) as ledger:
        rows = ledger.execute(
            "SELECT rank, started, seconds FROM stage_times WHERE visit BETWEEN ? AND ?", (first, last)
        ).fetchall()
    return shares_of(rows, workers, wall)


def shares_of(rows: Iterable[tuple[int, float, float]], workers: int, wall: float) -> Shares:
    """The same from (rank, start, seconds) of every step; rank -1 is the master's."""
    steps = list(rows)
    serial = sum(seconds for rank, _, seconds in steps if rank < 0)
    parallel = sum(seconds for rank, _, seconds in steps if rank >= 0)
    busy = _union((start, start + seconds) for _, start, seconds in steps)
    work = parallel / (max(1, workers) * wall)
    sync = max(0.0, 1.0 - busy / wall)
    return Shares(work, serial / wall, sync, max(0.0, 1.0 - work - sync))


def _union(intervals: Iterable[tuple[float, float]]) -> float:
    """The length of what intervals cover together."""
    covered, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        covered += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return covered
