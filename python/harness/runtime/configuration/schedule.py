# SPDX-License-Identifier: BSD-3-Clause
"""The schedule of a visit, compiled from the policy before anything is mapped or forked."""

from __future__ import annotations

from collections.abc import Sequence

from harness import _core
from harness.runtime.configuration.config import PipelineConfig
from harness.runtime.configuration.topology import FOCAL_PLANE, RING, SLICE_LEADERS


def compile_schedule(
    config: PipelineConfig, max_visits: int | None = None, skips: Sequence[tuple[int, int]] = ()
) -> _core.Schedule:
    """The steps of a visit. `max_visits` counts where the policy does not say `oneloop`; `None` is no end.

    `skips` are ranges of visits to leave out, both ends included, ascending.
    """
    return _core.Schedule(
        [stage.name for stage in config.stages],
        config.n_slices > 0,
        1 if config.one_loop else (max_visits or 0),
        describe_exchanges(config),
        skips,
        {stage.number: stage.event_topic for stage in config.stages if stage.event_topic is not None},
    )


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
