# SPDX-License-Identifier: BSD-3-Clause
"""A run of the harness as a discrete-event simulation: one master, workers, stages, visits in flight.

Every visit in flight has a place in the steps of the schedule (program.py). The master does one thing at
a time: while slices have something to do, for the oldest visit that is ready, else for the one that they can
be released to soonest. A visit executes a step only when the visit before it has.
Workers run released ranks, the oldest visit first, their own ranks in order. All times are in seconds.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import simpy
from program import Kind, Step, compile_steps

Durations = Callable[[int, int, int], float]
"""Seconds that `process` takes in (visit, stage, rank), all from 0."""


SOON, WORTH, SLOWER = 32, 2, 9 / 8
"""As `Feeding` of the harness has them: slices that take less than one part in so many of the master's step
are waited for; a step is put off for slices that take at most so many times as long; a usual time grows so
fast.
"""


@dataclass(frozen=True)
class Costs:
    """What a run costs beside the stages' own work; all are measured by `measure.py`.

    Attributes:
        serial: a serial half that does nothing, before or after the slices: its call, its span.
        release: in the master, for each rank of a step: publishing to it and releasing its cell.
        ring: in the master, for each worker of a step.
        wake: from the ring until a worker that waits has taken its first rank.
        step: in a worker, for each rank and stage, beside the stage's work: receiving, publishing, arriving.
        exchange: the same for each neighbour of a rank in a stage that begins with an exchange.
        master_wake: from the last arrival until the master goes on.
        gather: in the master, for each rank of a step.
        item: in the master, for each rank of a step whose slices hand it something.
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
    item: float = 0.0
    visit: float = 0.0


@dataclass(frozen=True)
class Stage:
    """One stage, or several that slices run on through.

    Attributes:
        before: seconds of its `preprocess` beyond `Costs.serial`; 0 stands for none of its own.
        after: the same of its `postprocess`.
        neighbours: slices that a slice exchanges with before it.
        event: when the event of a visit (from 0) arrives that the stage waits for; None if it waits for none.
        length: stages that it stands for.
        hands_over: whether every slice hands the master something behind it.
    """

    before: float = 0.0
    after: float = 0.0
    neighbours: int = 0
    event: Callable[[int], float] | None = None
    length: int = 1
    hands_over: bool = False

    @property
    def runs_on(self) -> bool:
        """Whether slices may begin it without meeting the master."""
        return self.before == 0 and self.neighbours == 0 and self.event is None

    @property
    def keeps_a_visit(self) -> bool:
        """Whether one serial instance has a visit from `preprocess` to `postprocess`."""
        return self.before > 0 and self.after > 0 and self.length == 1


@dataclass(frozen=True)
class Job:
    """What is run.

    Attributes:
        workers: processes; rank r is worker r modulo `workers`'s.
        ranks: slices.
        stages: in their order.
        visits: how many.
        in_flight: visits in the loop at once, behind the first, which is alone.
        balanced: an idle worker takes a waiting rank of another where a visit begins, and keeps it for the
            visit.
    """

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


@dataclass(frozen=True)
class SliceRun:
    """A rank of a visit at a stage, as a worker ran it; `stage` is the number of stages where it closes."""

    worker: int
    visit: int
    stage: int
    rank: int
    start: float
    end: float


@dataclass
class Outcome:
    """What a simulation found: `wall` seconds, `work` of all slices together, when each visit ended.

    `executed` are the master's steps in their order, (visit, step), and `slices` what workers ran, if they
    were to be kept.
    """

    job: Job
    wall: float = 0.0
    work: float = 0.0
    first_work: float = 0.0
    ends: list[float] = field(default_factory=list)
    executed: list[tuple[int, Step]] = field(default_factory=list)
    slices: list[SliceRun] = field(default_factory=list)

    @property
    def efficiency(self) -> float:
        """Work of the slices over what the workers could have done in the time; of all visits but the first.

        The first is alone, whatever is in flight, and none of another is done before it has ended. A run of
        one visit has nothing but the first.
        """
        if self.job.visits == 1:
            return self.work / (self.job.workers * self.wall)
        return (self.work - self.first_work) / (self.job.workers * (self.wall - self.ends[0]))

    @property
    def seconds_per_visit(self) -> float:
        """Wall time over visits, both without the first."""
        if self.job.visits == 1:
            return self.wall
        return (self.wall - self.ends[0]) / (self.job.visits - 1)


def simulate(job: Job, costs: Costs, durations: Durations, *, keep: bool = False) -> Outcome:
    """Runs a job to its end; with `keep`, the outcome says who did what."""
    return _Simulation(job, costs, durations, keep).run()


