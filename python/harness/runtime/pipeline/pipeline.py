# SPDX-License-Identifier: BSD-3-Clause
"""The Pipeline: sets a run up in the order of the contract (5.1), and runs its visits.

Order matters: the policy is read and the arena mapped before the nursery is forked, and the nursery is
forked before this process imports any stage (with NumPy and its threads) or starts the watcher.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from harness import _core, arrays, current, outputs
from harness._steps import MasterSteps
from harness.errors import ConfigError, InternalError, reason_of
from harness.events.hosts import is_embedded
from harness.ledger.journals import MASTER, journal_path, require_place
from harness.ledger.lock import RunLock
from harness.ledger.post_mortem import PostMortems
from harness.log import IndentedFormatter, Log, ScreenDestination, set_default_log
from harness.log.foreign import follow_levels
from harness.log.levels import WARN
from harness.runtime.configuration.config import PipelineConfig, load_config
from harness.runtime.configuration.places import (
    log_directory,
    make_directory,
    require_run_id,
    set_location_map,
)
from harness.runtime.configuration.schedule import (
    FUSED,
    NO_HALVES,
    compile_schedule,
    kind_of,
    why_not_balanced,
)
from harness.runtime.configuration.telling import tell_configuration
from harness.runtime.halves.admission import Admission, lendable
from harness.runtime.halves.run_events import RunEvents, broker_of, receiver_name
from harness.runtime.logs.log_flow import LogFlow
from harness.runtime.logs.run_log import LogSettings
from harness.runtime.pipeline.ending import PipelineEnding
from harness.runtime.pipeline.state import PipelineState
from harness.runtime.processes import stacks
from harness.runtime.processes.classes import import_parallel_classes, import_serial_classes
from harness.runtime.processes.last_words import LastWords
from harness.runtime.processes.open_files import SpareFiles, out_of_files
from harness.runtime.processes.replacing import Replacing, limits_ns, stage_names
from harness.runtime.processes.signals import EXIT_LATE
from harness.runtime.processes.strangers import CURE, strangers
from harness.runtime.processes.supervisor import EXEC, FORK, Supervisor
from harness.runtime.processes.worker import RunContext
from harness.runtime.records.recording import Recorder
from harness.runtime.records.run_records import (
    EXIT_SLICES_LOST,
    LOST,
    describe_plan,
    exit_code_of,
    open_ledger,
)
from harness.runtime.records.statistics import RunStatistics
from harness.runtime.shutdown.control import ControlSocket, Master, announce
from harness.runtime.shutdown.listener import LevelSource
from harness.runtime.shutdown.listening import EventListener
from harness.stage import SerialProcessing

SPIN_NS = 50_000, 1_000_000
"""How long a process yields before it sleeps: where waits are long as a rule, and where they are short."""
HARD_STOP_NS = 700_000_000
BY_EXEC = "every worker is therefore started by exec, and imports the stages itself"
BY_FORK = "workers are forked after it, and lack it or wait for its locks"


class Pipeline(PipelineEnding):
    """One run of a pipeline policy: the embedding API of the contract (5.8).

    Call, in this order: `initializeLogger`, `configurePipeline`, `initializeQueues`, `initializeStages`,
    `startShutdownThread`, `startSlices`, `startStagesLoop`; or just `run`. After a failure call `close`.
    """

    _spin_ns = SPIN_NS
    _look = "at the end of its slice logs"

    # --- start-up, in order

    def initializeLogger(self) -> None:
        """Reads the policy, makes the run directory, opens the log."""
        config = self._config = load_config(
            self._policy_path, pipeline_name=self._name, workers=self._workers
        )
        require_run_id(self._run_id, names_directory=self._run_dir_option is None)
        # Stage code may change the current directory.
        self._home = home = self.run_dir.absolute()
        directory = log_directory(
            config, home, self._log_dir, honours_local=self.honours_local_log_mode
        ).absolute()
        for folder in (home, directory):
            make_directory(folder)
        self._unlock()
        self._lock = RunLock(home)
        self._post_mortems = PostMortems(home, directory)
        self._config = config = config._replace(event_broker=broker_of(config, home))
        screen = self._screen_threshold if is_embedded(config.event_broker) else None
        if screen is not None:
            self._destinations = [ScreenDestination(IndentedFormatter(), screen)]
        self._logs = LogSettings(
            run_id=self._run_id,
            pipeline_name=config.pipeline_name,
            worker_id=self._worker_id or "-1",
            threshold=self.getLogThreshold(),
            directory=directory,
            truncate=not self._resume,
            flood=config.log_flood,
            in_flight=config.visits_in_flight,
            layout=config.log_format,
            captures_output=(self.stage_output or config.stage_output) == "file",
            output_limit=config.output_limit,
            publishes=config.events.log_events,
            console_threshold=WARN if screen is None else screen,
        )
        if self._logs.publishes:
            from harness.events.log_events import publisher_of

            self._log_publisher = publisher_of(config.event_broker)
        publisher = self._log_publisher
        self._log = self._logs.open_pipeline(publisher.offer if publisher is not None else None)
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
        self._become_active()
        stacks.register("master")
        tell_configuration(config, self._run_id, log)
        run = self._map_arena(config)
        flow = self._flow = LogFlow(
            run, self._logs, config.n_workers, log, self._destinations, self._log_publisher
        )
        self._foreign = flow.foreign
        set_location_map(config, self._run_id)
        supervisor = self._supervisor = Supervisor(config)
        supervisor.whole_process = self._hard_stop is not None
        self._last_words = LastWords()
        if config.n_slices > 0:
            supervisor.start_nursery(
                self._context,
                run,
                lambda: import_parallel_classes(config),
                by_exec=self._starts_by_exec(config, log),
            )
        flow.start()
        self._become_known()
        if self._post_mortems is not None:
            self._post_mortems.settle = flow.drain.drain
        self._take_classes(config, run, supervisor, log)
        self._open_ledger()
        self._open_events(config, log)
        log.log(-1, "configuration complete")

    def _become_known(self) -> None:
        """Commands find this process from now on. Not before the nursery is forked: a thread answers them."""
        here = Master.here(self._run_id)
        self._listener.start([ControlSocket(here)])
        self._here = here
        announce(self._require_home()[0], here)

    def _become_active(self) -> None:
        """Raises `ConfigError` where another run is open in this process."""
        if PipelineState._active is not None:
            raise ConfigError("another pipeline is open in this process: close() it first")
        PipelineState._active = self

    def _map_arena(self, config: PipelineConfig) -> _core.Run:
        """Maps shared memory. Raises `ConfigError`."""
        try:
            run = self._run = _core.Run(
                config.arena_bytes,
                config.n_slices,
                config.n_workers,
                len(config.stages),
                sorted(config.exchanges),
                config.visits_in_flight,
                lend_bytes=lendable(config.arena_bytes, config.visits_in_flight),
            )
        except (RuntimeError, ValueError) as error:
            raise ConfigError(
                f"mapping the arena of {config.arena_bytes} bytes (arenaSize): {error}"
            ) from error
        run.set_spin(*self._spin_ns)
        self._stops.attach(run)
        return run

    def _take_classes(
        self, config: PipelineConfig, run: _core.Run, supervisor: Supervisor, log: Log
    ) -> None:
        """Imports the serial halves, and compiles the schedule with what all halves declare."""
        run.attach_master()
        arrays.use_arena(run.arena, config.arena_threshold)
        serial, parallel = import_serial_classes(config), NO_HALVES
        if config.n_slices > 0:
            found, parallel = supervisor.wait_for_imports()
            means = BY_EXEC if supervisor.workers_by_exec else BY_FORK
            for text in found:
                log.warn(f"{text}; {means}; {CURE}")
            supervisor.order_workers()
        self._declared = serial, parallel
        self._schedule = self._compile(self.max_visits)
        if config.n_slices > 0 and not why_not_balanced(config, parallel):
            run.balance()

    def _starts_by_exec(self, config: PipelineConfig, log: Log) -> bool:
        """Whether the nursery starts by exec. What a fork would leave behind or spoil is told."""
        if config.start_method == EXEC:
            return True
        found = strangers()
        if not found:
            return False
        told = "; ".join(found)
        if config.start_method == FORK:
            log.warn(
                f"startMethod is fork, and this process has {told}: what is forked lacks it, or waits for its"
                " locks"
            )
            return False
        log.info(f"the nursery is started by exec, for this process has {told}")
        return True

    def _open_ledger(self) -> None:
        """After the nursery's fork: SQLite's files belong to one process."""
        config, log = self._require_config(), self._require_log()
        home, post_mortems = self._require_home()
        require_place(home)
        outputs.use_journal(outputs.Journal(journal_path(home, MASTER)))
        ledger, plan = open_ledger(
            config, home, self._lock, self._run_id, resume=self._resume, anyway=self._resume_anyway
        )
        self._recorder = Recorder(ledger, config, home, post_mortems, log)
        self._plan = plan
        if plan is not None and any(stage.event_topic for stage in config.stages):
            plan.follow_events()
        if self._resume:
            for text in describe_plan(plan):
                log.info(text)
        if plan is not None:
            self._schedule = self._compile(plan.end_of_run(self.max_visits), plan.skips)

    def _compile(self, visits: int | None, skips: Sequence[tuple[int, int]] = ()) -> _core.Schedule:
        serial, parallel = self._declared
        return compile_schedule(self._require_config(), visits, skips, serial=serial, parallel=parallel)

    def _open_events(self, config: PipelineConfig, log: Log) -> None:
        """Opens the receivers of the stages' topics and of shutdown events; publishes the feed and files."""
        events = self._events = RunEvents(config, self._run_id, log)
        recorder = self._require_recorder()
        name = f"{receiver_name(config, self._run_id)}/shutdown"
        self._event_source = EventListener(
            config.event_broker, config.shutdown_topic, self._run_id, name, log
        )
        self._event_source.open()
        again = self._plan.again if self._plan is not None else set()
        events.open(recorder.complete_inputs() - again if events.topics else set(), again)
        if self._feed_path is not None:
            from harness.events.feed import read_feed

            count = events.feed(read_feed(self._feed_path, events.topics), recorder.ended_inputs() - again)
            log.info(f"{count} new events from {self._feed_path}")
        if self._watched is not None:
            events.watch(*self._watched)
        if again and (missing := events.missing(recorder.ended_inputs())):
            lacking = "1 event" if len(missing) == 1 else f"{len(missing)} events"
            log.warn(
                f"{lacking} of visits that are to run again will not come by itself: acknowledged, and kept"
                f" no longer. Publish anew, or give the --feed again: {', '.join(sorted(missing)[:5])}"
            )

    def initializeQueues(self) -> None:
        """Makes the queues between the stages."""
        from harness.runtime.halves.master import MasterHalf

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
            self._record_slice, self._look, self._last_words,
        )  # fmt: skip
        master.foreign = self._foreign
        master.events = self._require_events()
        master.admission = Admission(
            self._require_run().arena, config.arena_bytes, config.visits_in_flight
        )

    def initializeStages(self) -> None:
        """Creates the serial halves; their `setup()` runs. Raises `StageFailed`."""
        master, config = self._require_master(), self._require_config()
        self._start_watcher(config)
        with self._stops.signals():
            master.set_up()
        if kind_of(config, *self._declared)[0] == FUSED or config.visits_in_flight > 1:
            master.require_methods_of_classes()

    def _start_watcher(self, config: PipelineConfig) -> None:
        """Has stages of the master watched, and guarded against: from their `setup()` on."""
        if self._has_watcher:
            return
        self._has_watcher = True
        run = self._require_run()
        if self._hard_stop is not None:
            run.set_hard_stop(
                HARD_STOP_NS,
                f"{self._hard_stop}: ended by a signal or a request",
                self._stops.at_once_code,
            )
        limits = limits_ns(config)
        if any(limits):
            # Lines that are no records would break a log of JSON.
            path = self.log_file if config.log_format != "json" else None
            with path.open("ab") if path is not None else contextlib.nullcontext() as log:
                run.set_serial_limits(
                    limits,
                    stage_names(config),
                    EXIT_LATE,
                    stacks.SIGNAL,
                    stacks.descriptor(),
                    log.fileno() if log is not None else -1,
                )
        run.start_watcher()

    def startShutdownThread(self, *sources: LevelSource) -> None:
        """Listens for shutdown levels: those of `pex-harness stop`, of events, and of further `sources`."""
        if self._here is None:
            raise InternalError("configurePipeline() must be called first")
        events = [self._event_source] if self._event_source is not None else []
        for source in events:
            source.on_bell = self._require_run().notify_event
        self._listener.start([*events, *sources])
        self._require_log().log(-3, f"listening on {self.getShutdownTopic()}")

    def startSlices(self) -> None:
        """Lets the workers begin, which set their slices up."""
        config, run = self._require_config(), self._require_run()
        if config.n_slices > 0:
            self._require_supervisor().start_workers(run)
            self._slices_started = True

    def startStagesLoop(self) -> None:
        """Runs the visits until an end, then lets every process leave. Raises when the end is disorderly."""
        spare = SpareFiles()
        try:
            self._run_stages()
        except OSError as error:
            told = out_of_files(error) or error
            spare.give_back()
            self._record_end(LOST, exit_code_of(told), reason_of(told))
            if told is error:
                raise
            raise told from error
        except BaseException as error:
            self._record_end(LOST, exit_code_of(error), reason_of(error))
            raise
        finally:
            spare.give_back()

    def _run_stages(self) -> None:
        config, run = self._require_config(), self._require_run()
        self._require_events().timeout = self.getEventTimeout()
        with self._stops.signals():
            steps = MasterSteps(self._require_master(), SerialProcessing)
            end, visit, stage = run.run_master(self._schedule, steps, limits_ns(config))
            reason = self._take_end(end, visit, stage)
            if self.statistics is not None and end != _core.LoopEnd.STOPPED:
                self.statistics.end_with(visit)
            if end == _core.LoopEnd.NO_MORE:
                self._require_recorder().end_without_data(visit)
                # The visit is done, in the words of a stage: its events must not bring it back.
                self._require_events().acknowledge(visit)
            # A run that leaves while it waits for an event publishes none itself. Where data or events are at
            # their end, only visits that have begun ahead may wait.
            if end in (_core.LoopEnd.DRAINED, _core.LoopEnd.NO_MORE) or not self._require_events().waiting:
                self._require_events().publish_exit()
            self._end()
        exit_code = EXIT_SLICES_LOST if self.lost_slices else 0
        if error := self._record_end(end.name.lower().replace("_", " "), exit_code, reason):
            raise error

    # --- the whole life

    def run(self) -> None:
        """All steps in order, and `close` at the end whatever happens. Raises what went wrong."""
        try:
            self.initializeLogger()
            with self._stops.whole():
                self.configurePipeline()
                self.initializeQueues()
                self.initializeStages()
                self.startShutdownThread()
                self.startSlices()
                self.startStagesLoop()
        except BaseException as error:
            self._log_end(error)
            self._record_end(LOST, exit_code_of(error), reason_of(error))
            self.close()
            raise
        self.close()

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
            drain=self._flow.drain if self._flow is not None else None,
            foreign=self._require_foreign(),
            last_words=self._last_words.path if self._last_words is not None else None,
        )
