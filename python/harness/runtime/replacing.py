# SPDX-License-Identifier: BSD-3-Clause
"""After a worker's death: who is run again, who counts as failed, and the fresh worker that does it."""

from __future__ import annotations

import pickle
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness import _core
from harness.errors import HarnessError, InternalError, SliceDied
from harness.runtime import stacks
from harness.runtime.supervisor import KILL_TIMEOUT_S, Death, Supervisor

if TYPE_CHECKING:
    from harness.log import Log
    from harness.runtime.config import PipelineConfig
    from harness.runtime.statistics import RunStatistics

FAILED_BEFORE = _core.OUTCOME_RAISED | _core.OUTCOME_SKIPPED
REPLAY, FAIL, SKIP = _core.Verdict.REPLAY, _core.Verdict.FAIL, _core.Verdict.SKIP
WHY_SPENT = {
    _core.Spent.TAKEN: "it took over an array that had arrived (take), so that what it began with is gone",
    _core.Spent.CANVAS: "a canvas of its own has crossed, which a fresh worker would not write to",
}


def limits_ns(config: PipelineConfig) -> list[int]:
    """How long a slice may take, by step: nothing, the stages, the close of a visit. In ns; 0: for ever."""
    seconds = [None, *(stage.timeout for stage in config.stages), config.timeout]
    return [0 if limit is None else int(limit * 1e9) for limit in seconds]


def _stacks_of(pid: int) -> str:
    try:
        return stacks.dump(pid)
    except stacks.NoStacks as error:
        return f"no Python stacks: {error}"


