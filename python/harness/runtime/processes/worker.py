# SPDX-License-Identifier: BSD-3-Clause
"""A worker process: born of the nursery, or started afresh; runs its slices, and leaves by `os._exit`."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from harness import _core, arrays, current, outputs
from harness._steps import SliceSteps
from harness.errors import HarnessError, InternalError
from harness.ledger.journals import journal_path
from harness.ledger.post_mortem import PostMortems
from harness.log import Log, set_default_log
from harness.log.foreign import follow_levels
from harness.log.run_logs import off_console, run_files
from harness.runtime.configuration.config import PipelineConfig
from harness.runtime.halves.failure import describe_failure, failure_record
from harness.runtime.halves.slice import SliceHalf, report_fatal
from harness.runtime.halves.stray_forks import end_if_stray
from harness.runtime.logs.run_log import LogSettings
from harness.runtime.logs.stage_output import StageOutput
from harness.runtime.processes import exit_handlers, stacks
from harness.runtime.processes.cores import ThreadCheck, keep_to_place
from harness.runtime.processes.last_words import leave_last_words
from harness.runtime.processes.left_behind import MARK, mark_of
from harness.runtime.processes.signals import leave_signals_to_master
from harness.stage import ParallelProcessing

if TYPE_CHECKING:
    from harness._steps import Already
    from harness.log.foreign import ForeignRecords
    from harness.runtime.logs.log_drain import LogDrain

PARENT_TIMEOUT_MS = 5000
ADMISSION_TIMEOUT_MS = 60_000
"""For a replacement: a nursery that dies may have forked one and told nobody."""
UNTIL_ADMITTED = -1
"""For the first ones, which wait until the master has set its stages up, or ends the run."""
EXIT_ORPHAN = 81
EXIT_BROKEN = 82
EXIT_REPLACED = 84


class RunContext(NamedTuple):
    """What every process of a run has: inherited through fork, or adopted after an exec."""

    run: _core.Run
    config: PipelineConfig
    run_id: str
    logs: LogSettings
    master_pid: int
    life_read_fd: int
    run_dir: Path | None
    """Where outputs are told to the ledger; `None` where there is none."""
    post_mortems: PostMortems | None
    drain: LogDrain | None
    """What brings log records to their files; `None` where there are none."""
    foreign: ForeignRecords
    import_stages: Callable[[], object] | None = None
    """Imports the stage modules in a worker that is not born with them. May be called for every rank."""
    last_words: str | None = None
    """The file that a worker's stacks go to when a fatal signal ends it; `None`: nobody would read them."""

    def kept(self) -> tuple[Path, PostMortems, LogDrain]:
        """What a run has that keeps something, as all do but brief ones. Raises `InternalError`."""
        if self.run_dir is None or self.post_mortems is None or self.drain is None:
            raise InternalError("a run that keeps nothing has no nursery, and starts no process by exec")
        return self.run_dir, self.post_mortems, self.drain


class WorkerHooks:
    """What the C++ loop of a worker calls."""

    def __init__(
        self,
        slices: dict[int, SliceHalf],
        output: StageOutput | None,
        set_up: Callable[[int], SliceHalf],
        report: Callable[[int, BaseException, str], None],
    ) -> None:
        """`set_up(rank)` makes a slice that belongs to another worker, when it runs here for the first time.

        `report(rank, error, place)` leaves what ends the run where the master finds it.
        """
        self._slices = slices
        self._set_up = set_up
        self._report = report
        self._output = output
        self._pid = os.getpid()

    def work_for(self, half: SliceHalf) -> None:
        """What follows is done for this slice."""
        current.work_for(half)
        set_default_log(half.root_log)

    def mark(self, rank: int, visit: int, step: int, half: SliceHalf) -> None:
        """What was printed since the last mark is of this step."""
        if self._output is not None:
            self._output.mark(rank, visit, step, half.stages)

    def run_step(
        self, rank: int, visit: int, step: int, more: bool = False, already: Already | None = None
    ) -> int:
        """Runs a step of one rank. What a failure stage raises, SystemExit, KeyboardInterrupt are fatal.

        `already` stands for a stage that has run.
        """
        half = self._slices.get(rank)
        try:
            if half is None:
                half = self._slices[rank] = self._set_up(rank)
                # Whatever the worker before has done in this visit, if there was one.
                half.replaces = True
            if current.worker() is not half:
                self.work_for(half)
            outcome = half.run_step(visit, step, more, already)
            self.mark(rank, visit, step, half)
            return outcome
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            end_if_stray(self._pid)
            place = "its setup"
            if half is not None and not isinstance(error, HarnessError):
                headline = f"ending the run: {describe_failure(error)}"
                off_console(half.log).fatal(failure_record(headline, traceback.format_exc()))
                place = half.leave_report(error)
            self._report(rank, error, place)
            return _core.OUTCOME_FATAL


