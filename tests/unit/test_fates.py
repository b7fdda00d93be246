# SPDX-License-Identifier: BSD-3-Clause
"""What a worker's death costs its ranks, wherever in its step it died."""

import os
import signal
from types import SimpleNamespace

import pytest
from harness import _core
from harness.runtime.halves.in_slices import InSlices
from harness.runtime.processes.fates import FAIL, REPLAY, Fates
from harness.runtime.processes.supervisor import Death


class Killed:
    """A worker that dies when its step has run: its entry names no rank, and its cell has not arrived."""

    def __init__(self, run, stateful: bool) -> None:
        self.run, self.stateful = run, stateful

    def told(self):
        raise AssertionError("it is dead by then")

    def run_step(self, rank, visit, step, more):
        if self.stateful:
            self.run.set_stateful(rank)
        worker = os.getpid()
        child = os.fork()
        if child == 0:
            # Who attaches says that it runs nothing: a fork says it for the worker.
            self.run.attach_worker(0, worker, 0)
            os._exit(0)
        os.waitpid(child, 0)
        os.kill(os.getpid(), signal.SIGKILL)


class Master:
    """Hooks that judge the death and end the run."""

    def __init__(self, run, retries: int) -> None:
        stages = [SimpleNamespace(name="one")]
        config = SimpleNamespace(n_slices=2, n_workers=1, stages=stages, slice_retries=retries)
        self.run, self.fates = run, Fates(run, config)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_: 0

    def workers_died(self, slices):
        (where,) = slices
        self.death = Death(*self.run.take_death())
        self.judged = self.fates.judge(self.death, InSlices(*where))
        self.run.revoke(0)
        return False


@pytest.fixture
def judge():
    """`judge(retries, stateful)` runs a visit whose worker dies after its first step; the master it had."""
    runs = []

    def judge(retries: int, *, stateful: bool) -> Master:
        run = _core.Run(1 << 20, 2, 1, 1)
        runs.append(run)
        run.attach_master()
        pid = os.fork()
        if pid == 0:
            try:
                run.attach_worker(0, os.getpid(), 0)
                for rank in range(2):
                    run.arrive_ready(rank, _core.OUTCOME_OK)
                run.run_worker(Killed(run, stateful))
            finally:
                os._exit(9)
        run.start_watcher()
        run.watch(0, pid)
        master = Master(run, retries)
        end, _visit, _stage = run.run_master(_core.Schedule(["one"], True, 1), master)
        assert end == _core.LoopEnd.PROCESS_DIED
        assert master.death.pid == pid and master.death.signalled
        return master

    yield judge
    for run in runs:
        run.stop_watcher()


def test_who_died_between_its_step_and_its_arrival_is_charged_with_it(judge):
    master = judge(1, stateful=False)
    assert (master.death.rank, master.death.stage) == (0, 1)
    assert master.judged.verdicts == {0: (REPLAY, 0), 1: (REPLAY, 0)}
    assert master.judged.replayed == [0]
    assert master.judged.reasons == {
        0: "the visit of rank 0 runs again from its first stage (retry 1 of 1)"
    }


@pytest.mark.parametrize(
    ("retries", "stateful", "why"), [(0, False, "sliceRetries is 0"), (1, True, "(stateful)")]
)
def test_who_died_between_its_step_and_its_arrival_is_not_run_again_where_it_must_not(
    judge, retries, stateful, why
):
    judged = judge(retries, stateful=stateful).judged
    assert judged.verdicts == {0: (FAIL, 1), 1: (REPLAY, 0)}
    assert judged.failed == [0] and why in judged.reasons[0]


def test_the_number_of_a_worker_whose_place_is_free_is_nobody_s(judge):
    assert judge(1, stateful=False).run.worker_pids() == [0]
