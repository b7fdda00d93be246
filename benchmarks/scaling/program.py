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


@dataclass(frozen=True)
class Step:
    """One step of the program.

    Attributes:
        kind: what it is.
        stage: from 0; the number of stages where slices close, -1 where it belongs to none.
        after_place: a visit executes it once the visit before has executed the step at this place, too.
    """

    kind: Kind
    stage: int = -1
    after_place: int = -1


def compile_steps(stages: Sequence[StageLike]) -> list[Step]:
    """The steps of a visit, in order."""
    steps = [Step(Kind.BEGIN_VISIT)]
    for number, stage in enumerate(stages):
        if stage.event is not None:
            steps.append(Step(Kind.WAIT_EVENT, number))
        place = len(steps)
        # The instance of a serial half with both methods has one visit at a time.
        until = place + 4 if stage.keeps_a_visit else -1
        steps.append(Step(Kind.PREPROCESS, number, until))
        for kind in (Kind.RELEASE, Kind.PROCESS, Kind.GATHER, Kind.POSTPROCESS):
            steps.append(Step(kind, number))
    # Closing is one step of the harness: a visit is closed before the next one's slices are asked to.
    steps.append(Step(Kind.CLOSE, len(stages), len(steps) + 1))
    steps.append(Step(Kind.CLOSED, len(stages)))
    steps.append(Step(Kind.END_VISIT))
    return steps