def worker_main(context: RunContext, worker: int, incarnation: int) -> NoReturn:
    """The life of a worker, from just after its birth to its end. Never returns."""
    code = EXIT_BROKEN
    try:
        code = _live(context, worker, incarnation)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _live(context: RunContext, worker: int, incarnation: int) -> int:
    os.setpgid(0, 0)
    leave_signals_to_master()
    exit_handlers.forget_inherited()
    os.environ[MARK] = mark_of(context.master_pid)
    stacks.register(f"worker {worker}")
    if context.last_words is not None:
        leave_last_words(context.last_words, worker)
    if not _core.die_with_parent(context.master_pid, PARENT_TIMEOUT_MS):
        return EXIT_ORPHAN
    _core.die_with_pipe(context.life_read_fd)
    run = context.run
    patience_ms = ADMISSION_TIMEOUT_MS if incarnation else UNTIL_ADMITTED
    if not run.await_admission(worker, os.getpid(), patience_ms):
        return EXIT_ORPHAN
    run.attach_worker(worker, os.getpid(), incarnation)
    arrays.use_arena(run.arena, context.config.arena_threshold)
    if context.run_dir is not None:
        outputs.use_journal(outputs.Journal(journal_path(context.run_dir, worker)))
    place = keep_to_place(worker, context.config.pin_workers)
    check = ThreadCheck(worker)
    output = StageOutput(context.logs.output_file(worker)) if context.logs.captures_output else None
    slices = {}
    broken = False
    for rank in range(worker, context.config.n_slices, context.config.n_workers):
        half = _begin(context, worker, rank)
        if output is not None:
            output.mark(rank, 0, 0, [])
        if half is None:
            broken = True
            continue
        slices[rank] = half
        half.replaces = incarnation > 0
        half.after_first_visit = check
        if place:
            half.log.info(f"worker {worker} keeps to {place}")
    # If some could not be set up, the master has read why from the report and ends the run. Its word
    # is waited for: this is no death.
    served = {} if broken else slices
    make = partial(_set_up, context, worker)
    hooks = WorkerHooks(served, output, make, partial(report_fatal, run))
    if not run.run_worker(SliceSteps(hooks, served, ParallelProcessing, output)):
        return EXIT_REPLACED
    halves = {**slices, **served}.values()
    for half in halves:
        half.shut_down()
    exit_handlers.run_own()
    for half in halves:
        half.log.info("the run has ended")
        for file in run_files(half.log):
            file.close()
        if output is not None:
            output.mark(half.rank, half.visit, 0, [])
    run.leave()
    return 0


def _begin(context: RunContext, worker: int, rank: int) -> SliceHalf | None:
    """Sets a rank of this worker up and says so, or why it could not be."""
    try:
        half = _set_up(context, worker, rank)
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        report_fatal(context.run, rank, error, "its setup")
        _arrive_ready(context.run, rank, _core.OUTCOME_FATAL)
        return None
    _arrive_ready(context.run, rank, _core.OUTCOME_OK)
    return half


def _set_up(context: RunContext, worker: int, rank: int) -> SliceHalf:
    """Makes the stages of a rank. What it raises is in the log of the slice, too."""
    log: Log | None = None
    try:
        wake = context.drain.wake if context.drain is not None else None
        log = context.logs.open_slice(rank, context.run.log_ring(1 + worker), wake)
        set_default_log(log.root)
        follow_levels(log.root)
        if context.import_stages is not None:
            context.import_stages()
        half = SliceHalf(context.run, context.config, context.run_id, rank, log)
        half.post_mortems = context.post_mortems
        half.foreign = context.foreign
        half.set_up()
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        if log is not None:
            off_console(log).fatal(failure_record(describe_failure(error), traceback.format_exc()))
        raise
    return half


def _arrive_ready(run: _core.Run, rank: int, outcome: int) -> None:
    """Says that the stages of a rank are set up, or not. Ends a process that does not count for it."""
    if not run.arrive_ready(rank, outcome):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(EXIT_REPLACED)
