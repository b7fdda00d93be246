# SPDX-License-Identifier: BSD-3-Clause
"""What the Pipeline and every Slice share: queues, clipboards, stages, the error flag, the visit's log."""

from __future__ import annotations

from collections.abc import Callable
from os import getpid
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from harness import _core, births, streams
from harness._records import generation
from harness._steps import HalfState, close_all
from harness.clipboard import Clipboard
from harness.errors import StageFailed
from harness.log.run_logs import off_console
from harness.queue import Queue
from harness.runtime.halves.blocks import Blocks
from harness.runtime.halves.failure import (
    Uncommon,
    bounded,
    describe_failure,
    failure_record,
    format_failure,
    original_of,
    put_failure_keys,
)
from harness.runtime.halves.isolation import isolate
from harness.runtime.halves.post_mortems import write_after_raise
from harness.runtime.halves.stray_forks import end_if_stray
from harness.runtime.records.parked import ParkedVisits
from harness.stage import StageProcessing
from harness.transport import Transport

if TYPE_CHECKING:
    from harness.ledger.post_mortem import PostMortems
    from harness.log import Log
    from harness.log.foreign import ForeignRecords
    from harness.runtime.configuration.config import PipelineConfig, StageConfig

DEBUG = -10
TRACE = -1
VERB2 = -2
VERB3 = -3
SILENT = 1 << 30
"""A threshold that nothing passes."""


ResultT = TypeVar("ResultT")
StageT = TypeVar("StageT", bound=StageProcessing)


