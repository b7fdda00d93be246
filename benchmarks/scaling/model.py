# SPDX-License-Identifier: BSD-3-Clause
"""A run of the harness as a discrete-event simulation: one master, workers, stages, visits in flight.

Every visit in flight has a place in the steps of the schedule (program.py). The master does one thing at
a time: while slices have something to do, for the oldest visit that is ready, else for the one that they can
be released to soonest. A visit executes a step only when the visit before it has.
Workers run released ranks, the oldest visit first, their own ranks in order. Where slices exchange without a
meeting of all, the master looks at a visit whenever one of its slices has arrived, and lets those go on whose
neighbours are as far as they are. All times are in seconds.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import simpy
from jobs import Costs, Durations, Job, Stage, fused
from program import Kind, Step, compile_steps

__all__ = ["Costs", "Durations", "Job", "Outcome", "SliceRun", "Stage", "fused", "simulate"]

SOON, WORTH, SLOWER = 32, 2, 9 / 8
"""As `Feeding` of the harness has them: slices that take less than one part in so many of the master's step
are waited for; a step is put off for slices that take at most so many times as long; a usual time grows so
fast.
"""


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


@dataclass
class _Visit:
    """A visit in flight: its number, its place in the program, ranks of the step that have not arrived."""

    number: int
    slot: int
    place: int = 0
    missing: int = 0
    # Who ran a rank's first step runs the later ones.
    owners: dict[int, int] = field(default_factory=dict)
    # Ranks of the first step that nobody has taken, in order; those taken are dropped when they are met.
    open: list[int] = field(default_factory=list)
    # First and last stage of the step that slices are released to, and the stage whose event is waited for.
    stage: int = -1
    last: int = -1
    expects: int = -1
    released: float = 0.0
    # By rank: the stage that it was asked for last, and whether it has not arrived from it.
    asked: list[int] = field(default_factory=list)
    works: list[bool] = field(default_factory=list)
    # Whether the master has to look who may go on, and of whom alone that can have become true.
    calls: bool = False
    maybe: set[int] = field(default_factory=set)

    @property
    def has_legs(self) -> bool:
        """Whether slices are in a step that exchanges divide."""
        return self.stage != self.last


@dataclass(frozen=True)
class _Pass:
    """Where a worker is among the ranks of a visit: beyond `rank`, or before it on the way back."""

    visit: int
    rank: int
    is_back: bool = False


class _Simulation:
    def __init__(self, job: Job, costs: Costs, durations: Durations, keep: bool) -> None:
        self._job, self._costs, self._durations, self._keep = job, costs, durations, keep
        self._steps = compile_steps(job.stages)
        self._close = len(job.stages)
        # Where one step is divided by exchanges, every arrival of the run rings the master.
        self._rings_always = any(stage.is_ready for stage in job.stages)
        self._received = [job.received(rank) for rank in range(job.ranks)]
        self._neighbours = [job.neighbours(rank) for rank in range(job.ranks)] if self._rings_always else []
        self._env = simpy.Environment()
        self._flight: deque[_Visit] = deque()
        self._begun = 0
        # The visit that was released last in each slot of the run's tables.
        self._slots = [-1] * job.in_flight
        # Per worker: (visit, rank) released to it, in order, and where it is among the ranks.
        self._waiting: list[list[tuple[int, int]]] = [[] for _ in range(job.workers)]
        self._passes: list[_Pass | None] = [None] * job.workers
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
            if visit.calls:
                yield from self._look(visit)
                continue
            step = self._steps[visit.place]
            if seconds := self._master_seconds(step):
                yield env.timeout(seconds)
            self._execute(visit, step)

    def _look(self, visit: _Visit) -> Iterator[simpy.Event]:
        """Lets those of its ranks go on whose neighbours have come as far as they have."""
        visit.calls = False
        yield self._env.timeout(self._costs.look * self._job.ranks)
        before = None if visit is self._flight[0] else self._visit(visit.number - 1)
        maybe, visit.maybe = sorted(visit.maybe), set()
        ready = [rank for rank in maybe if self._may_go_on(visit, before, rank)]
        for rank in ready:
            owner = visit.owners[rank]
            yield self._env.timeout(self._costs.go_on + (self._costs.ring if owner in self._bells else 0.0))
            visit.asked[rank] += 1
            visit.works[rank] = True
            insort(self._waiting[owner], (visit.number, rank))
            if (bell := self._bells.pop(owner, None)) is not None:
                bell.succeed()
        if ready:
            self._call_behind(visit, ready)

    def _may_go_on(self, visit: _Visit, before: _Visit | None, rank: int) -> bool:
        asked = visit.asked[rank]
        if visit.works[rank] or asked == visit.last:
            return False
        # No rank overtakes itself in the visit before.
        if before is not None and before.stage == visit.stage and before.place <= visit.place:
            if before.asked[rank] <= asked:
                return False
        return all(
            visit.asked[other] > asked or (visit.asked[other] == asked and not visit.works[other])
            for other in self._neighbours[rank]
        )

    def _call_behind(self, visit: _Visit, ranks: Iterable[int]) -> None:
        """Ranks of younger visits may have waited for these of this one."""
        for other in self._flight:
            if other.number > visit.number and other.has_legs and other.missing:
                other.calls = True
                other.maybe.update(ranks)

    def _calling(self) -> _Visit | None:
        """The oldest visit with slices that may be able to go on."""
        return next((visit for visit in self._flight if visit.calls), None)

    def _next(self) -> _Visit | None:
        """The visit whose step is due, perhaps a new one; None if there is nothing to do."""
        before: _Visit | None = None
        for visit in self._flight:
            if visit.calls:
                return visit
            if self._is_ready(visit, before):
                # Before a serial half the master looks at all slices.
                if self._is_serial(visit) and (calling := self._calling()) is not None:
                    return calling
                is_found, fed = self._feed(visit)
                return fed if is_found else visit
            before = visit
        return self._begin()

    def _begin(self) -> _Visit | None:
        """A new visit, if one may begin."""
        if self._has_room() and self._begun < self._job.visits:
            slot = (self._flight[-1].slot + 1) % self._job.in_flight if self._flight else 0
            fresh = _Visit(self._begun, slot)
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
        if self._job.in_flight == 1 or not self._is_serial(due):
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

    def _is_serial(self, visit: _Visit) -> bool:
        return self._steps[visit.place].kind in (Kind.PREPROCESS, Kind.POSTPROCESS)

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
            legs = job.stages[step.stage : step.last + 1]
            return sum(costs.gather + (costs.item if leg.hands_over else 0.0) for leg in legs) * job.ranks
        return 0.0

    def _execute(self, visit: _Visit, step: Step) -> None:
        if self._keep:
            self._outcome.executed.append((visit.number, step))
        visit.place += 1
        if self._rings_always:
            self._call_behind(visit, range(self._job.ranks))
        if step.kind in (Kind.RELEASE, Kind.CLOSE):
            self._release(visit, step)
        elif step.kind is Kind.END_VISIT:
            self._flight.popleft()
            self._outcome.ends.append(self._env.now)

    def _ring_master(self) -> None:
        if self._master_bell is not None:
            self._master_bell.succeed()
            self._master_bell = None

    def _release(self, visit: _Visit, step: Step) -> None:
        workers, ranks = self._job.workers, self._job.ranks
        visit.stage, visit.last, visit.missing, visit.released = step.stage, step.last, ranks, self._env.now
        visit.asked, visit.works = [step.stage] * ranks, [True] * ranks
        visit.calls, visit.maybe = False, set()
        self._slots[visit.slot] = visit.number
        if step.stage == 0 and self._job.balanced:
            visit.open = list(range(ranks))
        for rank in range(ranks):
            insort(self._waiting[visit.owners.get(rank, rank % workers)], (visit.number, rank))
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
            start, stage = env.now, visit.asked[rank]
            seconds = costs.step
            if stage != self._close:
                work = self._durations(visit.number, stage, rank)
                self._outcome.work += work
                if visit.number == 0:
                    self._outcome.first_work += work
                passed = self._job.stages[stage]
                received = self._received[rank] if passed.exchanges else 0
                seconds = work + costs.step * passed.length + costs.exchange * received
            yield env.timeout(seconds)
            if self._keep:
                self._outcome.slices.append(SliceRun(number, visit.number, stage, rank, start, env.now))
            if self._arrive(visit, rank):
                yield env.timeout(costs.ring)

    def _arrive(self, visit: _Visit, rank: int) -> bool:
        """Whether it costs the worker the waking of the master, beside what this costs the last of a step."""
        visit.works[rank] = False
        is_last = False
        if visit.asked[rank] == visit.last:
            visit.missing -= 1
            is_last = visit.missing == 0
        if is_last:
            took = self._env.now - visit.released
            self._usual[visit.stage] = min(took, self._usual[visit.stage] * SLOWER)
        elif not self._rings_always:
            return False
        elif visit.has_legs:
            visit.calls = True
            visit.maybe.update((rank, *self._neighbours[rank]))
        slept = self._master_bell is not None
        self._ring_master()
        return slept and not is_last

    def _take(self, worker: int) -> tuple[_Visit, int] | None:
        """The next rank to run: further on among those of the visit where it is, or from the first."""
        found = self._further(worker) or self._from_first(worker)
        if found is None:
            return None
        visit, rank = found
        own = self._waiting[worker]
        if (at := bisect_right(own, (visit.number, rank))) and own[at - 1] == (visit.number, rank):
            del own[at - 1]
        visit.owners[rank] = worker
        return found

    def _further(self, worker: int) -> tuple[_Visit, int] | None:
        """Who goes through the oldest visit does not turn back for a rank that was let go on meanwhile."""
        place = self._passes[worker]
        if place is None or not self._flight or place.visit < self._flight[0].number:
            self._passes[worker] = None
            return None
        visit, own = self._visit(place.visit), self._waiting[worker]
        self._drop_taken(worker)
        if not place.is_back:
            at = bisect_right(own, (visit.number, place.rank))
            if at < len(own) and own[at][0] == visit.number:
                self._passes[worker] = _Pass(visit.number, own[at][1])
                return visit, own[at][1]
            place = _Pass(visit.number, self._job.ranks, True)
        if self._job.balanced:
            mine = [rank for number, rank in own if number == visit.number and rank < place.rank]
            others = self._last_open(visit)
            if mine or others is not None:
                rank = max([*mine[-1:], *([] if others is None else [others])])
                self._passes[worker] = _Pass(visit.number, rank, True)
                return visit, rank
        self._passes[worker] = None
        return None

    def _from_first(self, worker: int) -> tuple[_Visit, int] | None:
        """Of the oldest visit that has any, the worker's own before those of others."""
        self._drop_taken(worker)
        own = self._waiting[worker]
        oldest = own[0][0] if own else self._begun
        found, is_back = None, False
        for visit in self._flight:
            if visit.number >= oldest:
                break
            if (rank := self._last_open(visit)) is not None:
                found, is_back = (visit, rank), True
                break
        if found is None and own:
            found = self._visit(own[0][0]), own[0][1]
        if found is not None and found[0].number == min(self._slots):
            self._passes[worker] = _Pass(found[0].number, found[1], is_back)
        return found

    def _drop_taken(self, worker: int) -> None:
        """What others have taken meanwhile is the worker's no more."""
        if self._job.balanced:
            own = self._waiting[worker]
            own[:] = [one for one in own if self._visit(one[0]).owners.get(one[1], worker) == worker]

    def _last_open(self, visit: _Visit) -> int | None:
        while visit.open:
            if visit.open[-1] not in visit.owners:
                return visit.open[-1]
            visit.open.pop()
        return None

    def _visit(self, number: int) -> _Visit:
        return self._flight[number - self._flight[0].number]
