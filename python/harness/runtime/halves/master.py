# SPDX-License-Identifier: BSD-3-Clause
"""The master's half of the loop: the serial halves of the stages, called by the C++ loop step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness import _core
from harness.clipboard import Clipboard, Pending
from harness.dc3a import acts, find_half
from harness.errors import StageFailed, note_place
from harness.queue import Queue
from harness.runtime.halves.blocks import VISIT
from harness.runtime.halves.failure import describe_failure, original_of
from harness.runtime.halves.half import DEBUG, SILENT, TRACE, VERB2
from harness.runtime.halves.in_slices import InSlices
from harness.runtime.halves.master_events import MasterEvents
from harness.runtime.halves.stray_forks import end_if_stray
from harness.stage import NoOpSerialProcessing, SerialProcessing
from harness.transport.entry import Entry
from harness.transport.tally import ACROSS, DOWN, UP

if TYPE_CHECKING:
    from harness._core import _LegEnd as LegEnd
    from harness._steps import Already
    from harness.runtime.configuration.config import StageConfig
    from harness.runtime.halves.admission import Admission
    from harness.runtime.processes.replacing import Replacing
    from harness.runtime.records.statistics import RunStatistics


class MasterHalf(MasterEvents):
    """Rank -1. Its methods without underscore after `set_up` are what `Run.run_master` calls."""

    statistics: RunStatistics
    replacing: Replacing
    admission: Admission
    on_progress: Callable[[int, str], None] | None = None
    of_visit = ("_between", "published", "_event", "_awaits", "_reached", "_first")

    def set_up(self) -> None:
        """Builds the serial halves. Raises `StageFailed`."""

        def make(stage: StageConfig, sysdata: dict[str, Any]) -> SerialProcessing | None:
            if stage.serial_class is None:
                if stage.number < 0:
                    return None
                return NoOpSerialProcessing(None, self.log, self.config.event_broker, sysdata)
            cls = find_half(
                stage.serial_class, SerialProcessing, one_class=stage.one_class, topic=stage.event_topic
            )
            return cls(stage.policy, self.log, self.config.event_broker, sysdata)

        self.build(make)
        self._between: Queue | None = None
        self.published = []
        self._forget_event()
        self._reached = 0
        self._first = 0

    def require_methods_of_classes(self) -> None:
        """Raises `StageFailed` where a stage has a method that a schedule can't know of: its own."""
        for stage in self.stages:
            for name in ("preprocess", "postprocess"):
                if name in vars(stage) and not acts(type(stage), name):
                    raise StageFailed(
                        f"stage {stage.getName()!r} has got its {name} from setup(); a fused schedule, and"
                        f" visits in flight, go by what classes define: define {name} in"
                        f" {type(stage).__qualname__}, or ask for the lockstep schedule of one visit"
                        ' (schedule: "lockstep", visitsInFlight: 1)'
                    )

    def slices_ready(self) -> None:
        """Every slice has set its stages up."""
        self.log.info("all slices are ready")

    def admits(self) -> bool:
        """Whether the arena has room for one more visit in flight."""
        return self.admission.admits()

    def turn_to(self, visit: int) -> bool:
        """What is called from here on belongs to another of the visits in flight."""
        if visit == self.visit:
            return True
        is_known = super().turn_to(visit)
        self.recorder.turn_to(visit, self.run.slot)
        self.events.turn_to(visit)
        self.statistics.tally.turn_to(visit)
        return is_known

    def begin_visit(self, visit: int) -> None:
        """A fresh clipboard, no error."""
        super().begin_visit(visit)
        if not self.events.come_first:
            self.recorder.begin_visit(visit)
        self.published = []
        self._between = None
        self.replacing.begin_visit(visit)
        self.admission.begin_visit()
        self._forget_event()
        self._reached = self._first = 0
        self.events.begin_visit(visit)
        self.statistics.tally.turn_to(visit)
        if self.log.sends(TRACE):
            self.blocks.mark(VISIT, "start", TRACE, f"visit {visit}")

    def drop_visit(self, visit: int) -> None:
        """The run ends before any stage of the visit has begun."""
        self._leave_wait()
        self.leave_stages()
        self.empty_queues()
        self.in_visit = False
        self.transport.end_visit()
        self.recorder.drop_visit(visit)
        self.events.drop_visit(visit)
        self.replacing.end_visit(visit)
        self.admission.end_visit()
        if self.log.sends(TRACE):
            self.blocks.mark(VISIT, "end", TRACE, f"visit {visit}")

    def preprocess(self, number: int, already: Already | None = None) -> int:
        """Runs `preprocess` of stage `number`; returns the outcome bits.

        The stages after it that slices run on with have none. `already` stands for one that has run and
        raised, at a threshold that let nothing pass of what is logged here.
        """
        stage = self.stages[number - 1]
        self._first = number
        self.recorder.enter_stage(self.visit, number)
        self.enter_stage(number)
        if self.on_progress is not None and already is None:
            self.on_progress(self.visit, stage.getName())
        passes = self.log.getThreshold() if already is None else SILENT
        # With an event it has begun with the wait for that.
        if passes <= VERB2 and (self._event is None or self._event[0] != number):
            self._mark_stages("start", number, self.run.meets_after(number))
        self._between = None
        if self.error_flagged:
            self.log.log(TRACE, f"skipping {stage.getName()}: an earlier stage raised in this visit")
            return _core.OUTCOME_SKIPPED
        try:
            if passes <= TRACE:
                self._traced(stage, "preprocess", lambda: self._preprocess(stage, number))
            else:
                self._between = self.call_stage(already or stage.applyPreprocess)
        except Exception as error:
            with self._placed(number, "preprocess"):
                self.fail(
                    number, error, "preprocess", lambda failure: self._failure_preprocess(failure, number)
                )
            self.statistics.count_partial(self.visit)
            return _core.OUTCOME_RAISED
        except (SystemExit, KeyboardInterrupt) as error:
            note_place(error, self._place(number, "preprocess"))
            raise
        return _core.OUTCOME_OK

    def _preprocess(self, stage: SerialProcessing, number: int) -> None:
        self._between = stage.applyPreprocess()

    def _failure_preprocess(self, failure: SerialProcessing, number: int) -> None:
        """Only the matching half-step runs; what it hands on is closed with the failed clipboard."""
        for clipboard in _drain(failure.applyPreprocess()):
            clipboard.close()

    def publish(self, number: int) -> None:
        """Publishes downwards what preprocess, and earlier postprocesses, marked shareable."""
        if self.log.sends(DEBUG):
            self.log.logdebug(f"the slices are released into stage {number}")
        if self._event is not None and self._event[0] == number and self.log.sends(VERB2):
            self.log.log(VERB2, f"the event of topic {self._event[1]!r} goes to the slices")
        clipboard = self._current(number)
        if self.transport.has_notes():
            self._tell_notes(number, DOWN)
        if clipboard is None or self.error_flagged:
            self._publish_event_alone(number)
            return
        try:
            self._let_event_ride(number, clipboard)
            manifest, entries = self.transport.publish(clipboard)
            if entries:
                # What is pickled has code of its own, which may have forked.
                end_if_stray(self._pid)
                self.published.append((number, manifest))
                self.statistics.tally.add(number, DOWN, entries)
            if manifest[1] or self._down[2 * number + 1]:
                self.run.set_down_manifest(number, *manifest)
        except Exception as error:
            end_if_stray(self._pid)
            self.run.set_down_manifest(number, 0, 0)
            if self._between is not None and self._between.size() > 0:
                self.queues[number - 1].addDataset(self._between.getNextDataset())
            self._between = None
            self.fail(number, error, "preprocess", lambda failure: self._failure_preprocess(failure, number))
            self._tell_notes(number, DOWN)

    def _tell_notes(self, number: int, direction: str) -> None:
        """Counts what `take` copied, and a crossing that failed."""
        if notes := self.transport.take_notes():
            self.statistics.tally.add(number, direction, notes)

    def gather(self, number: int, raised: int, earlier: Sequence[LegEnd] = ()) -> None:
        """Puts what the slices published on the master's clipboard, and makes their failures visible.

        Where slices have gone on by themselves, `earlier` says how they ended what came before: rank, stage,
        outcome, manifest of each end.
        """
        if self.log.sends(DEBUG):
            self.log.logdebug(f"every slice has arrived behind stage {number}")
        clipboard = None if self.error_flagged else self._current(number)
        published = [(rank, stage, manifest) for rank, stage, _, manifest in earlier if manifest[1]]
        # Who has gone on further than the others, when they were stopped, says so in its list, or not at all.
        published += [(rank, number, manifest) for rank, manifest in self.run.up_manifests()]
        for rank, last, manifest in published:
            for stage, entries in self.transport.read_batches(manifest, last):
                self.statistics.tally.add(stage, UP, entries)
                if clipboard is not None:
                    self._receive_from(rank, entries, clipboard)
        for stage in sorted(self.config.exchanges):
            if self._first < stage <= number + 1:
                self._count_offers(stage)
        if raised:
            self._log_failures({rank for rank, _, outcome, _ in earlier if outcome & _core.OUTCOME_RAISED})

    def _count_offers(self, stage: int) -> None:
        for rank in range(self.config.n_slices):
            offered = self.transport.read(self.run.across_manifest(rank, stage))
            self.statistics.tally.add(stage, ACROSS, offered)

    def _receive_from(self, rank: int, entries: list[Entry], clipboard: Clipboard) -> None:
        def deliver(key: str, pending: Pending) -> None:
            clipboard._receive_from(key, rank, pending)

        # Where slices exchange, neighbours receive the same blocks.
        self.transport.deliver(entries, 2 if self.config.exchanges else 1, deliver)

    def _log_failures(self, before: set[int]) -> None:
        """Of the ranks that have raised since the last meeting, `before` of them before they went on."""
        for rank in range(self.config.n_slices):
            if rank in before or self.run.outcome(rank) & _core.OUTCOME_RAISED:
                number = self.run.raised_stage(rank)
                self.enter_stage(number)
                text = self.run.read_report(rank).decode("utf-8", "replace")
                self.statistics.count_failure(self.visit, number, rank)
                if not self.replacing.note_failed(self.visit, rank):
                    self.recorder.record_raise(rank, number, text)
                self.log.warn(f"slice {rank} failed in visit {self.visit}: {text.rstrip()}")

    def postprocess(self, number: int, already: Already | None = None) -> int:
        """Runs `postprocess` of stage `number`; returns the outcome bits.

        `already` stands for one that has run, at a threshold that let nothing pass of what is logged here.
        """
        stage = self.stages[number - 1]
        self.enter_stage(number)
        outcome = _core.OUTCOME_OK
        passes = self.log.getThreshold() if already is None else SILENT
        if self.error_flagged:
            # The stage that failed has put an empty clipboard into its output queue already.
            for stage_number in range(self._first, number + 1):
                if self.queues[stage_number].size() == 0:
                    self.pass_on(stage_number)
            outcome = _core.OUTCOME_SKIPPED
        else:
            between = self._between if self._between is not None else Queue()
            try:
                if passes <= TRACE:
                    self._traced(stage, "postprocess", lambda: stage.applyPostprocess(between))
                else:
                    self.call_stage(already or stage.applyPostprocess, between)
                self.count_clipboard(number)
            except Exception as error:
                with self._placed(number, "postprocess"):
                    self._fail_postprocess(number, error, between)
                self.statistics.count_partial(self.visit)
                outcome = _core.OUTCOME_RAISED
            except (SystemExit, KeyboardInterrupt) as error:
                note_place(error, self._place(number, "postprocess"))
                raise
        self._reached = number
        if self.transport.has_notes():
            self._tell_notes(number, UP)
        self.recorder.leave_stage(number)
        if passes <= VERB2:
            self._mark_stages("end", self._first, number)
        return outcome

    def fail(
        self,
        number: int,
        error: Exception,
        method: str,
        apply: Callable[[SerialProcessing], Any] | None,
    ) -> None:
        """The error flow of the contract, and an entry in the ledger."""
        try:
            super().fail(number, error, method, apply)
        finally:
            self.recorder.record_raise(-1, number, f"{method}: {describe_failure(original_of(error))}")

    def _fail_postprocess(self, number: int, error: Exception, between: Queue) -> None:
        failed = between.element()
        if failed is not None:
            # Half.fail looks for the failed clipboard before the stage.
            self.queues[number - 1].addDataset(between.getNextDataset())

        def apply(failure: SerialProcessing) -> None:
            waiting = Queue()
            waiting.addDataset(self.queues[number - 1].getNextDataset())
            failure.applyPostprocess(waiting)

        self.fail(number, error, "postprocess", apply)

    def workers_died(self, slices: list[tuple[int, int, int, tuple[int, ...], tuple[int, ...]]]) -> bool:
        """Replaces the workers that have died. Returns whether the run goes on.

        `slices` has the fields of an `InSlices` for each visit that slices have begun.
        """
        return self.replacing.workers_died([InSlices(*one) for one in slices], self._look_at)

    def _look_at(self, where: InSlices) -> None:
        self.run.turn_to(where.slot)
        self.turn_to(where.visit)

    def late(self, worker: int, visit: int, step: int) -> None:
        """Ends a worker that has run for longer than its stage may."""
        self.replacing.end_late(worker, visit, step)

    def end_visit(self, visit: int) -> None:
        """Closes the visit's clipboard, retires its blocks, collects the figures."""
        self._leave_wait()
        self.leave_stages()
        self.admission.note_use()
        self.empty_queues()
        self.in_visit = False
        self.transport.end_visit()
        self._between = None
        self.run.arena.retire_visit(self.run.slot)
        if self.config.arena_warm is not None:
            self.run.arena.trim(self.config.arena_warm)
        self.statistics.tally.end_visit(self.run.arena)
        spans = self.run.drain_spans()
        self.statistics.add_spans(spans)
        self.recorder.end_visit(spans)
        self.replacing.end_visit(visit)
        self.admission.end_visit()
        self.events.end_visit(visit)
        self.statistics.end_visit(visit)
        if self._reached == len(self.stages) and self.events.idents:
            # An event must not be forgotten before the disk knows what became of its visit.
            self.recorder.settle()
            self.events.acknowledge(visit)
        if self.log.sends(TRACE):
            self.blocks.mark(VISIT, "end", TRACE, f"visit {visit}")
        if self.on_progress is not None:
            self.on_progress(visit, "")

    def _current(self, number: int) -> Clipboard | None:
        """The visit's clipboard between preprocess and postprocess of a stage."""
        if self._between is not None:
            return self._between.element()
        after, before = self.queues[number], self.queues[number - 1]
        return after.element() if after.size() > 0 else before.element()


def _drain(queue: Queue) -> list[Clipboard]:
    out = []
    while queue is not None and queue.size() > 0:
        out.append(queue.getNextDataset())
    return [clipboard for clipboard in out if clipboard is not None]
