# SPDX-License-Identifier: BSD-3-Clause
"""BriefPipeline: a run of some milliseconds, such as a test of stages, that leaves nothing on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.log import Log, LogDestination, open_run_log, set_default_log
from harness.log.foreign import ForeignRecords, follow_levels
from harness.runtime.configuration.telling import tell_configuration
from harness.runtime.halves.run_events import RunEvents
from harness.runtime.logs.run_log import LogSettings
from harness.runtime.pipeline.pipeline import SPIN_NS, Pipeline
from harness.runtime.processes import stacks
from harness.runtime.processes.classes import import_parallel_classes
from harness.runtime.processes.direct import DirectSupervisor
from harness.runtime.records.unrecorded import Unrecorded

if TYPE_CHECKING:
    from harness.runtime.configuration.config import PipelineConfig
    from harness.runtime.shutdown.listener import LevelSource

__all__ = ["HARNESS", "BriefPipeline", "brief_logs"]

HARNESS = "harness"
"""The log of which those that a run itself writes to are children."""


def brief_logs(run_id: str, config: PipelineConfig, collect: Callable[[int], LogDestination]) -> LogSettings:
    """The logs of every rank (-1: the master): of records that `collect(rank)` takes, in whatever process.

    The run itself sends those from WARN on, stages and libraries what passes the policy's `logThreshold`.
    """
    logs = {}
    for rank in range(-1, config.n_slices):
        log = logs[rank] = open_run_log(
            kind="slice" if rank >= 0 else "pipeline",
            rank=rank,
            run_id=run_id,
            pipeline_name=config.pipeline_name,
            threshold=config.log_threshold,
            logdir=None,
            screen_threshold=None,
            others=[collect(rank)],
        )
        log.root.setThresholdFor(HARNESS, max(Log.WARN, config.log_threshold))
    return LogSettings(
        run_id=run_id,
        pipeline_name=config.pipeline_name,
        worker_id="-1",
        threshold=config.log_threshold,
        directory=None,
        ready=logs,
    )


class BriefPipeline(Pipeline):
    """Leaves out what such a run does not need.

    It ends when a worker dies. It has no run directory: neither ledger nor summary, journals, post-mortems
    or log files. Nobody can ask it to end but by a signal, its stages wait for no events, and they are
    imported in this process, which forks the workers.

    Args:
        runId: the run id.
        config: what a policy says.
        logs: where log records go, as `brief_logs` makes it.
        max_visits: how many visits to run.

    Configuration and logs may have been made in another process, of which this one is a fork.
    """

    # Its few waits are long ones, for what others do for the first time.
    _spin_ns = SPIN_NS[0], SPIN_NS[0]
    _look = "at what it has logged and printed last, which comes with the test"

    def __init__(self, runId: str, config: PipelineConfig, logs: LogSettings, max_visits: int) -> None:
        super().__init__(runId, config.path, config.pipeline_name, max_visits=max_visits)
        self._config = config
        self._logs = logs

    def initializeLogger(self) -> None:
        """The logs are there already."""

    def configurePipeline(self) -> None:
        """Maps the arena and forks the workers; then checks every class.

        What this process touches before it forks, it and every worker copy again: so it forks early.
        """
        config = self._require_config()
        self._become_active()
        run = self._map_arena(config)
        self._foreign = ForeignRecords(run.first_at)
        self._foreign.install()
        supervisor = self._supervisor = DirectSupervisor(config)
        if config.n_slices > 0:
            supervisor.start_nursery(
                self._context, run, lambda: import_parallel_classes(config, watched=False)
            )
            stacks.register("master")
            self._start_watcher(config)
            supervisor.start_workers(run)
            self._slices_started = True
        else:
            stacks.register("master")
        log = self._log = self._logs.open_pipeline()
        self._file_log = log
        follow_levels(log.root)
        set_default_log(log.root)
        for warning in config.warnings:
            log.warn(warning)
        tell_configuration(config, self._run_id, log)
        self._take_classes(config, run, supervisor, log)
        self._recorder = Unrecorded()
        self._events = RunEvents(config, self._run_id, log)
        self._events.open(set())

    def startShutdownThread(self, *sources: LevelSource) -> None:
        """Nobody asks such a run to end."""

    def startSlices(self) -> None:
        """They are there already."""

    def write_summary(self) -> None:
        """Nobody reads one."""
