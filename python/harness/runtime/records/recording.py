# SPDX-License-Identifier: BSD-3-Clause
"""The master's pen: turns what happens in a run into entries of its ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import LedgerError
from harness.ledger.journals import Journals
from harness.ledger.post_mortem import PostMortems, read_post_mortem
from harness.ledger.progress import Progress
from harness.ledger.visit import DIED, RAISED, Failure, VisitRecord
from harness.ledger.writer import Ledger, Output, StageTime
from harness.runtime.records.statistics import KIND_NAMES

if TYPE_CHECKING:
    from harness.log import Log
    from harness.runtime.configuration.config import PipelineConfig


class Recorder:
    """Records one run. Used by the master's main thread only; made after the nursery's fork.

    Every method that writes raises `LedgerError` when the ledger cannot take it: the run then ends.
    """

    def __init__(
        self, ledger: Ledger, config: PipelineConfig, run_dir: Path, post_mortems: PostMortems, log: Log
    ) -> None:
        self._ledger = ledger
        self._log = log
        self._post_mortems = post_mortems
        self._shape = config.n_slices, len(config.stages)
        self._record = VisitRecord(*self._shape)
        self._in_flight: dict[int, VisitRecord] = {}
        self._left: dict[int, VisitRecord] = {}
        # Of visits that have not ended yet.
        self._early_spans: list[tuple] = []
        self._early_outputs: list[Output] = []
        self._journals = Journals(run_dir, config.n_workers)
        self._progress = Progress(run_dir)
        self.enter_stage = self._progress.note
        """`enter_stage(visit, stage)` notes for `pex-harness status` where the master is."""
        self.page = self._progress.words
        """The page that this is noted on, if there is one."""
        # Spans have the monotonic clock's time.
        self._epoch_s = time.time() - time.monotonic()

    # --- a visit

    def begin_visit(self, visit: int, input_id: str | None = None) -> None:
        """Notes a visit's beginning; `input_id` identifies what it works on, where a number does not."""
        record = self._record = self._in_flight[visit] = VisitRecord(*self._shape, visit)
        self._ledger.begin_visit(visit, record.started, input_id)

    def turn_to(self, visit: int, slot: int) -> None:
        """What is noted from here on belongs to `visit`, which has that slot of the run's tables."""
        self._progress.turn_to(slot)
        self._record = self._in_flight.get(visit) or VisitRecord(*self._shape)

    def drop_visit(self, visit: int) -> None:
        """Forgets a visit of which no stage has run."""
        if self._in_flight.pop(visit, None) is not None:
            self._ledger.drop_visit(visit)

    def note_input(self, input_id: str) -> None:
        """Notes what the visit in progress works on, where that is known later than its beginning."""
        self._ledger.note_input(self._record.visit, input_id)

    def settle(self) -> None:
        """Returns when the disk has all that was recorded."""
        self._ledger.settle()

    def complete_inputs(self) -> set[str]:
        """What complete visits of every run of this directory worked on."""
        return self._ledger.complete_inputs()

    def ended_inputs(self) -> set[str]:
        """What visits worked on that have ended in any run of this directory, whatever failed in them."""
        return self._ledger.ended_inputs()

    def leave_stage(self, stage: int) -> None:
        """Notes that all ranks have left a stage behind."""
        self._record.reached = stage

    def record_raise(self, rank: int, stage: int, report: str, *, retried: bool = False) -> None:
        """Notes that a stage raised; `report` is what is known if the post-mortem is missing."""
        self._add(RAISED, rank, stage, kind="", text=report, retried=retried)

    def record_death(self, rank: int, stage: int, kind: str, text: str, *, retried: bool = False) -> None:
        """Notes that a worker died while it ran a rank.

        Args:
            rank: the slice.
            stage: its stage, from 1.
            kind: such as `SIGSEGV (signal 11)`.
            text: all that is known.
            retried: whether the slice's visit is run again; then this death decides nothing.
        """
        self._add(DIED, rank, stage, kind=kind, text=text, retried=retried)

    def _add(self, cause: str, rank: int, stage: int, *, kind: str, text: str, retried: bool) -> None:
        if self._record.visit not in self._in_flight:
            return
        path = self._post_mortems.file(self._record.visit, rank)
        known = read_post_mortem(path)
        # One of an earlier attempt may be there still.
        if known.get("cause") != cause or known.get("at", 0.0) < self._record.started:
            known = {}
        elif cause == RAISED and (complaint := self._post_mortems.complete_log(self._record.visit, rank)):
            self._log.warn(complaint)
        self._record.fail(
            Failure(
                rank=rank,
                stage=stage,
                cause=cause,
                kind=kind or known.get("kind") or "exception",
                text=_text_of(cause, text, known.get("traceback", "")),
                post_mortem=str(path) if known else None,
                retried=retried,
                at=time.time(),
            )
        )

    def end_visit(self, spans: list[tuple]) -> None:
        """Records a visit that has ended; `spans` are what `Run.drain_spans` returned."""
        record = self._record
        self._ledger.end_visit(record, self._times(self._early_spans + spans), self._outputs())
        self._in_flight.pop(record.visit, None)
        self.enter_stage(record.visit, 0)
        self._early_spans = [span for span in self._early_spans + spans if span[3] in self._in_flight]
        if record.reached < record.stages:
            self._left[record.visit] = record

    def _times(self, spans: list[tuple]) -> Iterator[StageTime]:
        for kind, stage, rank, visit, _outcome, start, end, *_ in spans:
            if kind in KIND_NAMES and visit == self._record.visit:
                yield StageTime(
                    rank, stage, KIND_NAMES[kind], self._epoch_s + start / 1e9, (end - start) / 1e9
                )

    def _outputs(self) -> list[Output]:
        """Those of the visit that is looked at, and of ended ones; what belongs to others waits for them."""
        outputs = self._early_outputs + self._journals.new_outputs()
        for complaint in self._journals.complaints:
            self._log.warn(complaint)
        self._journals.complaints.clear()
        now = self._record.visit
        others = self._in_flight.keys() - {now}
        self._early_outputs = [output for output in outputs if output.visit in others]
        due = [output for output in outputs if output.visit not in others]
        outside = [output.path for output in due if not 1 <= output.visit <= now]
        if outside:
            self._log.warn(f"not recorded, for they were written outside visits: {', '.join(outside[:5])}")
        return [output for output in due if 1 <= output.visit <= now]

    # --- the run's end

    def end_without_data(self, visit: int) -> None:
        """A slice said that there are no more data sets: its visit was left early, and is complete.

        Those after it, which had begun ahead, are not.
        """
        self._ledger.note_end_of_data(visit)
        record = self._left.get(visit, self._record)
        if not record.has_failed():
            self._ledger.call_complete(visit, f"no more data sets after stage {record.reached}")
        for younger, left in self._left.items():
            if younger > visit and not left.has_failed():
                why = f"visit {visit} had said that there are no more data sets"
                self._ledger.note_reason(younger, f"left after stage {left.reached}: {why}")

    def end_run(self, end: str, exit_code: int, reason: str) -> LedgerError | None:
        """Records how the run ended, and closes the ledger. What prevents that is logged, and returned."""
        self.enter_stage(self._record.visit, 0)
        self._progress.close()
        broken = list(self._in_flight.values())
        try:
            late = self._late_outputs() if broken or self._record.visit else []
            for record in broken:
                own = [out for out in late if out.visit == record.visit]
                self._ledger.break_visit(record, own, reason)
            if others := [out for out in late if out.visit not in self._in_flight]:
                self._ledger.add_outputs(others)
            self._ledger.end_run(end, exit_code, reason)
        except (LedgerError, OSError) as error:
            self._log.fatal(f"the end of the run is not recorded: {error}")
            return error if isinstance(error, LedgerError) else LedgerError(str(error))
        finally:
            self._in_flight.clear()
            self._ledger.close()
        return None

    def _late_outputs(self) -> list[Output]:
        """What no visit's end has recorded."""
        if self._in_flight:
            self._record = self._in_flight[max(self._in_flight)]
        return self._outputs() + self._early_outputs


def _text_of(cause: str, text: str, traceback: str) -> str:
    """A traceback ends with what was raised; stacks do not say who died of what."""
    return f"{text}\n{traceback}".rstrip() if cause == DIED else traceback or text
