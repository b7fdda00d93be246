# SPDX-License-Identifier: BSD-3-Clause
"""What is simulated: stages, who exchanges with whom, and what a run costs beside the stages' own work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

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
        step: in a worker, for each rank and stage, beside the stage's work: receiving, publishing, arriving.
        exchange: the same for each slice that a rank receives from before a stage with an exchange.
        master_wake: from the last arrival until the master goes on.
        gather: in the master, for each rank of a step.
        item: in the master, for each rank of a step whose slices hand it something.
        visit: in the master, for each visit: beginning, ending, ledger.
        look: in the master, for each rank of a visit whenever it looks who may go on behind an exchange.
        go_on: in the master, for each rank that it lets go on then.
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
    look: float = 0.0
    go_on: float = 0.0


class Topology(Protocol):
    """Who exchanges with whom, as the harness has it."""

    def receives_from(self, rank: int) -> tuple[int, ...]:
        """The slices whose items arrive in this one."""

    def sends_to(self, rank: int) -> tuple[int, ...]:
        """The slices that this one's items arrive in."""


@dataclass(frozen=True)
class Stage:
    """One stage, or several that slices run on through.

    Attributes:
        before: seconds of its `preprocess` beyond `Costs.serial`; 0 stands for none of its own.
        after: the same of its `postprocess`.
        exchanges: whether slices exchange before it, as the job's topology says.
        event: when the event of a visit (from 0) arrives that the stage waits for; None if it waits for none.
        length: stages that it stands for.
        hands_over: whether every slice hands the master something behind it.
        is_ready: whether a slice begins it when it and its neighbours have ended the stage before, and nobody
            meets the master between the two.
    """

    before: float = 0.0
    after: float = 0.0
    exchanges: bool = False
    event: Callable[[int], float] | None = None
    length: int = 1
    hands_over: bool = False
    is_ready: bool = False

    @property
    def runs_on(self) -> bool:
        """Whether slices may begin it without meeting the master."""
        return self.before == 0 and self.event is None

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
        topology: who exchanges with whom; None if nobody does.
    """

    workers: int
    ranks: int
    stages: tuple[Stage, ...]
    visits: int
    in_flight: int = 1
    balanced: bool = False
    topology: Topology | None = None

    def __post_init__(self) -> None:
        for name in ("workers", "ranks", "visits", "in_flight"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, saw {getattr(self, name)}")
        if not self.stages:
            raise ValueError("stages: expected one or more")
        if self.topology is None and any(stage.exchanges for stage in self.stages):
            raise ValueError("topology: expected one, for a stage exchanges; saw None")
        before = Stage(after=1.0)
        for number, stage in enumerate(self.stages):
            if stage.is_ready and not (stage.exchanges and stage.runs_on and before.after == 0):
                raise ValueError(f"stage {number}: is_ready: expected an exchange, and no part of the master")
            before = stage

    def received(self, rank: int) -> int:
        """From how many slices a rank receives in an exchange."""
        return 0 if self.topology is None else len(self.topology.receives_from(rank))

    def neighbours(self, rank: int) -> list[int]:
        """With whom a rank exchanges, in either direction."""
        if self.topology is None:
            return []
        return sorted({*self.topology.receives_from(rank), *self.topology.sends_to(rank)} - {rank})


def fused(job: Job, durations: Durations) -> tuple[Job, Durations]:
    """The job with parallel-only neighbours made one stage, which takes as long as all of them.

    A group begins with any stage, and goes on while the one before has no `postprocess` and the next has no
    `preprocess`, waits for no event and exchanges nothing. Where an exchange alone divides two groups, the
    second is ready: a slice begins it when its neighbours are as far as it is.
    """
    groups: list[list[int]] = []
    ready: set[int] = set()
    for number, stage in enumerate(job.stages):
        meets = not groups or not stage.runs_on or job.stages[number - 1].after != 0
        if not meets and not stage.exchanges:
            groups[-1].append(number)
            continue
        if not meets:
            ready.add(number)
        groups.append([number])
    stages = tuple(
        replace(job.stages[group[0]], after=job.stages[group[-1]].after, is_ready=group[0] in ready,
                length=sum(job.stages[number].length for number in group),
                hands_over=any(job.stages[number].hands_over for number in group))
        for group in groups
    )  # fmt: skip

    def together(visit: int, stage: int, rank: int) -> float:
        return sum(durations(visit, number, rank) for number in groups[stage])

    return replace(job, stages=stages), together
