# SPDX-License-Identifier: BSD-3-Clause
"""The Slice as an object: the parallel halves of one rank in the calling process, without a Pipeline."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness import _core, current
from harness.clipboard import Clipboard
from harness.errors import ConfigError, InternalError
from harness.log import Log, open_run_log, set_default_log
from harness.log.levels import WARN
from harness.runtime.configuration.config import PipelineConfig, load_config
from harness.runtime.configuration.places import (
    default_run_dir,
    log_directory,
    make_directory,
    set_location_map,
)
from harness.runtime.halves.run_events import broker_of
from harness.runtime.halves.slice import SliceHalf
from harness.runtime.pipeline.state import PipelineState
from harness.runtime.processes.classes import import_parallel_classes

if TYPE_CHECKING:
    from harness.log.timing import BlockTimingLog

ARENA_BYTES = 16 << 20
"""Nothing crosses: the arena holds the bookkeeping of a run only."""


class LoneHalf(SliceHalf):
    """A slice whose marked items go to nobody."""

    def _publish(self, number: int, clipboard: Clipboard) -> None:
        """Nobody is there to receive and to release what would be published."""


class Slice:
    """The parallel halves of a pipeline policy for one rank (contract 5.8), run here and now.

    In a run, slices are made by the Pipeline, in processes of its own. This one is for programs that want a
    rank by itself: it passes the synchronisation points without meeting anybody, what stages mark as
    shareable goes nowhere, and nothing comes from a master. Policies whose stages wait for events or
    exchange are refused, for what their stages need comes from others. Errors, failure stage, logs, visits
    and `noMoreDatasets` are those of a slice in a run.

    Call, in this order: `initializeLogger`, `configureSlice`, `initializeQueues`, `initializeStages`,
    `startStagesLoop`, and `shutdown` whatever happens. One at a time in a process, and none beside an open
    Pipeline.
    """

    def __init__(
        self,
        runId: str = "TEST",
        pipelinePolicyName: str | os.PathLike[str] | None = None,
        name: str | None = "unnamed",
        rank: int = -1,
        workerId: str | None = None,
        *,
        max_visits: int | None = None,
    ) -> None:
        """`rank` is 0 or more when `configureSlice` is called; `max_visits` bounds the loop."""
        self._run_id = runId
        self._policy_path = pipelinePolicyName
        self._name = name
        self._rank = rank
        self._worker_id = workerId
        self._max_visits = max_visits
        self._universe: int | None = None
        self._log_dir: str | None = None
        self._threshold: int | None = None
        self._config: PipelineConfig | None = None
        self._log: BlockTimingLog | None = None
        self._half: LoneHalf | None = None
        self.visits = 0
        """How many visits were begun."""

    def getRun(self) -> str:
        """The run id."""
        return self._run_id

    def setRun(self, runId: str) -> None:
        """Sets the run id, before `initializeLogger`."""
        self._run_id = runId

    def getRank(self) -> int:
        """The rank."""
        return self._rank

    def setUniverseSize(self, n: int) -> None:
        """Sets what stages are told as universeSize, before `configureSlice`; by default nSlices + 1."""
        self._universe = n

    def getLogThreshold(self) -> int:
        """The threshold of the log: what was set, else the policy's, else -1."""
        if self._threshold is not None:
            return self._threshold
        return self._config.log_threshold if self._config is not None else -1

    def setLogThreshold(self, threshold: int) -> None:
        """Sets the threshold of the log; beats the policy's `logThreshold`."""
        self._threshold = threshold
        if self._log is not None:
            self._log.setThreshold(threshold)
            self._log.info(f"threshold set to {threshold}")

    def setLogDir(self, logdir: str | None) -> None:
        """Sets the directory of the log file; `None` or `"None"` means the current directory."""
        self._log_dir = logdir if logdir not in (None, "None") else "."

    def initializeLogger(self) -> None:
        """Reads the policy and opens `Slice<rank>.log`. Raises `ConfigError`, `IoError`, a policy's own."""
        config = load_config(self._policy_path, pipeline_name=self._name)
        run_dir = default_run_dir(config, self._run_id)
        directory = log_directory(config, run_dir, self._log_dir, honours_local=True)
        make_directory(directory)
        self._config = config._replace(event_broker=broker_of(config, run_dir))
        self._log = open_run_log(
            kind="slice", rank=self._rank, run_id=self._run_id, pipeline_name=config.pipeline_name,
            workerid=self._worker_id or "-1", threshold=self.getLogThreshold(), logdir=directory,
            screen_threshold=WARN, layout=config.log_format, flood=config.log_flood,
        )  # fmt: skip
        for warning in config.warnings:
            self._log.warn(warning)

    def configureSlice(self) -> None:
        """Checks rank and universe, sets the location map, imports the classes. Raises `ConfigError`."""
        config, log = self._require_config(), self._require_log()
        if PipelineState._active is not None:
            raise ConfigError("a pipeline is open in this process: close() it first")
        universe = self._universe if self._universe is not None else config.n_slices + 1
        if not 0 <= self._rank < universe - 1:
            raise ConfigError(
                f"Slice: expected a rank from 0 and below {universe - 1} (the universe of {universe} has the"
                f" Pipeline, too), saw {self._rank}; give another rank, or call setUniverseSize"
            )
        self._refuse_what_others_give(config)
        self._config = config._replace(n_slices=universe - 1)
        log.log(-1, f"universeSize {universe}, run {self._run_id}, rank {self._rank}")
        set_default_log(log.root)
        set_location_map(config, self._run_id)
        for complaint in import_parallel_classes(config)[0]:
            log.log(-2, complaint)

    def _refuse_what_others_give(self, config: PipelineConfig) -> None:
        for stage in config.stages:
            if stage.event_topic is not None or stage.number in config.exchanges:
                what = "exchanges with neighbours" if stage.event_topic is None else "waits for an event"
                raise ConfigError(
                    f"{config.path}: {stage.where}: stage {stage.name!r} {what}, and a Slice without a"
                    " Pipeline gets nothing from others; run the policy with a Pipeline"
                )

    def initializeQueues(self) -> None:
        """Makes the queues between the stages."""
        config, log = self._require_config(), self._require_log()
        run = _core.Run(ARENA_BYTES, config.n_slices, config.n_slices, len(config.stages), [])
        run.attach_master()
        self._half = LoneHalf(run, config, self._run_id, self._rank, log)

    def initializeStages(self) -> None:
        """Creates the parallel halves; their `setup()` runs. Raises `StageFailed`."""
        half = self._require_half()
        current.work_for(half)
        half.set_up()

    def startStagesLoop(self) -> None:
        """Runs visits: one for `oneloop`, else until `noMoreDatasets`, or `max_visits` are done.

        What a stage raises is contained as in a run. Raises `StageFailed` when the failure stage raises, and
        lets `SystemExit` and `KeyboardInterrupt` through.
        """
        half, config = self._require_half(), self._require_config()
        most = 1 if config.one_loop else self._max_visits
        more = True
        while more and (most is None or self.visits < most):
            self.visits += 1
            more = self._run_visit(half)
        reason = "no more datasets" if not more else "one loop done" if config.one_loop else "visits done"
        self._require_log().info(f"the loop has ended after {self.visits} visits: {reason}")

    def _run_visit(self, half: LoneHalf) -> bool:
        """Whether another visit follows."""
        last = len(half.stages)
        for number in range(1, last + 1):
            if half.run_step(self.visits, number) == _core.OUTCOME_NO_MORE:
                half.end_visit()
                return False
        half.end_visit()
        return True

    def shutdown(self) -> None:
        """Calls `shutdown()` of every stage, and gives the process its log back. May be called twice."""
        half, self._half = self._half, None
        if half is not None:
            half.empty_queues()
            half.shut_down()
            current.work_for(None)
        if self._log is not None:
            set_default_log(None)

    def _require_config(self) -> PipelineConfig:
        if self._config is None:
            raise InternalError("initializeLogger() must be called first")
        return self._config

    def _require_log(self) -> Log:
        if self._log is None:
            raise InternalError("initializeLogger() must be called first")
        return self._log

    def _require_half(self) -> LoneHalf:
        if self._half is None:
            raise InternalError("initializeQueues() must be called first")
        return self._half
