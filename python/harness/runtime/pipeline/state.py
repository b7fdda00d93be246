# SPDX-License-Identifier: BSD-3-Clause
"""What a Pipeline is made of while it lives, and errors for calls that come too early."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness import _core
from harness.errors import InternalError
from harness.ledger.lock import RunLock
from harness.ledger.post_mortem import PostMortems
from harness.log import Log, LogDestination
from harness.log.foreign import ForeignRecords
from harness.runtime.configuration.config import PipelineConfig
from harness.runtime.halves.run_events import RunEvents
from harness.runtime.logs.log_flow import LogFlow
from harness.runtime.logs.run_log import LogSettings
from harness.runtime.processes import stacks
from harness.runtime.processes.last_words import LastWords
from harness.runtime.processes.replacing import limits_ns, stage_names
from harness.runtime.processes.signals import SerialLate
from harness.runtime.processes.supervisor import Supervisor
from harness.runtime.records.recording import Recorder
from harness.runtime.records.statistics import RunStatistics
from harness.runtime.shutdown.control import Master
from harness.runtime.shutdown.listener import ShutdownListener
from harness.runtime.shutdown.listening import EventListener
from harness.runtime.shutdown.stopping import StopRequests

if TYPE_CHECKING:
    from harness.events.log_events import LogPublisher
    from harness.events.watching import WatchSettings
    from harness.ledger.resume import ResumePlan
    from harness.runtime.configuration.schedule import Halves
    from harness.runtime.halves.master import MasterHalf


STACKS_S = 0.3
"""For this process's own, while the hard stop is near."""


class PipelineState:
    """The parts of one run, each there once the step that makes it was called."""

    # The arena, the default log and the adoption of workers are the process's: one open run at a time.
    _active: ClassVar[PipelineState | None] = None

    # Made by `configurePipeline`: what the serial and the parallel halves declare.
    _declared: tuple[Halves, Halves]
    _schedule: _core.Schedule

    # Made by `initializeLogger`.
    _logs: LogSettings
    _file_log: Log

    def __init__(
        self,
        runId: str = "-1",
        pipelinePolicyName: str | os.PathLike[str] | None = None,
        name: str | None = None,
        workerId: str | None = None,
        *,
        workers: int | None = None,
        run_dir: str | os.PathLike[str] | None = None,
        max_visits: int | None = None,
        resume: bool = False,
        resume_anyway: bool = False,
    ) -> None:
        """`resume` continues the last run of the run directory; `resume_anyway` also one of other code."""
        self._pid = os.getpid()
        self._run_id = runId
        self._policy_path = pipelinePolicyName
        self._name = name
        self._worker_id = workerId
        self._workers = workers
        self._run_dir_option = run_dir
        self.max_visits = max_visits
        self._resume = resume or resume_anyway
        self._resume_anyway = resume_anyway
        self._log_dir: str | None = None
        self.honours_local_log_mode = True
        """Whether the policy's `localLogMode` has the log files in the current directory, unless `setLogDir`
        was called."""
        self._log_threshold: int | None = None
        self._destinations: list[LogDestination] = []
        self._screen_threshold: int | None = None
        self._home: Path | None = None
        """The run directory, if the run keeps anything."""
        self._post_mortems: PostMortems | None = None
        self._flow: LogFlow | None = None
        self._foreign: ForeignRecords | None = None
        self.stage_output: str | None = None
        """`"file"` or `"terminal"`: where goes what stages of slices print; `None`: as the policy says."""
        self._config: PipelineConfig | None = None
        self._log: Log | None = None
        self._run: _core.Run | None = None
        self._supervisor: Supervisor | None = None
        self._master: MasterHalf | None = None
        self._lock: RunLock | None = None
        self._last_words: LastWords | None = None
        self._recorder: Recorder | None = None
        self._plan: ResumePlan | None = None
        self._events: RunEvents | None = None
        self._event_source: EventListener | None = None
        self._log_publisher: LogPublisher | None = None
        self._feed_path: Path | None = None
        self._watched: tuple[WatchSettings, str | None, float | None] | None = None
        self._hard_stop: str | None = None
        self._has_watcher = False
        self._event_timeout: int | None = None
        self._slices_started = False
        self._ended = False
        self._stops = StopRequests(
            self._tell, lambda: self._master is not None and self._master.visit > 0, self._late_stage
        )
        self._listener = ShutdownListener(self._stops.ask, self._tell)
        self._here: Master | None = None
        self.statistics: RunStatistics | None = None
        self.on_progress: Callable[[int, str], None] | None = None
        self.started_at = time.monotonic()

    def _late_stage(self) -> BaseException | None:
        """What to raise for a stage of the master that has taken too long; it is told, too."""
        call = self._run.late_call() if self._run is not None else None
        if call is None:
            return None
        visit, number, half = call
        config = self._require_config()
        name = stage_names(config)[number]
        when = f"in visit {visit}" if visit else "before the first visit"
        error = SerialLate(
            f"{name}.{half.name.lower()} of the master has run for more than"
            f" {limits_ns(config)[number] / 1e9:g} s {when} (stageTimeout)"
        )
        try:
            where = stacks.dump(os.getpid(), STACKS_S)
        except stacks.NoStacks as none:
            where = f"no Python stacks: {none}"
        self._tell(f"{error}, and the run ends\n{where}")
        return error

    def _tell(self, text: str) -> None:
        self._require_log().warn(text)

    def _require_config(self) -> PipelineConfig:
        if self._config is None:
            raise InternalError("initializeLogger() must be called first: it reads the policy")
        return self._config

    def _require_home(self) -> tuple[Path, PostMortems]:
        if self._home is None or self._post_mortems is None:
            raise InternalError("initializeLogger() must be called first: it makes the run directory")
        return self._home, self._post_mortems

    def _require_foreign(self) -> ForeignRecords:
        if self._foreign is None:
            raise InternalError("configurePipeline() must be called first: it catches what libraries log")
        return self._foreign

    def _require_log(self) -> Log:
        if self._log is None:
            raise InternalError("initializeLogger() must be called first: it opens the log")
        return self._log

    def _require_run(self) -> _core.Run:
        if self._run is None:
            raise InternalError("configurePipeline() must be called first: it maps the arena")
        return self._run

    def _require_recorder(self) -> Recorder:
        if self._recorder is None:
            raise InternalError("configurePipeline() must be called first: it opens the ledger")
        return self._recorder

    def _require_events(self) -> RunEvents:
        if self._events is None:
            raise InternalError("configurePipeline() must be called first: it opens the receivers")
        return self._events

    def _require_supervisor(self) -> Supervisor:
        if self._supervisor is None:
            raise InternalError("configurePipeline() must be called first")
        return self._supervisor

    def _require_master(self) -> MasterHalf:
        if self._master is None:
            raise InternalError("initializeQueues() must be called first")
        return self._master
