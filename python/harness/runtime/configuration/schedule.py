# SPDX-License-Identifier: BSD-3-Clause
"""The schedule of a visit, compiled from the policy and from what the stages declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness import _core
from harness.runtime.configuration.config import PipelineConfig
from harness.runtime.configuration.topology import FOCAL_PLANE, RING, SLICE_LEADERS

LOCKSTEP, FUSED = "lockstep", "fused"


class Declared(NamedTuple):
    """What is known about one half of a stage by its class."""

    independent: bool = False
    stateless: bool = False
    preprocesses: bool = False
    postprocesses: bool = False


Halves = Mapping[int, Declared]
"""By the number of the stage. Stages without such a half are left out."""

NO_HALVES: Halves = {}


def compile_schedule(
    config: PipelineConfig,
    max_visits: int | None = None,
    skips: Sequence[tuple[int, int]] = (),
    *,
    serial: Halves,
    parallel: Halves,
) -> _core.Schedule:
    """The steps of a visit. `max_visits` counts where the policy does not say `oneloop`; `None` is no end.

    `skips` are ranges of visits to leave out, both ends included, ascending. `serial` and `parallel` say what
    the halves declare; for a policy that asks for lockstep of one visit after the other they may be empty.
    """
    kind, why = kind_of(config, serial, parallel)
    meetings = {number: why for number in range(2, len(config.stages) + 1)}
    ready: frozenset[int] = frozenset()
    if kind == FUSED:
        meetings = meeting_points(config, serial)
        ready = config.exchanges - meetings.keys()
    return _core.Schedule(
        [stage.name for stage in config.stages],
        config.n_slices > 0,
        1 if config.one_loop else (max_visits or 0),
        describe_exchanges(config),
        skips,
        {stage.number: stage.event_topic for stage in config.stages if stage.event_topic is not None},
        kind,
        {stage.number for stage in config.stages[1:]} - meetings.keys() - ready,
        meetings,
        config.visits_in_flight,
        _holding(serial),
        set(ready),
        _neighbours(config) if ready else [],
    )


def _neighbours(config: PipelineConfig) -> list[list[int]]:
    """By slice, with whom it exchanges: from whom it takes, and who takes from it."""
    topology, ranks = config.topology, range(config.n_slices)
    assert topology is not None, "who exchanges has somebody to do it with"
    both = [{*topology.receives_from(rank), *topology.sends_to(rank)} for rank in ranks]
    return [sorted(both[rank] - {rank}) for rank in ranks]


def _holding(serial: Halves) -> set[int]:
    """Stages that hold a visit from their preprocess to their postprocess: one instance has both."""
    found = ((number, half) for number, half in serial.items() if number > 0)
    return {number for number, half in found if half.preprocesses and half.postprocesses}


def why_not_balanced(config: PipelineConfig, parallel: Halves) -> str:
    """Why idle workers do not take slices that wait for others; empty if they do."""
    if config.n_workers >= config.n_slices:
        return "there is a worker for every slice"
    for number, declared in sorted(parallel.items()):
        if not declared.stateless:
            stage = "the failure stage" if number < 0 else _stage(config, number)
            return f"{stage} does not declare itself stateless"
    return ""


def kind_of(config: PipelineConfig, serial: Halves, parallel: Halves) -> tuple[str, str]:
    """Which schedule it is, and why."""
    if config.schedule is not None:
        return config.schedule, f"{config.schedule} asked"
    for halves in (serial, parallel):
        for number, declared in sorted(halves.items()):
            if number > 0 and not declared.independent:
                return LOCKSTEP, f"lockstep, for {_stage(config, number)} does not declare itself independent"
    return FUSED, "all stages declare themselves independent"


def meeting_points(config: PipelineConfig, serial: Halves) -> dict[int, str]:
    """Why slices have to meet the master before a stage (from 2), for each of which there is a reason.

    An exchange is none: who takes part waits for its neighbours alone.
    """
    reasons: dict[int, list[str]] = {}
    for stage in config.stages[1:]:
        before, here = serial.get(stage.number - 1), serial.get(stage.number)
        found = []
        if before is not None and before.postprocesses:
            found.append(f"{_stage(config, stage.number - 1)} has a postprocess")
        if stage.event_topic is not None:
            found.append(f"{_stage(config, stage.number)} waits for an event")
        if here is not None and here.preprocesses:
            found.append(f"{_stage(config, stage.number)} has a preprocess")
        if found:
            reasons[stage.number] = found
    return {number: ", ".join(found) for number, found in reasons.items()}


def _stage(config: PipelineConfig, number: int) -> str:
    return f"stage {number} ({config.stages[number - 1].name})"


def describe_exchanges(config: PipelineConfig) -> dict[int, str]:
    """Words for who receives from whom, by the number of each stage that begins with an exchange."""
    topology = config.topology
    if topology is None:
        return {}
    words = {
        RING: f"ring: every slice receives from the {'one before it' if topology.first < 0 else 'next'}",
        SLICE_LEADERS: f"sliceleaders: one of every {topology.first} receives from the others",
        FOCAL_PLANE: f"focalplane: every slice receives from its neighbours on a grid of {topology.first} by"
        f" {topology.second}",
    }
    return {stage: words[topology.kind] for stage in config.exchanges}