def fused(job: Job, durations: Durations) -> tuple[Job, Durations]:
    """The job with parallel-only neighbours made one stage, which takes as long as all of them.

    A group begins with any stage, and goes on while the one before has no `postprocess` and the next has no
    `preprocess`, waits for no event and exchanges nothing.
    """
    groups: list[list[int]] = []
    for number, stage in enumerate(job.stages):
        if groups and stage.runs_on and job.stages[groups[-1][-1]].after == 0:
            groups[-1].append(number)
        else:
            groups.append([number])
    stages = tuple(
        replace(job.stages[group[0]], after=job.stages[group[-1]].after,
                length=sum(job.stages[number].length for number in group),
                hands_over=any(job.stages[number].hands_over for number in group))
        for group in groups
    )  # fmt: skip

    def together(visit: int, stage: int, rank: int) -> float:
        return sum(durations(visit, number, rank) for number in groups[stage])

    return replace(job, stages=stages), together


@dataclass
class _Visit:
    """A visit in flight: its number, its place in the program, ranks of the step that have not arrived."""

    number: int
    place: int = 0
    missing: int = 0
    # Who ran a rank's first step runs the later ones.
    owners: dict[int, int] = field(default_factory=dict)
    # Ranks of the first step that nobody has taken, in order; those taken are dropped when they are met.
    open: list[int] = field(default_factory=list)
    # The stage that slices are released to, and the one whose event is waited for.
    stage: int = -1
    expects: int = -1
    released: float = 0.0


