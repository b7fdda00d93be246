# SPDX-License-Identifier: BSD-3-Clause
"""After a worker's death: the fresh worker that takes its place, and what is told and recorded about it."""

from __future__ import annotations

import pickle
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness import _core
from harness.errors import HarnessError, InternalError, SliceDied
from harness.runtime.processes import stacks
from harness.runtime.processes.fates import FAIL, Fates, Judged, stage_name
from harness.runtime.processes.supervisor import KILL_TIMEOUT_S, Death, Supervisor

if TYPE_CHECKING:
    from harness.log import Log
    from harness.runtime.configuration.config import PipelineConfig
    from harness.runtime.halves.in_slices import InSlices
    from harness.runtime.processes.last_words import LastWords
    from harness.runtime.records.statistics import RunStatistics

def limits_ns(config: PipelineConfig) -> list[int]:
    """How long a slice may take, by step: nothing, the stages, the close of a visit. In ns; 0: for ever."""
    seconds = [None, *(stage.timeout for stage in config.stages), config.timeout]
    return [0 if limit is None else int(limit * 1e9) for limit in seconds]


def stage_names(config: PipelineConfig) -> list[str]:
    """What messages call a step, by its number as `limits_ns` has them; the last is the failure stage."""
    failure = config.failure.name if config.failure is not None else ""
    return ["", *(f"stage {stage.name!r}" for stage in config.stages), f"failure stage {failure!r}"]


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
        look: str,
        last_words: LastWords | None = None,
    ) -> None:
        """`record(rank, stage, error, retried)` is told of every rank that a death has cost something.

        `look` says, in words, where people find what a worker has left; `last_words` has the stacks of
        workers that a fatal signal has ended.
        """
        self._run = run
        self._config = config
        self._supervisor = supervisor
        self._log = log
        self._statistics = statistics
        self._record = record
        self._look = look
        self._error: HarnessError | None = None
        self._fates: dict[int, Fates] = {}
        self._setup_deaths: Counter[int] = Counter()
        # Workers that were killed for being late: when, and the words for the cause.
        self._late: dict[int, tuple[float, str]] = {}
        self._last_words = last_words
        self._stacks: dict[int, str] = {}

    def stacks_of(self, pid: int) -> str:
        """The Python stacks of a worker that has died, as it was killed for being late, or by a fatal signal.

        Empty where there are none. Known until its ranks' fates are recorded.
        """
        return self._stacks.get(pid, "")

    def begin_visit(self, visit: int) -> None:
        """A slice has its retries in every visit."""
        self._fates[visit] = Fates(self._run, self._config)

    def end_visit(self, visit: int) -> None:
        """Forgets a visit."""
        self._fates.pop(visit, None)

    def note_failed(self, visit: int, rank: int) -> bool:
        """As `Fates.note_failed` of that visit."""
        return self._fates[visit].note_failed(rank)

    def workers_died(self, slices: list[InSlices], look_at: Callable[[InSlices], None]) -> bool:
        """Replaces every worker that has died. Returns whether the run goes on; if not, `error` says why.

        `slices` has the visits that slices have begun, the oldest first; `look_at` has the run and the master
        look at one of them.
        """
        for death in self._supervisor.deaths(self._run):
            if death.worker < 0:
                self._log.warn(f"{self._supervisor.name_helper(death.pid)} died of {death.cause}")
            elif not self._replace(death, slices, look_at):
                return False
        return True

    def error(self, visit: int) -> HarnessError:
        """Why the run does not go on."""
        if self._error is not None:
            return self._error
        for death in self._supervisor.deaths(self._run):
            if death.worker >= 0:
                return self._died(death, visit).followed_by("the run ends: its first visit had not begun")
        return InternalError("the loop saw a death that nobody noted")

    def end_late(self, worker: int, visit: int, step: int) -> None:
        """Kills a worker that has run for too long; it is replaced when it has ended.

        Step 0: it sets its stages up. Raises `SliceDied` when it does not end: what it holds can't be given
        to another.
        """
        pid = self._run.worker_pids()[worker]
        told = self._late.get(pid)
        rank, stage = self._run.busy(worker)
        if told is None:
            sets_up = step == 0
            number = stage if stage > 0 and (rank >= 0 or sets_up) else step
            limit = limits_ns(self._config)[number] / 1e9
            cause = f"a stageTimeout of {limit:g} s, after which it was killed,"
            self._late[pid] = time.monotonic(), cause
            text = self._stacks[pid] = _stacks_of(pid)
            where = "run no stage"
            if sets_up:
                where = f"set {stage_names(self._config)[number]} up"
            elif rank >= 0:
                where = f"run stage {stage_name(self._config, stage)} for rank {rank}"
            when = f"in visit {visit}" if visit else "before the first visit"
            self._log.warn(
                f"worker {worker} (pid {pid}, ranks {self._supervisor.ranks_of(worker)}) is late {when}:"
                f" it has {where} for more than {limit:g} s (stageTimeout) and is killed now"
                f"\n{text}"
            )
            self._run.kill_worker(worker)
        elif time.monotonic() - told[0] > KILL_TIMEOUT_S:
            died = self._died(Death(worker, pid, True, 9, False, rank, stage, False), visit)
            raise died.followed_by("the run ends: it has not ended yet, so what it holds can't be given away")

    # --- one death

    def _replace(
        self, death: Death, slices: list[InSlices], look_at: Callable[[InSlices], None]
    ) -> bool:
        at = next((where for where in slices if where.visit == death.visit), slices[0])
        error = self._died(death, at.visit)
        judged: dict[InSlices, Judged] = {}
        for where in slices:
            look_at(where)
            fates = self._fates[where.visit]
            judged[where] = Judged() if death.starting else fates.judge(death, where)
        if why := self._why_the_run_ends(death, at, judged):
            self._error = error.followed_by(f"the run ends: {why}")
            # What is recorded at the run's end is that visit's.
            look_at(at)
            return False
        for where, one in judged.items():
            look_at(where)
            self._tell_fresh_worker(where.visit, one, error)
        incarnation = self._run.revoke(death.worker)
        pid = self._supervisor.replace(self._run, death.worker, incarnation)
        reasons = self._reasons(judged, at)
        nothing = "its stages are set up once more" if death.starting else "no slice has lost anything"
        self._log.warn(f"{error.what}; a fresh worker (pid {pid}) takes its place: {reasons or nothing}")
        self._statistics.count_death(
            visit=at.visit,
            stage=max(at.step, death.stage) if death.rank >= 0 else at.step,
            worker=death.worker,
            pid=death.pid,
            rank=death.rank,
            cause=error.cause,
            seen_ns=death.seen_ns,
            replaced_after_ms=(time.monotonic_ns() - death.seen_ns) / 1e6,
            replayed=judged[at].replayed,
            failed=judged[at].failed,
            elsewhere=[
                {"visit": where.visit, "replayed": one.replayed, "failed": one.failed}
                for where, one in judged.items()
                if where is not at and (one.replayed or one.failed)
            ],
        )
        # Only now, for it may take as long as writing what the slices had received.
        for where, one in judged.items():
            look_at(where)
            self._record_fates(where.visit, one, death, error)
        # The number may be another process's by now.
        self._late.pop(death.pid, None)
        self._stacks.pop(death.pid, None)
        return True

    def _tell_fresh_worker(self, visit: int, judged: Judged, error: SliceDied) -> None:
        """Leaves a verdict for each rank, in the visit that the run looks at."""
        reports = self._fates[visit].reports
        for rank, (verdict, stage) in judged.verdicts.items():
            if rank in judged.failed:
                reports[rank] = pickle.dumps(error.followed_by(judged.reasons[rank]))
            if verdict == FAIL:
                # Again for every worker: the one before may have written a report of its own there.
                self._run.write_report(rank, reports[rank])
            self._run.set_verdict(rank, visit, stage, verdict)

    def _record_fates(self, visit: int, judged: Judged, death: Death, error: SliceDied) -> None:
        for rank in judged.failed:
            told = error.followed_by(judged.reasons[rank])
            self._record(rank, judged.verdicts[rank][1], told, False)
        if visit == death.visit and death.rank in judged.replayed:
            told = error.followed_by(judged.reasons[death.rank])
            self._record(death.rank, death.stage, told, True)
        for rank, stage in judged.broken.items():
            self._statistics.count_failure(visit, stage, rank)

    @staticmethod
    def _reasons(judged: dict[InSlices, Judged], at: InSlices) -> str:
        """What follows for the ranks, in words; of other visits than that of the death with their number."""
        return "; ".join(
            reason if where is at else f"in visit {where.visit} {reason}"
            for where, one in judged.items()
            for reason in one.reasons.values()
        )

    def _why_the_run_ends(self, death: Death, at: InSlices, judged: dict[InSlices, Judged]) -> str:
        """The policy may want that, or it is hopeless: replacements must have an end. Empty: it goes on."""
        retries = self._config.slice_retries
        tries = self._setup_deaths[death.worker] + 1 if death.starting else 0
        self._setup_deaths[death.worker] = tries
        if tries > retries:
            return f"replacements of it died there {tries} times in a row, and sliceRetries is {retries}"
        if not self._supervisor.replaces_workers:
            return "it replaces no worker"
        failed = [one.reasons[one.failed[0]] for one in judged.values() if one.failed]
        if failed and self._config.failure_ends_run:
            return f"{failed[0]}, and onSliceFailure is \"run\""
        # Each rank may kill its worker once, in every retry, and in its failure stage. Who dies more often is
        # killed from outside, or by what is no stage's doing.
        counted = self._fates[at.visit].deaths
        counted[death.worker] += 1
        deaths = counted[death.worker]
        ranks = max(1, len(judged[at].verdicts))
        if deaths > (retries + 2) * (ranks + 1):
            return f"that is the {deaths}th death of this worker in one visit, more than its slices can cause"
        return ""

    def _died(self, death: Death, visit: int) -> SliceDied:
        stage = stage_name(self._config, death.stage) if death.rank >= 0 else ""
        self._take_last_words(death)
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
            look=self._look,
        )

    def _take_last_words(self, death: Death) -> None:
        """What the worker wrote while a fatal signal ended it goes to the log file."""
        text = self._last_words.take(death.worker) if self._last_words is not None else ""
        if text:
            self._stacks[death.pid] = text
            self._log.info(f"the last of worker {death.worker} (pid {death.pid}):\n{text}")

    def _cause(self, death: Death) -> str:
        told = self._late.get(death.pid)
        return told[1] if told is not None else death.cause
