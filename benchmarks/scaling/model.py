# SPDX-License-Identifier: BSD-3-Clause
"""A run of the harness as a discrete-event simulation: one master, workers, stages, visits.

The master does one thing at a time, oldest visit first: begin a visit, a stage's preprocess with the release
of all ranks, gather with postprocess. Workers run released ranks, oldest visit first. A stage, and each rank
of it, holds one visit at a time; a visit begins when all but `in_flight - 1` before it have ended. All times
are in seconds.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import simpy

Durations = Callable[[int, int, int], float]
"""Seconds that `process` takes in (visit, stage, rank), all from 0."""


@dataclass(frozen=True)
class Costs:
    """What a run costs beside the stages' own work; all are measured by `measure.py`.

    Attributes:
        serial: a serial half that does nothing, before or after the slices: its call, its span.
        release: in the master, for each rank of a step: publishing to it and releasing its cell.
        ring: in the master, for each worker of a step.
        wake: from the ring until a worker that waits has taken its first rank.
        step: in a worker, for each rank of a step, beside the stage's work: receiving, publishing, arriving.
        exchange: the same for each neighbour of a rank in a stage that begins with an exchange.
        master_wake: from the last arrival until the master goes on.
        gather: in the master, for each rank of a step.
        visit: in the master, for each visit: beginning, ending, ledger.
    """

    serial: float = 0.0
    release: float = 0.0
    ring: float = 0.0
    wake: float = 0.0
    step: float = 0.0
    exchange: float = 0.0
    master_wake: float = 0.0
    gather: float = 0.0
    visit: float = 0.0


@dataclass(frozen=True)
class Stage:
    """One stage: seconds of its serial halves beyond `Costs.serial`, and neighbours it exchanges with."""

    before: float = 0.0
    after: float = 0.0
    neighbours: int = 0

    @property
    def is_parallel_only(self) -> bool:
        """Whether nothing but the slices has to do with it."""
        return self.before == 0 and self.after == 0 and self.neighbours == 0


@dataclass(frozen=True)
class Job:
    """What is run. Rank r is worker r modulo `workers`'s; with `balanced`, idle workers take others'."""

    workers: int
    ranks: int
    stages: tuple[Stage, ...]
    visits: int
    in_flight: int = 1
    balanced: bool = False

    def __post_init__(self) -> None:
        for name in ("workers", "ranks", "visits", "in_flight"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, saw {getattr(self, name)}")
        if not self.stages:
            raise ValueError("stages: expected one or more")


@dataclass
class Outcome:
    """What a simulation found: `wall` seconds, `work` of all slices together, when each visit ended."""

    job: Job
    wall: float = 0.0
    work: float = 0.0
    ends: list[float] = field(default_factory=list)

    @property
    def efficiency(self) -> float:
        """Work of the slices over what the workers could have done in the time."""
        return self.work / (self.job.workers * self.wall)

    @property
    def seconds_per_visit(self) -> float:
        """Wall time over visits."""
        return self.wall / self.job.visits


def simulate(job: Job, costs: Costs, durations: Durations) -> Outcome:
    """Runs a job to its end."""
    return _Simulation(job, costs, durations).run()


def fused(job: Job, durations: Durations) -> tuple[Job, Durations]:
    """The job with parallel-only neighbours made one stage, which takes as long as all of them."""
    groups: list[list[int]] = []
    for number, stage in enumerate(job.stages):
        # A stage that does nothing in the master may follow; one with a serial half before it starts anew.
        if groups and stage.is_parallel_only and job.stages[groups[-1][-1]].is_parallel_only:
            groups[-1].append(number)
        else:
            groups.append([number])
    stages = tuple(job.stages[group[0]] for group in groups)

    def together(visit: int, stage: int, rank: int) -> float:
        return sum(durations(visit, number, rank) for number in groups[stage])

    return replace(job, stages=stages), together


_BEGIN, _BEFORE, _AFTER = "begin", "before", "after"
_CLOSE = Stage()
"""Slices close their clipboards in a step of their own behind the last stage."""


class _Simulation:
    def __init__(self, job: Job, costs: Costs, durations: Durations) -> None:
        self._job, self._costs, self._durations = job, costs, durations
        self._stages = (*job.stages, _CLOSE)
        self._close = len(job.stages)
        self._env = simpy.Environment()
        self._waiting: list[deque[tuple[int, int, int]]] = [deque() for _ in range(job.workers)]
        self._bells: dict[int, simpy.Event] = {}
        self._ready: list[tuple[int, int, str]] = []
        self._master_bell: simpy.Event | None = None
        self._missing: dict[tuple[int, int], int] = {}
        self._held_until = [-1] * len(self._stages)  # the last visit that has left each stage
        self._wants: dict[int, int] = {}  # visit -> the stage it waits to enter
        self._outcome = Outcome(job)

    def run(self) -> Outcome:
        self._done = self._env.event()
        self._env.process(self._master())
        for worker in range(self._job.workers):
            self._env.process(self._worker(worker))
        for visit in range(min(self._job.in_flight, self._job.visits)):
            self._tell_master(visit, 0, _BEGIN)
        self._env.run(self._done)
        self._outcome.wall = self._env.now
        return self._outcome

    # --- the master

    def _tell_master(self, visit: int, stage: int, what: str) -> None:
        heapq.heappush(self._ready, (visit, stage, what))
        if self._master_bell is not None:
            self._master_bell.succeed()
            self._master_bell = None

    def _master(self) -> Iterator[simpy.Event]:
        env, costs, job = self._env, self._costs, self._job
        while len(self._outcome.ends) < job.visits:
            if not self._ready:
                self._master_bell = env.event()
                yield self._master_bell
                yield env.timeout(costs.master_wake)
                continue
            visit, stage, what = heapq.heappop(self._ready)
            if what == _BEGIN:
                yield env.timeout(costs.visit)
                self._want(visit, 0)
            elif what == _BEFORE:
                own = costs.serial + self._stages[stage].before if stage != self._close else 0.0
                yield env.timeout(own + costs.release * job.ranks + costs.ring * job.workers)
                self._release(visit, stage)
            else:
                own = costs.serial + self._stages[stage].after if stage != self._close else 0.0
                yield env.timeout(own + (costs.gather * job.ranks if stage != self._close else 0.0))
                self._leave(visit, stage)
        self._done.succeed()

    def _want(self, visit: int, stage: int) -> None:
        """A visit wants to enter a stage, which it may once the one before has left it."""
        if self._held_until[stage] == visit - 1:
            self._tell_master(visit, stage, _BEFORE)
        else:
            self._wants[visit] = stage

    def _leave(self, visit: int, stage: int) -> None:
        self._held_until[stage] = visit
        if self._wants.get(visit + 1) == stage:
            del self._wants[visit + 1]
            self._tell_master(visit + 1, stage, _BEFORE)
        if stage != self._close:
            self._want(visit, stage + 1)
            return
        self._outcome.ends.append(self._env.now)
        following = visit + self._job.in_flight
        if following < self._job.visits:
            self._tell_master(following, 0, _BEGIN)

    def _release(self, visit: int, stage: int) -> None:
        self._missing[visit, stage] = self._job.ranks
        for rank in range(self._job.ranks):
            self._waiting[rank % self._job.workers].append((visit, stage, rank))
        bells, self._bells = self._bells, {}
        for bell in bells.values():
            bell.succeed()

    # --- workers

    def _worker(self, number: int) -> Iterator[simpy.Event]:
        env, costs = self._env, self._costs
        while True:
            task = self._take(number)
            if task is None:
                bell = self._bells[number] = env.event()
                yield bell
                yield env.timeout(costs.wake)
                continue
            visit, stage, rank = task
            work = self._durations(visit, stage, rank) if stage != self._close else 0.0
            self._outcome.work += work
            yield env.timeout(work + costs.step + costs.exchange * self._stages[stage].neighbours)
            self._missing[visit, stage] -= 1
            if self._missing[visit, stage] == 0:
                del self._missing[visit, stage]
                self._tell_master(visit, stage, _AFTER)

    def _take(self, number: int) -> tuple[int, int, int] | None:
        """The next rank to run: of the worker's own, else, where it may, of the one that has most left."""
        queue = self._waiting[number]
        if not queue and self._job.balanced:
            queue = max(self._waiting, key=len)
        if not queue:
            return None
        oldest = min(queue, key=lambda task: task[0]) if self._job.in_flight > 1 else queue[0]
        queue.remove(oldest)
        return oldest