class _Simulation:
    def __init__(self, job: Job, costs: Costs, durations: Durations, keep: bool) -> None:
        self._job, self._costs, self._durations, self._keep = job, costs, durations, keep
        self._steps = compile_steps(job.stages)
        self._close = len(job.stages)
        self._env = simpy.Environment()
        self._flight: deque[_Visit] = deque()
        self._begun = 0
        # Per worker: (visit, rank) released to it, as a heap.
        self._waiting: list[list[tuple[int, int]]] = [[] for _ in range(job.workers)]
        self._bells: dict[int, simpy.Event] = {}
        self._master_bell: simpy.Event | None = None
        # What slices usually take from a release until all have arrived, by stage; unknown, for long.
        self._usual = [math.inf] * (self._close + 1)
        self._outcome = Outcome(job)

    def run(self) -> Outcome:
        done = self._env.process(self._master())
        for worker in range(self._job.workers):
            self._env.process(self._worker(worker))
        self._env.run(done)
        self._outcome.wall = self._env.now
        return self._outcome

    # --- the master

    def _master(self) -> Iterator[simpy.Event]:
        env, outcome = self._env, self._outcome
        while len(outcome.ends) < self._job.visits:
            visit = self._next()
            if visit is None:
                self._master_bell = env.event()
                yield self._master_bell
                yield env.timeout(self._costs.master_wake)
                continue
            step = self._steps[visit.place]
            if seconds := self._master_seconds(step):
                yield env.timeout(seconds)
            self._execute(visit, step)

    def _next(self) -> _Visit | None:
        """The visit whose step is due, perhaps a new one; None if there is nothing to do."""
        before: _Visit | None = None
        for visit in self._flight:
            if self._is_ready(visit, before):
                is_found, fed = self._feed(visit)
                return fed if is_found else visit
            before = visit
        return self._begin()

    def _begin(self) -> _Visit | None:
        """A new visit, if one may begin."""
        if self._has_room() and self._begun < self._job.visits:
            fresh = _Visit(self._begun)
            if self._is_ready(fresh, self._flight[-1] if self._flight else None):
                self._begun += 1
                self._flight.append(fresh)
                return fresh
        return None

    def _has_room(self) -> bool:
        return len(self._flight) < (self._job.in_flight if self._outcome.ends else 1)

    def _feed(self, due: _Visit) -> tuple[bool, _Visit | None]:
        """Whether slices can be given work before the long step that is due, and whose step leads there."""
        step = self._steps[due.place]
        if self._job.in_flight == 1 or step.kind not in (Kind.PREPROCESS, Kind.POSTPROCESS):
            return False, None
        seconds = self._master_seconds(step)
        # To close a visit is no work that a stage waits for.
        working = [visit.stage for visit in self._flight if visit.missing and visit.stage != self._close]
        if any(self._usual[stage] > seconds / SOON for stage in working):
            return False, None
        ways = []
        for index, visit in enumerate(self._flight):
            asked = self._usual[visit.stage] if visit.missing else 0.0
            ways.append((asked, visit.place, index))
        oldest, has_room = self._flight[0], self._has_room()
        makes_room = self._steps[oldest.place].kind in (Kind.CLOSE, Kind.CLOSED, Kind.END_VISIT)
        if self._begun < self._job.visits and (has_room or makes_room):
            ways.append((0.0 if has_room else self._usual[self._close], 0, len(self._flight)))
        nearest = []
        for asked, place, index in ways:
            serial, stage = self._until_release(place)
            if asked + serial < seconds and self._usual[stage] <= seconds * WORTH:
                nearest.append((asked + serial, index))
        for _, index in sorted(nearest):
            if index < len(self._flight):
                visit = self._flight[index]
                if self._is_ready(visit, self._flight[index - 1] if index else None):
                    return True, visit
                if visit.missing:
                    return True, None
            elif (fresh := self._begin()) is not None:
                return True, fresh
            elif not has_room and self._usual[self._close] <= seconds / SOON:
                return True, oldest if self._is_ready(oldest, None) else None
        return False, None

    def _until_release(self, place: int) -> tuple[float, int]:
        """Seconds of the serial halves from a place to the next release, and of which stage that is.

        The seconds are infinite where there is none.
        """
        total = 0.0
        for step in self._steps[place:]:
            if step.kind is Kind.RELEASE:
                return total, step.stage
            if step.kind in (Kind.PREPROCESS, Kind.POSTPROCESS):
                total += self._master_seconds(step)
        return math.inf, self._close

    def _is_ready(self, visit: _Visit, before: _Visit | None) -> bool:
        step = self._steps[visit.place]
        if before is not None and before.place <= max(visit.place, step.after_place):
            return False
        if step.kind in (Kind.PROCESS, Kind.CLOSED):
            return visit.missing == 0
        if step.kind is Kind.WAIT_EVENT:
            arrives = self._job.stages[step.stage].event
            assert arrives is not None
            if (left := arrives(visit.number) - self._env.now) > 0:
                if visit.expects != step.stage:
                    visit.expects = step.stage
                    self._env.process(self._event(left))
                return False
        return True

    def _event(self, left: float) -> Iterator[simpy.Event]:
        yield self._env.timeout(left)
        self._ring_master()

    def _master_seconds(self, step: Step) -> float:
        costs, job = self._costs, self._job
        stage = job.stages[step.stage] if 0 <= step.stage < self._close else Stage()
        if step.kind is Kind.BEGIN_VISIT:
            return costs.visit
        if step.kind is Kind.PREPROCESS:
            return costs.serial + stage.before
        if step.kind is Kind.POSTPROCESS:
            return costs.serial + stage.after
        if step.kind in (Kind.RELEASE, Kind.CLOSE):
            return costs.release * job.ranks + costs.ring * job.workers
        if step.kind is Kind.GATHER:
            return (costs.gather + (costs.item if stage.hands_over else 0.0)) * job.ranks
        return 0.0

    def _execute(self, visit: _Visit, step: Step) -> None:
        if self._keep:
            self._outcome.executed.append((visit.number, step))
        visit.place += 1
        if step.kind in (Kind.RELEASE, Kind.CLOSE):
            self._release(visit, step.stage)
        elif step.kind is Kind.END_VISIT:
            self._flight.popleft()
            self._outcome.ends.append(self._env.now)

    def _ring_master(self) -> None:
        if self._master_bell is not None:
            self._master_bell.succeed()
            self._master_bell = None

    def _release(self, visit: _Visit, stage: int) -> None:
        workers, ranks = self._job.workers, self._job.ranks
        visit.stage, visit.missing, visit.released = stage, ranks, self._env.now
        if stage == 0 and self._job.balanced:
            visit.open = list(range(ranks))
        for rank in range(ranks):
            heapq.heappush(self._waiting[visit.owners.get(rank, rank % workers)], (visit.number, rank))
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
            visit, rank = task
            start, stage = env.now, visit.stage
            seconds = costs.step
            if stage != self._close:
                work = self._durations(visit.number, stage, rank)
                self._outcome.work += work
                if visit.number == 0:
                    self._outcome.first_work += work
                passed = self._job.stages[stage]
                seconds = work + costs.step * passed.length + costs.exchange * passed.neighbours
            yield env.timeout(seconds)
            if self._keep:
                self._outcome.slices.append(SliceRun(number, visit.number, stage, rank, start, env.now))
            visit.missing -= 1
            if visit.missing == 0:
                took = env.now - visit.released
                self._usual[stage] = min(took, self._usual[stage] * SLOWER)
                self._ring_master()

    def _take(self, worker: int) -> tuple[_Visit, int] | None:
        """The next rank to run: of the oldest visit that has any, the worker's own before those of others."""
        own = self._waiting[worker]
        # What others have taken meanwhile is dropped.
        while own and self._visit(own[0][0]).owners.get(own[0][1], worker) != worker:
            heapq.heappop(own)
        oldest = own[0][0] if own else self._begun
        for visit in self._flight:
            if visit.number >= oldest:
                break
            while visit.open:
                rank = visit.open.pop()
                if rank not in visit.owners:
                    visit.owners[rank] = worker
                    return visit, rank
        if not own:
            return None
        number, rank = heapq.heappop(own)
        visit = self._visit(number)
        visit.owners[rank] = worker
        return visit, rank

    def _visit(self, number: int) -> _Visit:
        return self._flight[number - self._flight[0].number]
