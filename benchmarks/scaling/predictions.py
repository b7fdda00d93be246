# SPDX-License-Identifier: BSD-3-Clause
"""What is predicted: the efficiency of several kinds of work in several ways to schedule a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from distributions import stragglers
from model import Costs, Durations, Job, Stage, fused, simulate
from topologies import topology

STAGES, RANKS_PER_WORKER, FOCAL_PLANE = 4, 4, 189
"""Stages of a visit; ranks a worker; CCDs of a large camera."""
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
VISITS = 20
VARIATION = 0.3
"""Standard deviation of a stage's time over its mean, stragglers aside."""


@dataclass(frozen=True)
class Mode:
    """How a run is scheduled: `head` is what its policy says, `needs` the key that this version must know.

    With an `exchange`, the name of a topology, slices exchange before every stage but the first.
    """

    label: str
    is_fused: bool = False
    in_flight: int = 1
    balanced: bool = False
    exchange: str = ""

    @property
    def needs(self) -> str:
        """The key that pipeline policies must know."""
        return "visitsInFlight" if self.in_flight > 1 else ""

    @property
    def head(self) -> str:
        """What the policy of such a run says; whether slices may be taken is for the stages to say."""
        text = f'schedule: "{"fused" if self.is_fused else "lockstep"}"\n'
        return text + (f"visitsInFlight: {self.in_flight}\n" if self.in_flight > 1 else "")


MODES = {
    "lockstep": Mode("lockstep"),
    "balanced": Mode("balanced", balanced=True),
    "fused": Mode("fused", is_fused=True),
    "loose": Mode("fused, balanced", is_fused=True, balanced=True),
    "flight2": Mode("2 visits in flight", in_flight=2),
    "flight3": Mode("3 visits in flight", in_flight=3),
    "flight4": Mode("4 visits in flight", in_flight=4),
    "fused2": Mode("fused, 2 in flight", True, 2),
    "fused3": Mode("fused, 3 in flight", True, 3),
    "all": Mode("fused, balanced, 3 in flight", True, 3, True),
    "meeting": Mode("ring, lockstep", exchange="ring"),
    "ring": Mode("ring, fused", True, exchange="ring"),
    "plane": Mode("focal plane, fused", True, exchange="focalplane"),
    "leaders": Mode("slice leaders, fused", True, exchange="sliceleaders"),
    "ring2": Mode("ring, fused, 2 in flight", True, 2, exchange="ring"),
}


@dataclass(frozen=True)
class Case:
    """Work of one kind.

    Attributes:
        label: for people.
        mean: seconds that a stage takes on a slice.
        slow: the share of slices that take `factor` times as long as the others.
        factor: see `slow`.
        serial: seconds in the master before the slices of a visit, and the same behind them, over the
            seconds that a worker has to do for the visit.
        ranks: how many; None for `RANKS_PER_WORKER` times the workers.
    """

    label: str
    mean: float
    slow: float = 0.0
    factor: float = 1.0
    serial: float = 0.0
    ranks: int | None = None

    def work(self, workers: int, visits: int) -> tuple[Job, Durations]:
        """Such a job for so many workers, in lockstep, and how long its slices take.

        Slices hand the master something behind the last stage.
        """
        ranks = self.ranks or RANKS_PER_WORKER * workers
        own = self.serial * self.mean * STAGES * ranks / workers
        stages = (Stage(before=own), *[Stage()] * (STAGES - 2), Stage(after=own, hands_over=True))
        shape = (visits, STAGES, ranks)
        times = stragglers(self.mean, VARIATION, self.slow, self.factor, shape)
        return Job(workers, ranks, stages, visits), times


CASES = {
    "short": Case("1 ms a stage", 0.001),
    "middle": Case("10 ms a stage", 0.01),
    "long": Case("100 ms a stage", 0.1),
    "stragglers": Case("100 ms, 2 % of them 5 times as long", 0.1, 0.02, 5.0),
    "serial": Case("100 ms, the master 5 % before and 5 % behind", 0.1, serial=0.05),
    "camera": Case("189 ranks, 100 ms, stragglers, master 1 % and 1 %", 0.1, 0.02, 5.0, 0.01, FOCAL_PLANE),
}


def scheduled(mode: Mode, job: Job, durations: Durations) -> tuple[Job, Durations]:
    """A job in lockstep of one visit after the other, as the mode has it.

    Before an exchange every slice hands the master what it offers.
    """
    job = replace(job, in_flight=mode.in_flight, balanced=mode.balanced)
    if mode.exchange:
        stages = [
            replace(stage, exchanges=number > 0, hands_over=stage.hands_over or number + 1 < len(job.stages))
            for number, stage in enumerate(job.stages)
        ]
        job = replace(job, stages=tuple(stages), topology=topology(mode.exchange, job.ranks))
    return fused(job, durations) if mode.is_fused else (job, durations)


def efficiency(mode: Mode, case: Case, workers: int, costs: Costs, visits: int = VISITS) -> float:
    """Of a run: its slices' own work over what the workers could have done in the time."""
    job, durations = case.work(workers, visits)
    job, durations = scheduled(mode, job, durations)
    return simulate(job, costs, durations).efficiency


def over_workers(costs: Costs, most: int) -> Iterator[dict[str, Any]]:
    """A row for each mode, case and number of workers."""
    for name, case in CASES.items():
        for workers in WORKERS:
            if workers > min(most, case.ranks or most):
                continue
            for key, mode in MODES.items():
                found = efficiency(mode, case, workers, costs)
                yield {"case": name, "mode": key, "workers": workers, "efficiency": found}


SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Of a visit in the master before the slices, and the same behind them."""
FLIGHTS = (1, 2, 3, 4, 6)
SHARED_BY = 16
"""Workers that the master has in the table over its share."""


def over_visits_in_flight(costs: Costs, workers: int = SHARED_BY) -> Iterator[dict[str, Any]]:
    """A row for each share of the master, schedule and number of visits in flight; with stragglers."""
    for share in SHARES:
        case = replace(CASES["stragglers"], serial=share)
        for is_fused in (False, True):
            for in_flight in FLIGHTS:
                found = efficiency(Mode("", is_fused, in_flight), case, workers, costs)
                yield {"share": share, "is_fused": is_fused, "in_flight": in_flight, "workers": workers,
                       "efficiency": found}  # fmt: skip


def enough(found: Sequence[tuple[int, float]], within: float = 0.02) -> int:
    """The least number in flight whose efficiency is within so much of the best."""
    best = max(value for _, value in found)
    return min(number for number, value in found if value >= best - within)
