# SPDX-License-Identifier: BSD-3-Clause
"""The Pipeline: sets a run up in the order of the contract (5.1), runs its visits, and ends it.

Order matters: the policy is read and the arena mapped before the nursery is forked, and the nursery is
forked before this process imports any stage (with NumPy and its threads) or starts the watcher.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness import _core, arrays, current, outputs
from harness.errors import ConfigError, HarnessError, InternalError, SliceDied, StageFailed
from harness.events.feed import read_feed
from harness.events.hosts import is_embedded, spool_directory
from harness.ledger.journals import MASTER, journal_path
from harness.ledger.lock import RunLock
from harness.ledger.post_mortem import PostMortems
from harness.log import Log, LogDestination, set_default_log
from harness.log.foreign import follow_levels
from harness.runtime import stacks
from harness.runtime.classes import import_parallel_classes, import_serial_classes
from harness.runtime.config import PipelineConfig, load_config
from harness.runtime.control import ControlSocket, Master, announce, runs, withdraw
from harness.runtime.listening import EventListener
from harness.runtime.log_flow import LogFlow
from harness.runtime.places import default_run_dir, make_directory, set_location_map
from harness.runtime.post_mortems import write_after_death
from harness.runtime.recording import Recorder
from harness.runtime.replacing import Replacing, limits_ns
from harness.runtime.run_events import RunEvents, broker_of
from harness.runtime.run_log import LogSettings
from harness.runtime.run_records import EXIT_SLICES_LOST, LOST, describe_plan, exit_code_of, open_ledger
from harness.runtime.schedule import compile_schedule
from harness.runtime.shutdown import LevelSource, ShutdownListener
from harness.runtime.signals import StoppedAtOnce, raising_signals
from harness.runtime.slice_threads import NOBODY, SliceThread
from harness.runtime.stage_output import output_tail
from harness.runtime.statistics import RunStatistics
from harness.runtime.stopping import StopRequests
from harness.runtime.supervisor import Supervisor
from harness.runtime.worker import RunContext

if TYPE_CHECKING:
    from harness.runtime.master import MasterHalf

SPIN_NS = 50_000, 1_000_000
"""How long a process yields before it sleeps: where waits are long as a rule, and where they are short."""
HARD_STOP_NS = 700_000_000
BIRTHS = ("births_shared", "births_refused", "births_refused_bytes")


class Pipeline:
    """One run of a pipeline policy: the embedding API of the contract (5.8).

    Call, in this order: `initializeLogger`, `configurePipeline`, `initializeQueues`, `initializeStages`,
    `startShutdownThread`, `startSlices`, `startStagesLoop`; or just `run`. After a failure call `close`.
    """

    # The arena, the default log and the adoption of workers are the process's: one open run at a time.
    _active: ClassVar[Pipeline | None] = None

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
        self._log_threshold: int | None = None
        self._destinations: list[LogDestination] = []
        self._flow: LogFlow | None = None
        self.stage_output: str | None = None
        """`"file"` or `"terminal"`: where goes what stages of slices print; `None`: as the policy says."""
        self._config: PipelineConfig | None = None
        self._log: Log | None = None
        self._run: _core.Run | None = None
        self._supervisor: Supervisor | None = None
        self._master: MasterHalf | None = None
        self._lock: RunLock | None = None
        self._recorder: Recorder | None = None
        self._events: RunEvents | None = None
        self._event_source: EventListener | None = None
        self._feed_path: Path | None = None
        self._hard_stop = False
        self._event_timeout: int | None = None
        self._slices_started = False
        self._ended = False
        self._stops = StopRequests(self._tell, lambda: self._master is not None and self._master.visit > 0)
        self._listener = ShutdownListener(self._stops.request, self._tell)
        self._here: Master | None = None
        self.statistics: RunStatistics | None = None
        self.on_progress: Callable[[int, str], None] | None = None
        self.started_at = time.monotonic()

    # --- settings, before configurePipeline

    def getRun(self) -> str:
        """The run id."""
        return self._run_id

    def setRun(self, runId: str) -> None:
        """Sets the run id."""
        self._run_id = runId

    def getLogThreshold(self) -> int:
        """The threshold of the root log."""
        if self._log_threshold is not None:
            return self._log_threshold
        if self._config is not None:
            return self._config.log_threshold
        return -1

    def setLogThreshold(self, threshold: int) -> None:
        """Sets the threshold of the root log; beats the policy's `logThreshold`."""
        self._log_threshold = threshold
        if self._log is not None:
            self._log.setThreshold(threshold)
            self._log.info(f"threshold set to {threshold}")

    def add_log_destination(self, destination: LogDestination) -> None:
        """Sends the master's records there too, except the one on how the run failed: that is raised."""
        self._destinations.append(destination)

    def setLogDir(self, logdir: str | None) -> None:
        """Sets the directory of the log files; `None` or `"None"` means the current directory."""
        self._log_dir = logdir if logdir not in (None, "None") else "."

    def getShutdownTopic(self) -> str:
        """The topic of shutdown events."""
        return self._require_config().shutdown_topic

    def getEventBrokerHost(self) -> str | None:
        """The event broker's host, or `None`."""
        return self._require_config().event_broker

    def setEventTimeout(self, timeout: int) -> None:
        """Sets how often, about once a second, a stage looks for its event; beats the policy."""
        self._event_timeout = timeout

    def getEventTimeout(self) -> int:
        """How often a stage looks for its event before the run ends."""
        asked = self._event_timeout
        return asked if asked is not None else self._require_config().event_timeout

    def getSliceThreadList(self) -> list[SliceThread]:
        """The slices in the order of their ranks; none before `startSlices`."""
        config, run = self._require_config(), self._require_run()

        def slice_thread(rank: int) -> SliceThread:
            def find() -> int:
                pid = run.worker_pids()[rank % config.n_workers]
                return pid if pid or Pipeline._active is self else NOBODY

            return SliceThread(rank, find, runs)

        return [slice_thread(rank) for rank in range(config.n_slices if self._slices_started else 0)]

    def feed_events(self, path: str | os.PathLike[str]) -> None:
        """Has the run publish the events of a file to itself, one per line, and end when none is left."""
        self._feed_path = Path(path)

    def allow_hard_stop(self) -> None:
        """Lets a signal end the whole process when stage code does not yield in time. For command lines."""
        self._hard_stop = True

    @property
    def run_dir(self) -> Path:
        """The run directory: what the caller gave, else the policy's default, else `./<run id>`."""
        if self._run_dir_option is not None:
            return Path(self._run_dir_option)
        return default_run_dir(self._require_config(), self._run_id)

    @property
    def log_file(self) -> Path | None:
        """The master's log file, once it is open."""
        return self._logs.directory / "Pipeline.log" if self._log is not None else None

    # --- start-up, in order

    def initializeLogger(self) -> None:
        """Reads the policy, makes the run directory, opens the log."""
        config = self._config = load_config(
            self._policy_path, pipeline_name=self._name, workers=self._workers
        )
        directory = Path(self._log_dir) if self._log_dir is not None else self.run_dir / "log"
        for folder in (self.run_dir, directory):
            make_directory(folder)
        self._unlock()
        self._lock = RunLock(self.run_dir)
        # Stage code may change the current directory.
        self._home = self.run_dir.absolute()
        self._post_mortems = PostMortems(self._home, directory)
        self._config = config = replace(config, event_broker=broker_of(config, self.run_dir))
        self._logs = LogSettings(
            run_id=self._run_id,
            pipeline_name=config.pipeline_name,
            worker_id=self._worker_id or "-1",
            threshold=self.getLogThreshold(),
            directory=directory,
            truncate=not self._resume,
            flood=config.log_flood,
            layout=config.log_format,
            captures_output=(self.stage_output or config.stage_output) == "file",
        )
        self._log = self._logs.open_pipeline()
        if self._logs.truncate:
            self._logs.empty_slice_files(config.n_slices, config.n_workers)
        follow_levels(self._log.root)
        self._file_log = Log(self._log)
        for destination in self._destinations:
            self._log.addDestination(destination)
            self._log.root.addDestination(destination)
        set_default_log(self._log.root)
        self._log.info(
            f"process {os.getpid()}, threshold {self._logs.threshold}, log file {directory / 'Pipeline.log'}"
        )
        for warning in config.warnings:
            self._log.warn(warning)

    def configurePipeline(self) -> None:
        """Maps the arena, forks the nursery, sets the location map, checks every class."""
        config, log = self._require_config(), self._require_log()
        if Pipeline._active is not None:
            raise ConfigError("another pipeline is open in this process: close() it first")
        Pipeline._active = self
        self._here = Master.here(self._run_id)
        announce(self.run_dir, self._here)
        stacks.register("master")
        log.log(-1, f"universeSize {config.n_slices + 1}, run {self._run_id}, workers {config.n_workers}")
        for stage in config.stages:
            log.log(-2, f"stage {stage.number} {stage.name}: {stage.serial_class} / {stage.parallel_class}")
        self._schedule = compile_schedule(config, self.max_visits)
        try:
            run = self._run = _core.Run(
                config.arena_bytes,
                config.n_slices,
                config.n_workers,
                len(config.stages),
                sorted(config.exchanges),
            )
        except (RuntimeError, ValueError) as error:
            raise ConfigError(
                f"mapping the arena of {config.arena_bytes} bytes (arenaSize): {error}"
            ) from error
        run.set_spin(*SPIN_NS)
        self._stops.attach(run)
        self._flow = LogFlow(run, self._logs, config.n_workers, log, self._destinations)
        set_location_map(config, self._run_id)
        self._supervisor = Supervisor(config)
        if config.n_slices > 0:
            self._supervisor.start_nursery(self._context, run, lambda: import_parallel_classes(config))
        self._flow.drain.start()
        self._post_mortems.settle = self._flow.drain.drain
        run.attach_master()
        arrays.use_arena(run.arena, config.arena_threshold)
        import_serial_classes(config)
        if config.n_slices > 0:
            for complaint in self._supervisor.wait_for_imports():
                log.warn(complaint)
        self._open_ledger()
        self._open_events(config, log)
        log.log(-1, "configuration complete")

    def _open_ledger(self) -> None:
        """After the nursery's fork: SQLite's files belong to one process."""
        config, log = self._require_config(), self._require_log()
        ledger, plan = open_ledger(
            config, self._home, self._run_id, resume=self._resume, anyway=self._resume_anyway
        )
        self._recorder = Recorder(ledger, config, self._home, self._post_mortems, log)
        outputs.use_journal(outputs.Journal(journal_path(self._home, MASTER)))
        if plan is not None and any(stage.event_topic for stage in config.stages):
            plan.follow_events()
        if self._resume:
            for text in describe_plan(plan):
                log.info(text)
        if plan is not None:
            self._schedule = compile_schedule(config, plan.last_visit or self.max_visits, plan.skips)

    def _open_events(self, config: PipelineConfig, log: Log) -> None:
        """Opens the receivers of the stages' topics and of shutdown events, and publishes the feed."""
        events = self._events = RunEvents(config, self._run_id, log)
        if is_embedded(config.event_broker):
            directory = spool_directory(config.event_broker)
            self._event_source = EventListener(directory, config.shutdown_topic, self._run_id, log)
            self._event_source.open()
        events.open(self._require_recorder().complete_inputs() if events.topics else set())
        if self._feed_path is not None:
            count = events.feed(read_feed(self._feed_path, events.topics))
            log.info(f"{count} new events from {self._feed_path}")

    def initializeQueues(self) -> None:
        """Makes the queues between the stages."""
        from harness.runtime.master import MasterHalf

        config = self._require_config()
        master = self._master = MasterHalf(self._require_run(), config, self._run_id, -1, self._require_log())
        self._require_log().info(f"random seed {master.random_seed}")
        master.statistics = self.statistics = RunStatistics(config.stages)
        master.on_progress = self.on_progress
        master.recorder = self._require_recorder()
        master.post_mortems = self._post_mortems
        current.work_for(master)
        master.replacing = Replacing(
            self._require_run(), config, self._require_supervisor(), self._require_log(), self.statistics,
            self._record_slice,
        )  # fmt: skip
        master.foreign = self._require_flow().foreign
        master.events = self._require_events()

    def initializeStages(self) -> None:
        """Creates the serial halves; their `setup()` runs. Raises `StageFailed`."""
        self._require_master().set_up()

    def startShutdownThread(self, *sources: LevelSource) -> None:
        """Listens for shutdown levels: those of `pex-harness stop`, of events, and of further `sources`."""
        if self._here is None:
            raise InternalError("configurePipeline() must be called first")
        events = [self._event_source] if self._event_source is not None else []
        for source in events:
            source.on_bell = self._require_run().notify_event
        self._listener.start([ControlSocket(self._here), *events, *sources])
        where = "listening" if events else "not listening, for no broker is reached,"
        self._require_log().log(-3, f"{where} on {self.getShutdownTopic()}")

    def startSlices(self) -> None:
        """Forks the workers, which set their slices up."""
        config, run = self._require_config(), self._require_run()
        if self._hard_stop:
            run.set_hard_stop(
                HARD_STOP_NS, "pex-harness run: ended by a signal while a stage held the master\n"
            )
        if config.n_slices > 0:
            self._require_supervisor().start_workers(run)
            self._slices_started = True
        else:
            run.start_watcher()

    def startStagesLoop(self) -> None:
        """Runs the visits until an end, then lets every process leave. Raises when the end is disorderly."""
        try:
            self._run_stages()
        except BaseException as error:
            self._record_end(LOST, exit_code_of(error), str(error))
            raise

    def _run_stages(self) -> None:
        config, run = self._require_config(), self._require_run()
        self._require_events().timeout = self.getEventTimeout()
        with self._stops.signals():
            end, visit, stage = run.run_master(self._schedule, self._require_master(), limits_ns(config))
            reason = self._take_end(end, visit, stage)
            if end == _core.LoopEnd.NO_MORE:
                self._require_recorder().end_without_data(visit)
                # The visit is done, in the words of a stage: its events must not bring it back.
                self._require_events().acknowledge()
            # A run that leaves while it waits for an event publishes none itself.
            if end == _core.LoopEnd.DRAINED or not self._require_events().waiting:
                self._require_events().publish_exit()
            self._end()
        exit_code = EXIT_SLICES_LOST if self.lost_slices else 0
        self._record_end(end.name.lower().replace("_", " "), exit_code, reason)

    def _take_end(self, end: _core.LoopEnd, visit: int, stage: int) -> str:
        """Why the loop has ended, which is logged. Raises when that is no orderly end."""
        config, log = self._require_config(), self._require_log()
        if end == _core.LoopEnd.PROCESS_DIED:
            death = self._require_master().replacing.error(visit)
            self._record_death(death)
            raise death
        if end == _core.LoopEnd.SLICE_FATAL:
            raise self._slice_fatal()
        if end == _core.LoopEnd.AT_ONCE:
            raise StoppedAtOnce(self._stops.cause)
        reasons = {
            _core.LoopEnd.VISITS_DONE: "one loop done" if config.one_loop else "as many visits as asked for",
            _core.LoopEnd.NO_MORE: f"no more datasets, said in stage {stage}",
            _core.LoopEnd.STOPPED: f"{self._stops.cause}, level {self._stops.level}; left in stage {stage}",
            _core.LoopEnd.EVENT_TIMEOUT: f"no event for stage {stage} in time",
            _core.LoopEnd.DRAINED: f"no event for stage {stage} is left",
        }
        log.info(f"the loop has ended after {visit} visits: {reasons[end]}")
        return reasons[end]

    def _record_death(self, error: HarnessError) -> None:
        if isinstance(error, SliceDied) and error.rank >= 0 and error.visit > 0:
            self._record_slice(error.rank, self._stage_number(error.stage), error, False)

    def _record_slice(self, rank: int, stage: int, error: SliceDied, retried: bool) -> None:
        """Notes what a death cost a slice, and what its worker printed last."""
        path = self._logs.output_file(error.worker)
        if self._logs.captures_output and (tail := output_tail(path)):
            self._file_log.warn(f"the last of {path}:\n{tail}")
        write_after_death(self._require_master(), rank, stage, error.cause, str(error), error.pid)
        self._require_recorder().record_death(rank, stage, error.cause, str(error), retried=retried)

    def _stage_number(self, name: str) -> int:
        """The number of the stage that messages call `name`; 0 for none."""
        numbers = [one.number for one in self._require_config().stages if repr(one.name) == name]
        return numbers[0] if numbers else 0

    def _record_end(self, end: str, exit_code: int, reason: str) -> None:
        if os.getpid() != self._pid:
            return
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.end_run(end, exit_code, reason)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def lost_slices(self) -> int:
        """How many slices' results of a visit are lacking because their worker died."""
        return len(self.statistics.lost) if self.statistics is not None else 0

    def setStop(self) -> None:
        """Asks the loop to end after the current visit."""
        self.setExitLevel(4)

    def setExitLevel(self, level: int) -> None:
        """Asks the loop to end: 4 after this visit, 3 after this stage, 2 at the next synchronisation point.

        Level 1 ends the run at once: it raises `StoppedAtOnce`, here if this is the main thread, else in that
        one; call `close` then. A later request may be more urgent, never less. ValueError for other levels.
        """
        self._require_run()
        self._stops.request(level, "setExitLevel")

    def exit(self) -> None:
        """Ends the run at once: shutdown level 1."""
        self.setExitLevel(1)

    def shutdown(self) -> None:
        """Ends the run in good order, if `startStagesLoop` has not, and calls `close`."""
        if self._master is not None and not self._ended:
            self._end()
        self.close()

    def _tell(self, text: str) -> None:
        self._require_log().warn(text)

    # --- the whole life

    def run(self) -> None:
        """All steps in order, and `close` at the end whatever happens. Raises what went wrong."""
        try:
            self.initializeLogger()
            with raising_signals():
                self.configurePipeline()
                self.initializeQueues()
                self.initializeStages()
                self.startShutdownThread()
                self.startSlices()
                self.startStagesLoop()
        except BaseException as error:
            self._log_end(error)
            self._record_end(LOST, exit_code_of(error), str(error))
            self.close()
            raise
        self.close()

    def _end(self) -> None:
        """The orderly end: every process leaves by itself, stages are shut down, the summary is written."""
        self._ended = True
        supervisor = self._require_supervisor()
        if self.statistics is not None:
            count = self._require_config().n_workers
            workers = [f"worker {worker} (ranks {supervisor.ranks_of(worker)})" for worker in range(count)]
            self.statistics.note_kept_blocks(self._require_run().arena, workers)
            for text in self.statistics.describe_kept_blocks():
                self._require_log().warn(text)
        self._require_master().shut_down()
        for complaint in supervisor.end(self._require_run()):
            self._require_log().warn(complaint)
        self._tell_refused_births()
        self.write_summary()
        if self._flow is not None:
            self._flow.close()

    def _tell_refused_births(self) -> None:
        _shared, refused, size = self._require_run().births()
        if refused:
            self._require_log().warn(
                f"the arena had no room for {refused} arrays of stage code ({size / 1e6:.1f} MB in all);"
                " they were private instead, and copied if they crossed. A larger arenaSize, or more free"
                " memory where that is the limit, avoids it"
            )

    def close(self) -> None:
        """Kills what is left of the run's processes and forgets its memory. Safe to call at any time."""
        if os.getpid() != self._pid:
            # A process that a stage forked and that came back here: the run is its parent's.
            return
        if self._run is not None and self._supervisor is not None:
            for complaint in self._supervisor.kill(self._run):
                self._require_log().warn(complaint)
            self._run.stop_watcher()
        self._record_end(LOST, 2, "closed before its end")
        self._listener.close()
        if self._event_source is not None:
            self._event_source.dispose()
        if self._events is not None:
            self._events.close()
        if self._flow is not None:
            self._flow.close()
        if Pipeline._active is self:
            Pipeline._active = None
            stacks.unregister()
            if self._here is not None:
                withdraw(self.run_dir, self._here)
            arrays.use_arena(None)
            outputs.use_journal(None)
            current.work_for(None)
        set_default_log(None)

    def write_summary(self) -> None:
        """Writes `summary.json` into the run directory."""
        statistics, config = self.statistics, self._require_config()
        if statistics is None:
            return
        extra = {
            "run_id": self._run_id,
            "pipeline": config.pipeline_name,
            "slices": config.n_slices,
            "workers": config.n_workers,
            "random_seed": self._require_master().random_seed,
            "wall_s": time.monotonic() - self.started_at,
            "lost_spans": self._require_run().lost_spans(),
            "arena": {
                **self._require_run().arena.stats(),
                **dict(zip(BIRTHS, self._require_run().births(), strict=True)),
            },
        }
        statistics.write(self.run_dir / "summary.json", extra)

    # --- parts

    def _context(self, life_read_fd: int) -> RunContext:
        return RunContext(
            run=self._require_run(),
            config=self._require_config(),
            run_id=self._run_id,
            logs=self._logs,
            master_pid=os.getpid(),
            life_read_fd=life_read_fd,
            run_dir=self._home,
            post_mortems=self._post_mortems,
            drain=self._require_flow().drain,
            foreign=self._require_flow().foreign,
        )

    def _slice_fatal(self) -> StageFailed:
        run, config = self._require_run(), self._require_config()
        for rank in range(config.n_slices):
            if run.outcome(rank) & _core.OUTCOME_FATAL:
                text = run.read_report(rank).decode("utf-8", "replace")
                first, _, rest = text.partition("\n")
                return StageFailed(first, rank=rank, details=rest)
        return StageFailed("a slice ended the run, but left no report")

    def _log_end(self, error: BaseException) -> None:
        if self._log is None:
            return
        import traceback

        details = getattr(error, "details", "") or "".join(traceback.format_exception(error))
        self._file_log.fatal(f"the run has failed: {error}\n{details}")

    def _require_config(self) -> PipelineConfig:
        if self._config is None:
            raise InternalError("initializeLogger() must be called first: it reads the policy")
        return self._config

    def _require_flow(self) -> LogFlow:
        if self._flow is None:
            raise InternalError("configurePipeline() must be called first: it maps the rings of the log")
        return self._flow

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