class Half(HalfState, Generic[StageT]):
    """One rank's stage instances with the n+1 queues between them. The master is rank -1.

    Stages are plugged into the same queues whatever visit they work on: the queues hold what belongs to the
    visit that the half looks at.
    """

    of_visit: tuple[str, ...] = ()
    """Attributes that belong to a visit."""

    def __init__(self, run: _core.Run, config: PipelineConfig, run_id: str, rank: int, log: Log) -> None:
        self.run = run
        self._clipboard_bytes = run.clipboard_bytes()
        self._has_several = run.slots > 1
        self._downs = [run.down_table(slot) for slot in range(run.slots)]
        self._ups = [run.up_lengths(slot) for slot in range(run.slots)]
        self.config = config
        self.run_id = run_id
        self.rank = rank
        self.log = log
        self.blocks = Blocks(log)
        self.foreign: ForeignRecords | None = None
        self._unprepared = True
        counts = self._audience(), self._addressees()
        self._transports = [
            Transport(run, config.share, counts[0], slot, keeps_manifests=rank < 0, arriving=counts[1])
            for slot in range(run.slots)
        ]
        self._look_at_slot(0)
        self.stages: list[StageT] = []
        self.failure_stage: StageT | None = None
        self.queues = [Queue() for _ in range(len(config.stages) + 1)]
        self.error_flagged = False
        self.random_seed = config.random_seed if config.random_seed is not None else streams.seed_of(run_id)
        streams.use_seed(self.random_seed)
        self.visit = 0
        """The visit that this half looks at, of those in flight."""
        self.in_visit = False
        """Whether it has begun and not ended."""
        self.stage_number = 0
        self._waiting: list[list[Clipboard | None]] = []
        self._parked = ParkedVisits(self, "error_flagged", "stage_number", "_waiting", *self.of_visit)
        self._pid = getpid()
        self._generation = generation()
        self._numbers = log.context
        self.root_log = log.root
        self.post_mortems: PostMortems | None = None

    def _audience(self) -> int:
        """How many clipboards receive what this one publishes."""
        if self.rank < 0:
            return self.config.n_slices
        # Where slices exchange, neighbours receive the same blocks as the master.
        return 2 if self.config.exchanges else 1

    def _addressees(self) -> int:
        """How many clipboards receive what comes to this one from the other side."""
        if self.rank < 0:
            # Where slices exchange, neighbours receive the same blocks.
            return 2 if self.config.exchanges else 1
        return self.config.n_slices

    def build(self, make: Callable[[StageConfig, dict[str, Any]], StageT | None]) -> None:
        """Creates and plugs in stages 1..n and the failure stage; `make` builds one from its configuration.

        Raises `StageFailed` naming the stage when a constructor or `setup()` raises.
        """
        for stage in self.config.stages:
            instance = self._make_one(make, stage, stage.number)
            assert instance is not None, "a missing class means the no-op class"
            instance.initialize(self.queues[stage.number], self.queues[stage.number - 1])
            self.stages.append(instance)
        if self.config.failure is not None:
            self.failure_stage = self._make_one(make, self.config.failure, -1)

    def _make_one(
        self,
        make: Callable[[StageConfig, dict[str, Any]], StageT | None],
        stage: StageConfig,
        stage_id: int,
    ) -> StageT | None:
        sysdata = {
            "name": stage.name,
            "rank": self.rank,
            "stageId": stage_id,
            "universeSize": self.config.n_slices + 1,
            "runId": self.run_id,
        }
        try:
            streams.reseed(self.random_seed, 0, self.rank, stage_id)
            instance = self.call_stage(make, stage, sysdata)
            if instance is not None:
                isolate(instance, self, stage_id)
            return instance
        except Exception as error:
            cause = original_of(error)
            who = "the master" if self.rank < 0 else f"slice {self.rank}"
            raise StageFailed(
                f"stage {stage.name!r} ({stage.where}) could not be set up in {who}:"
                f" {bounded(describe_failure(cause))}",
                rank=self.rank,
                details=format_failure(cause),
            ) from cause

    def call_stage(self, call: Callable[..., ResultT], *arguments: Any) -> ResultT:
        """Calls stage code. A process that it forks and that comes back, in whatever way, ends here.

        Raises what the stage raises; `Uncommon` in the place of what is not derived from `Exception`, unless
        that is to end the run: SystemExit, KeyboardInterrupt.
        """
        try:
            return call(*arguments)
        except (Exception, SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise Uncommon(error) from error
        finally:
            if generation() != self._generation:
                end_if_stray(self._pid)

    def _look_at_slot(self, slot: int) -> None:
        """What crosses is that of the visit in a slot of the run's tables."""
        self.transport = self._transports[slot]
        self.notes = self.transport.notes
        self.crossing = self.transport.crossing
        self._down = self._downs[slot]
        self.look_at(self._down, self._ups[slot], self._clipboard_bytes)

    def turn_to(self, visit: int) -> bool:
        """Looks at another visit, whose slot the run has turned to. Returns whether it was begun here."""
        if not self._has_several and not self.in_visit:
            # There is nothing that it could share its places with.
            self.visit = visit
            return False
        if self.in_visit:
            self._waiting = [_emptied(queue) for queue in self.queues]
            self._parked.park(self.visit)
        self.visit = visit
        self._look_at_slot(self.run.slot)
        self.in_visit = self._parked.unpark(visit)
        if self.in_visit:
            for queue, waiting in zip(self.queues, self._waiting, strict=True):
                for clipboard in waiting:
                    queue.addDataset(clipboard)
            # Who takes a clipboard out of its queue, and drops it, frees what is on it.
            self._waiting = []
            self._numbers.note("LOOPNUM", visit)
            if self.stage_number:
                self._numbers.note("STAGEID", self.stage_number)
            else:
                self.leave_stages()
        return self.in_visit

    def begin_visit(self, visit: int) -> None:
        """Empties every queue and puts one fresh clipboard into the first."""
        if self.foreign is not None:
            self.foreign.follow()
        if self._unprepared:
            self.prepare_births()
        self.start(visit)

    def prepare_births(self) -> None:
        """Has arrays born in the arena, once NumPy is there: a stage may import it when it first runs."""
        if complaint := births.prepare():
            self.log.warn(complaint)
        self._unprepared = births.coverage is None

    def enter_stage(self, number: int) -> None:
        """What is logged and recorded from here on belongs to stage `number`."""
        self.stage_number = number
        self._numbers.note("STAGEID", number)

    def empty_queues(self) -> None:
        """Takes every clipboard out of every queue and closes it."""
        close_all(self.queues)

    def pass_on(self, number: int) -> None:
        """Moves the head of queue number-1 to queue number, as a stage that is skipped does."""
        source = self.queues[number - 1]
        if source.size() > 0:
            self.queues[number].addDataset(source.getNextDataset())

    def count_clipboard(self, number: int) -> None:
        """Tells the core how many array bytes the clipboard holds after stage `number`."""
        clipboard = self.queues[number].element()
        self._clipboard_bytes[0] = clipboard._array_bytes() if clipboard is not None else 0

    def fail(
        self, number: int, raised: Exception, method: str, apply: Callable[[StageT], Any] | None
    ) -> None:
        """The error flow of the contract (5.5) for a stage of this half.

        `apply` runs the failure stage's matching half-step, with the failed clipboard at the head of queue
        number-1. Raises `StageFailed` when the failure stage raises.
        """
        stage, error = self.stages[number - 1], original_of(raised)
        self.error_flagged = True
        # The master tells of it on the console, in one line.
        log = off_console(self.log)
        # People at a terminal see the first line only.
        reason = describe_failure(error).partition("\n")[0]
        headline = f"{stage.getName()}.{method} raised in visit {self.visit}: {reason}"
        log.fatal(failure_record(headline, format_failure(error)))
        source, target = self.queues[number - 1], self.queues[number]
        # By size: a clipboard that holds nothing yet is false.
        failed = source.element() if source.size() > 0 else target.element()
        write_after_raise(self, number, method, error, failed)
        if self.failure_stage is not None and apply is not None and failed is not None:
            put_failure_keys(failed, stage, number, error)
            self._run_failure_stage(self.failure_stage, number, apply)
        for queue in (source, target):
            while queue.size() > 0:
                left = queue.getNextDataset()
                if left is not None:
                    left.close()
        target.addDataset(Clipboard())

    def keep_inputs_of_failure(self) -> tuple[str | None, str]:
        """Keeps what arrived in this visit in a file. Returns the file, or why there is none (or nothing)."""
        return None, ""

    def _run_failure_stage(
        self, stage: StageT, number: int, apply: Callable[[StageT], Any]
    ) -> None:
        stage.initialize(self.queues[number], self.queues[number - 1])
        try:
            self.call_stage(apply, stage)
        except Exception as error:
            cause = original_of(error)
            who = "the master" if self.rank < 0 else f"slice {self.rank}"
            told = bounded(describe_failure(cause))
            text = f"failure stage {stage.getName()!r} raised in {who}, visit {self.visit}: {told}"
            off_console(self.log).fatal(failure_record(text, format_failure(cause)))
            raise StageFailed(text, rank=self.rank, details=format_failure(cause)) from cause

    def shut_down(self) -> None:
        """Calls `shutdown()` of every instance once; one that raises is logged, and the others follow."""
        for number, stage in enumerate(self.stages, 1):
            self._shut_down_one(stage, number)
        if self.failure_stage is not None:
            self._shut_down_one(self.failure_stage, len(self.config.stages) + 1)

    def _shut_down_one(self, stage: StageT, number: int) -> None:
        """`number` is that of the stage; the failure stage comes after the last."""
        try:
            self.call_stage(stage.shutdown)
        except Exception as error:
            self.log.warn(f"{stage.getName()}.shutdown raised: {describe_failure(original_of(error))}")


def _emptied(queue: Queue) -> list[Clipboard | None]:
    """What was in a queue, in order."""
    out = []
    while queue.size() > 0:
        out.append(queue.getNextDataset())
    return out
