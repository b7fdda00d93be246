# SPDX-License-Identifier: BSD-3-Clause
"""What the log of a run says about its configuration (contract 5.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.log.levels import DEBUG, TRACE, VERB2, VERB3

if TYPE_CHECKING:
    from harness.log import Log
    from harness.runtime.configuration.config import PipelineConfig


def tell_configuration(config: PipelineConfig, run_id: str, log: Log) -> None:
    """Logs sizes at TRACE, stages and broker at VERB2, topics at VERB3, and at DEBUG who waits for none."""
    log.log(
        TRACE,
        f"universeSize {config.n_slices + 1}, run {run_id}, workers {config.n_workers}",
        {"universeSize": config.n_slices + 1},
    )
    delay = config.merged_policy.getDouble("barrierDelay")
    log.log(
        VERB2,
        f"{len(config.stages)} stages; event broker {config.event_broker};"
        f" barrierDelay {delay:g}, without effect: nothing is polled",
    )
    for stage in config.stages:
        log.log(VERB2, f"stage {stage.number} {stage.name}: {stage.serial_class} / {stage.parallel_class}")
    if config.failure is not None:
        failure = config.failure
        log.log(VERB2, f"failure stage {failure.name}: {failure.serial_class} / {failure.parallel_class}")
    for stage in config.stages:
        topic = stage.event_topic
        waits = f"waits for events of topic {topic!r}" if topic else "waits for no event"
        log.log(VERB3 if topic else DEBUG, f"stage {stage.number} {stage.name} {waits}")