class Replacing:
    """Used by the master's main thread, while the loop waits for the slices."""

    def __init__(
        self,
        run: _core.Run,
        config: PipelineConfig,
        supervisor: Supervisor,
        log: Log,
        statistics: RunStatistics,
        record: Callable[[int, int, SliceDied, bool], None],
    ) -> None:
        """`record(rank, stage, error, retried)` is told of every rank that a death has cost something."""
        self._run = run
        self._config = config
        self._supervisor = supervisor
        self._log = log
        self._statistics = statistics
        self._record = record
        self._error: HarnessError | None = None
        self._visit = 0
        self._tries: Counter[int] = Counter()
        self._failed: set[int] = set()
        # Ranks that the replacement is to treat as failed, and has not come to yet, with the stage.
        self._condemned: dict[int, int] = {}
        self._setup_deaths: Counter[int] = Counter()
        # Workers that were killed for being late: when, and the words for the cause.
        self._late: dict[int, tuple[float, str]] = {}

    def begin_visit(self) -> None:
        """Forgets the last visit: a slice has its retries in every visit."""
        self._tries.clear()
        self._failed.clear()
        self._condemned.clear()

    def note_failed(self, rank: int) -> bool:
        """Notes that a rank is to be skipped for the rest of the visit. Returns whether it is for a death."""
        self._failed.add(rank)
        return self._condemned.pop(rank, None) is not None

    def workers_died(self, visit: int, step: int) -> bool:
        """Replaces every worker that has died. Returns whether the run goes on; if not, `error` says why."""
        for death in self._supervisor.deaths(self._run):
            if death.worker < 0:
                self._log.warn(f"{self._supervisor.name_helper(death.pid)} died of {death.cause}")
            elif not self._replace(death, visit, step):
                return False
        return True

    def error(self, visit: int) -> HarnessError:
        """Why the run does not go on."""
        if self._error is not None:
            return self._error
        for death in self._supervisor.deaths(self._run):
            if death.worker >= 0:
                return self._died(death, visit)
        return InternalError("the loop saw a death that nobody noted")

    def end_late(self, worker: int, visit: int, step: int) -> None:
        """Kills a worker that has run for too long; it is replaced when it has ended.

        Raises `SliceDied` when it does not end: what it holds can't be given to another.
        """
        pid = self._run.worker_pids()[worker]
        told = self._late.get(pid)
        rank, stage = self._run.busy(worker)
        if told is None:
            limit = limits_ns(self._config)[step] / 1e9
            cause = f"a stageTimeout of {limit:g} s, after which it was killed,"
            self._late[pid] = time.monotonic(), cause
            where = f"stage {self._name(stage)} for rank {rank}" if rank >= 0 else "no stage"
            self._log.warn(
                f"worker {worker} (pid {pid}, ranks {self._supervisor.ranks_of(worker)}) is late in visit"
                f" {visit}: it has run {where} for more than {limit:g} s (stageTimeout) and is killed now"
                f"\n{_stacks_of(pid)}"
            )
            self._run.kill_worker(worker)
        elif time.monotonic() - told[0] > KILL_TIMEOUT_S:
            raise self._died(Death(worker, pid, True, 9, False, rank, stage, False), visit)

    # --- one death

    def _replace(self, death: Death, visit: int, step: int) -> bool:
        self._visit = visit
        error = self._died(death, visit)
        fates: dict[int, _core.Verdict] = {}
        if death.starting:
            self._setup_deaths[death.worker] += 1
            goes_on = self._setup_deaths[death.worker] <= self._config.slice_retries
            told = "its stages are set up once more in a fresh worker"
        else:
            self._setup_deaths[death.worker] = 0
            ranks = range(death.worker, self._config.n_slices, self._config.n_workers)
            reasons: list[str] = []
            fates = {rank: self._fate(rank, death, step, reasons) for rank in ranks}
            goes_on = FAIL not in fates.values() or not self._config.failure_ends_run
            told = "; ".join(reasons) or "no slice has lost anything"
        if not goes_on:
            self._error = error
            return False
        for rank, fate in fates.items():
            if fate == FAIL:
                self._run.write_report(rank, pickle.dumps(error))
            self._run.set_verdict(rank, visit, self._condemned.get(rank, 0), fate)
        incarnation = self._run.revoke(death.worker)
        pid = self._supervisor.replace(self._run, death.worker, incarnation)
        self._log.warn(f"{error.what}; a fresh worker (pid {pid}) takes its place: {told}")
        self._statistics.count_death(
            visit=visit, stage=step, worker=death.worker, pid=death.pid, rank=death.rank,
            cause=self._cause(death), seen_ns=death.seen_ns,
            replaced_after_ms=(time.monotonic_ns() - death.seen_ns) / 1e6, replayed=[rank for rank, fate in fates.items() if fate == REPLAY],
            failed=[rank for rank, fate in fates.items() if fate == FAIL],
        )  # fmt: skip
        # Only now, for it may take as long as writing what the slices had received.
        for rank, fate in fates.items():
            if fate == FAIL:
                self._record(rank, self._condemned[rank], error, False)
            elif fate == REPLAY and rank == death.rank:
                self._record(rank, death.stage, error, True)
        return True

    def _fate(self, rank: int, death: Death, step: int, reasons: list[str]) -> _core.Verdict:
        """What the fresh worker does for a rank; `reasons` gets the words."""
        arrived, outcome = self._run.arrival(rank)
        last = len(self._config.stages)
        if step > last or (arrived and step == last):
            return REPLAY  # Nothing is left to do but to close the visit.
        if rank in self._failed or (arrived and outcome & FAILED_BEFORE):
            self._condemned.pop(rank, None)
            return SKIP
        if rank in self._condemned:
            return self._fate_of_condemned(rank, death, reasons)
        if step == 1 and not arrived and rank != death.rank:
            return REPLAY  # It has not begun.
        why = self._why_not_again(rank, death, arrived)
        if not why:
            tries = self._tries[rank]
            retry = f" (retry {tries} of {self._config.slice_retries})" if tries else ""
            reasons.append(f"the visit of rank {rank} runs again from its first stage{retry}")
            return REPLAY
        stage = death.stage if rank == death.rank else step + arrived
        self._condemned[rank] = stage
        reasons.append(f"rank {rank} has failed in stage {self._name(stage)}: {why}")
        return FAIL

    def _fate_of_condemned(self, rank: int, death: Death, reasons: list[str]) -> _core.Verdict:
        if rank != death.rank:
            return FAIL
        stage = self._condemned.pop(rank)
        reasons.append(f"rank {rank} is skipped: its failure stage has died, too")
        self._statistics.count_failure(self._visit, stage, rank)
        self._failed.add(rank)
        return SKIP

    def _why_not_again(self, rank: int, death: Death, arrived: bool) -> str:
        """Why the visit of a rank can't be run again; empty if it can."""
        retries = self._config.slice_retries
        # Who ran when the worker died has to answer for it; the others only if nobody did.
        if rank == death.rank or (death.rank < 0 and not arrived):
            self._tries[rank] += 1
        if self._run.is_stateful(rank):
            return "a stage of it keeps from visit to visit what a fresh worker does not know (stateful)"
        if spent := WHY_SPENT.get(self._run.spent(rank, self._visit)):
            return f"its visit can't be repeated: {spent}"
        if retries == 0:
            return "sliceRetries is 0"
        if self._tries[rank] > retries:
            return f"sliceRetries ({retries}) are used up"
        return ""

    def _died(self, death: Death, visit: int) -> SliceDied:
        stage = self._name(death.stage) if death.rank >= 0 else ""
        return SliceDied(
            death.worker,
            death.pid,
            rank=death.rank,
            ranks=self._supervisor.ranks_of(death.worker),
            stage="setup" if death.starting else stage,
            visit=visit,
            signalled=death.signalled,
            code=death.code,
            cause=self._cause(death),
        )

    def _cause(self, death: Death) -> str:
        told = self._late.get(death.pid)
        return told[1] if told is not None else death.cause

    def _name(self, stage: int) -> str:
        stages = self._config.stages
        return repr(stages[stage - 1].name) if 1 <= stage <= len(stages) else "'end of visit'"
