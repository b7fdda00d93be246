# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness run --explain`: how processes start, the schedule of a visit, and what is read ahead of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.cli.output import write
from harness.errors import HarnessError
from harness.exceptions import Exception as LsstException

if TYPE_CHECKING:
    from harness.runtime.configuration.config import PipelineConfig
    from harness.runtime.configuration.schedule import Halves


STARTS = {
    "auto": "the nursery is forked, or started by exec beside threads or an open GPU device of the master;"
    " workers are forked from it, or started by exec each where importing the stages leaves such in it",
    "fork": "nursery and workers are forked, whatever threads there are",
    "exec": "the nursery is started by exec; workers are forked from it, or started by exec each where"
    " importing the stages leaves threads or an open GPU device in it",
}
"""What the values of startMethod mean."""


def explain(policy: str, workers: int | None) -> int:
    """Prints the schedule of a policy; imports serial halves, and parallel ones where it depends on them."""
    from harness.runtime.configuration.config import load_config
    from harness.runtime.configuration.schedule import LOCKSTEP, NO_HALVES, compile_schedule
    from harness.runtime.processes.classes import import_parallel_classes, import_serial_classes

    try:
        config = load_config(policy, workers=workers)
        halves = import_serial_classes(config)
        serial, parallel = NO_HALVES, NO_HALVES
        if config.schedule != LOCKSTEP or config.n_workers < config.n_slices or config.visits_in_flight > 1:
            serial, parallel = halves, import_parallel_classes(config)[1]
        schedule = compile_schedule(config, serial=serial, parallel=parallel)
    except (HarnessError, LsstException) as error:
        print(f"pex-harness run: {error}", file=sys.stderr)
        return 2
    size = f"{config.arena_bytes / 2**20:.0f} MiB"
    head = f"{config.n_slices} slices on {config.n_workers} workers, arena {size}"
    if config.n_slices > 0:
        head += f"\nstartMethod {config.start_method}: {STARTS[config.start_method]}"
    numbers = {stage.number for stage in config.stages}
    told = schedule.explain(
        numbers - {number for number, half in halves.items() if half.preprocesses},
        numbers - {number for number, half in halves.items() if half.postprocesses},
    )
    steps = told + "".join(_workers(config, parallel))
    write("\n".join([head, steps, *_reading_ahead(config)]))
    return 0


def _workers(config: PipelineConfig, parallel: Halves) -> Iterator[str]:
    """Lines on which worker runs which slices, and where."""
    from harness.runtime.configuration.schedule import why_not_balanced
    from harness.runtime.processes.cores import describe_places

    if config.n_slices == 0:
        return
    why_not = why_not_balanced(config, parallel)
    if why_not:
        yield f"every slice is with its worker: {why_not}\n"
    else:
        yield "idle workers take slices that wait: all parallel halves declare themselves stateless\n"
    for line in describe_places(config.n_workers, config.pin_workers):
        yield f"{line}\n"


def _reading_ahead(config: PipelineConfig) -> Iterator[str]:
    """A line for each stage that reads files of the next visits, and by what it knows them."""
    from harness.runtime.configuration.config import reads_ahead

    topics = set()
    for stage in config.stages:
        if stage.event_topic is not None:
            topics.add(stage.event_topic)
        ahead = reads_ahead(stage.policy)
        if ahead and stage.policy is not None:
            from harness.iostage.foresight import words_for_foresight

            visits = f"{ahead} visit{'' if ahead == 1 else 's'}"
            yield (
                f"stage {stage.number} ({stage.name}) reads files up to {visits} ahead while stages compute,"
                f" {words_for_foresight(stage.policy, topics)}"
            )
