# SPDX-License-Identifier: BSD-3-Clause
"""What becomes of the ranks of a worker that has died: run again, failed, or skipped."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness import _core

if TYPE_CHECKING:
    from harness.runtime.configuration.config import PipelineConfig
    from harness.runtime.halves.in_slices import InSlices
    from harness.runtime.processes.supervisor import Death

FAILED_BEFORE = _core.OUTCOME_RAISED | _core.OUTCOME_SKIPPED
REPLAY, FAIL, SKIP = _core.Verdict.REPLAY, _core.Verdict.FAIL, _core.Verdict.SKIP
ELSEWHERE = 1 << 30
"""In the place of a rank: the worker ran one in another visit."""
WHY_SPENT = {
    _core.Spent.TAKEN: "it took over an array that had arrived (take), so that what it began with is gone",
    _core.Spent.CANVAS: "a canvas of its own has crossed, which a fresh worker would not write to",
}


def stage_name(config: PipelineConfig, stage: int) -> str:
    """A stage (from 1) for messages, in quotes."""
    known = 1 <= stage <= len(config.stages)
    return repr(config.stages[stage - 1].name) if known else "'end of visit'"


class Judged:
    """What one death costs: a verdict, with a stage where it needs one, for every rank of the worker.

    `replayed` and `failed` are those to whom it happens by this death; `broken` those whose failure stage has
    died, with the stage in which they had failed. `reasons` has words for each of these ranks.
    """

    def __init__(self) -> None:
        self.verdicts: dict[int, tuple[_core.Verdict, int]] = {}
        self.replayed: list[int] = []
        self.failed: list[int] = []
        self.broken: dict[int, int] = {}
        self.reasons: dict[int, str] = {}


class Fates:
    """Counts the retries of one visit and decides by them. Used by the master's main thread."""

    def __init__(self, run: _core.Run, config: PipelineConfig) -> None:
        self._run = run
        self._config = config
        self._tries: Counter[int] = Counter()
        self._failed: set[int] = set()
        # Ranks that a fresh worker is to treat as failed, and has not come to yet, with the stage.
        self._condemned: dict[int, int] = {}
        self.deaths: Counter[int] = Counter()
        """How often each worker has died in the visit."""
        self.reports: dict[int, bytes] = {}
        """Why the ranks that have failed by a death have: a pickled SliceDied."""

    def note_failed(self, rank: int) -> bool:
        """Notes that a rank is to be skipped for the rest of the visit. Returns whether it is for a death."""
        self._failed.add(rank)
        return self._condemned.pop(rank, None) is not None

    def judge(self, death: Death, where: InSlices) -> Judged:
        """The fates of all ranks of the worker in a visit that slices have begun.

        The run looks at the visit. In the one in which the worker died, who ran there answers for it.
        """
        judged = Judged()
        if death.rank >= 0 and death.visit != where.visit:
            death = death._replace(rank=ELSEWHERE)
        self._failed.update(where.failed)
        for rank in self._run.ranks_of(death.worker):
            verdict = self._fate(rank, death, (where.visit, where.step_of(rank)), judged)
            judged.verdicts[rank] = verdict, self._condemned.get(rank, 0)
        return judged

    def _fate(self, rank: int, death: Death, at: tuple[int, int], judged: Judged) -> _core.Verdict:
        visit, step = at
        arrived, outcome = self._run.arrival(rank)
        stages, last = len(self._config.stages), self._run.last_of(step)
        if step > stages or (arrived and last == stages):
            return REPLAY  # Nothing is left to do but to close the visit.
        if rank in self._failed or (arrived and outcome & FAILED_BEFORE):
            return SKIP
        if rank in self._condemned:
            return self._fate_of_condemned(rank, death, judged)
        if step == 1 and not arrived and rank != death.rank:
            return REPLAY  # It has not begun.
        why = self._why_not_again(rank, death, visit, arrived)
        if not why:
            tries = self._tries[rank]
            retry = f" (retry {tries} of {self._config.slice_retries})" if tries else ""
            judged.reasons[rank] = f"the visit of rank {rank} runs again from its first stage{retry}"
            judged.replayed.append(rank)
            return REPLAY
        then = last + 1 if arrived else step
        stage = self._condemned[rank] = death.stage if rank == death.rank else then
        judged.reasons[rank] = f"rank {rank} has failed in stage {stage_name(self._config, stage)}: {why}"
        judged.failed.append(rank)
        return FAIL

    def _fate_of_condemned(self, rank: int, death: Death, judged: Judged) -> _core.Verdict:
        if rank != death.rank:
            return FAIL
        judged.broken[rank] = self._condemned.pop(rank)
        judged.reasons[rank] = f"rank {rank} is skipped: its failure stage has died, too"
        self._failed.add(rank)
        return SKIP

    def _why_not_again(self, rank: int, death: Death, visit: int, arrived: bool) -> str:
        """Why the visit of a rank can't be run again; empty if it can."""
        retries = self._config.slice_retries
        # Who ran when the worker died has to answer for it; the others only if nobody did.
        if rank == death.rank or (death.rank < 0 and not arrived):
            self._tries[rank] += 1
        if self._run.is_stateful(rank):
            return "a stage of it keeps from visit to visit what a fresh worker does not know (stateful)"
        if spent := WHY_SPENT.get(self._run.spent(rank, visit)):
            return f"its visit can't be repeated: {spent}"
        if retries == 0:
            return "sliceRetries is 0"
        if self._tries[rank] > retries:
            return f"sliceRetries ({retries}) are used up"
        return ""
