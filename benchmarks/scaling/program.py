# SPDX-License-Identifier: BSD-3-Clause
"""The steps that every visit walks through, compiled from the stages as the harness does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol


class Kind(Enum):
    """What a step is; PROCESS and CLOSED wait until all slices have arrived."""

    BEGIN_VISIT = auto()
    WAIT_EVENT = auto()
    PREPROCESS = auto()
    RELEASE = auto()
    PROCESS = auto()
    GATHER = auto()
    POSTPROCESS = auto()
    CLOSE = auto()
    CLOSED = auto()
    END_VISIT = auto()


class StageLike(Protocol):
    """What the schedule wants to know of a stage."""

    @property
    def event(self) -> Callable[[int], float] | None: ...
    @property
    def keeps_a_visit(self) -> bool: ...
    @property
    def is_ready(self) -> bool: ...


@dataclass(frozen=True)
class Step:
    """One step of the program.

    Attributes:
        kind: what it is.
        stage: from 0; the number of stages where slices close, -1 where it belongs to none.
        last: the last stage before slices meet the master again, which exchanges alone divide from `stage`.
        after_place: a visit executes it once the visit before has executed the step at this place, too.
    """

    kind: Kind
    stage: int = -1
    last: int = -1
    after_place: int = -1


def compile_steps(stages: Sequence[StageLike]) -> list[Step]:
    """The steps of a visit, in order."""
    steps = [Step(Kind.BEGIN_VISIT)]
    firsts = [number for number, stage in enumerate(stages) if not stage.is_ready]
    for first, end in zip(firsts, [*firsts[1:], len(stages)], strict=True):
        last = end - 1
        if stages[first].event is not None:
            steps.append(Step(Kind.WAIT_EVENT, first))
        place = len(steps)
        # The instance of a serial half with both methods has one visit at a time.
        until = place + 4 if first == last and stages[first].keeps_a_visit else -1
        steps.append(Step(Kind.PREPROCESS, first, first, until))
        for kind in (Kind.RELEASE, Kind.PROCESS, Kind.GATHER):
            steps.append(Step(kind, first, last))
        steps.append(Step(Kind.POSTPROCESS, last, last))
    # Closing is one step of the harness: a visit is closed before the next one's slices are asked to.
    closes = len(stages)
    steps.append(Step(Kind.CLOSE, closes, closes, len(steps) + 1))
    steps.append(Step(Kind.CLOSED, closes, closes))
    steps.append(Step(Kind.END_VISIT))
    return steps
