# SPDX-License-Identifier: BSD-3-Clause
"""What a replacement finds about the ranks of the worker before it, and what is forgotten about that one."""

import pickle
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from harness import _core
from harness.errors import SliceDied
from harness.runtime.halves.in_slices import InSlices
from harness.runtime.processes import replacing as replacing_module
from harness.runtime.processes.replacing import Replacing
from harness.runtime.processes.supervisor import Death

RANKS = 3


class Nursery:
    """A supervisor whose replacements are numbers; `ended` are the deaths that it tells next."""

    replaces_workers = True

    def __init__(self) -> None:
        self.ended: list[Death] = []
        self.last_pid = 1000

    def deaths(self, run):
        while self.ended:
            yield self.ended.pop(0)

    def replace(self, run, worker, incarnation):
        self.last_pid += 1
        return self.last_pid

    def ranks_of(self, worker):
        return "0,1,2"


@pytest.fixture
def scene():
    """(run, nursery, replacing) of three ranks on one worker, with no retries and a visit that has begun."""
    return make_scene(_core.Run(1 << 20, RANKS, 1, 2))


def make_scene(run, retries=0):
    nursery = Nursery()
    stages = [SimpleNamespace(name=name, timeout=2.0) for name in ("one", "two")]
    config = SimpleNamespace(
        n_slices=RANKS, n_workers=1, stages=stages, timeout=None, slice_retries=retries,
        failure_ends_run=False,
    )  # fmt: skip
    replacing = Replacing(run, config, nursery, Mock(), Mock(), Mock(), "there")
    replacing.begin_visit(1)
    return run, nursery, replacing


def died(pid: int, rank: int, stage: int, visit: int = 1) -> Death:
    return Death(0, pid, True, 11, False, rank, stage, False, visit=visit)


def tell(replacing, *in_flight):
    """Has the deaths handled, with visits (visit, step) in flight in slots of their own."""
    return replacing.workers_died(
        [InSlices(slot, visit, step) for slot, (visit, step) in enumerate(in_flight)],
        lambda where: replacing._run.turn_to(where.slot),
    )


def reason(run, rank: int):
    return pickle.loads(run.read_report(rank))


def test_the_reason_of_a_failed_rank_outlasts_reports_of_workers_that_die_later(scene):
    run, nursery, replacing = scene
    nursery.ended = [died(1000, 2, 2)]
    assert tell(replacing, (1, 2))
    assert [run.verdict(rank, 1) for rank in range(RANKS)] == [(_core.Verdict.FAIL, 2)] * RANKS
    for rank in range(RANKS):
        run.write_report(rank, "stage 'two': ValueError: text")
    nursery.ended = [died(1001, 0, 2)]
    assert tell(replacing, (1, 2))
    assert run.verdict(0, 1)[0] == _core.Verdict.SKIP
    for rank in (1, 2):
        assert run.verdict(rank, 1) == (_core.Verdict.FAIL, 2)
        assert (reason(run, rank).pid, reason(run, rank).rank) == (1000, 2)


def test_a_rank_that_fails_in_the_next_visit_has_the_reason_of_that_one(scene):
    run, nursery, replacing = scene
    for visit, pid in ((1, 1000), (2, 1001)):
        replacing.begin_visit(visit)
        nursery.ended = [died(pid, 1, 2, visit)]
        assert tell(replacing, (visit, 2))
        assert (reason(run, 1).visit, reason(run, 1).pid) == (visit, pid)


class OneNumber:
    """A run whose workers all have number 1000, as the kernel may give it again."""

    def __init__(self, run) -> None:
        self._run, self.kills = run, 0

    def __getattr__(self, name):
        return getattr(self._run, name)

    def worker_pids(self):
        return [1000]

    def kill_worker(self, worker):
        self.kills += 1


def test_a_worker_with_the_number_of_one_that_was_late_is_not_taken_for_it():
    run, nursery, replacing = make_scene(OneNumber(_core.Run(1 << 20, RANKS, 1, 2)))
    replacing.end_late(0, 1, 2)
    nursery.ended = [died(1000, 1, 2)]
    assert tell(replacing, (1, 2))
    assert "stageTimeout" in reason(run, 1).cause
    replacing.begin_visit(2)
    nursery.ended = [died(1000, 1, 2, 2)]
    assert tell(replacing, (2, 2))
    assert reason(run, 1).cause == "SIGSEGV (signal 11)"
    replacing.end_late(0, 2, 2)
    assert run.kills == 2


def test_a_late_worker_that_outlives_its_kill_is_waited_for_and_then_ends_the_run(monkeypatch):
    run, nursery, replacing = make_scene(OneNumber(_core.Run(1 << 20, RANKS, 1, 2)))
    for _ in range(3):
        replacing.end_late(0, 1, 2)
    assert run.kills == 1
    later = replacing_module.time.monotonic() + replacing_module.KILL_TIMEOUT_S + 1.0
    monkeypatch.setattr(replacing_module, "time", SimpleNamespace(monotonic=lambda: later))
    with pytest.raises(SliceDied) as caught:
        replacing.end_late(0, 1, 2)
    assert run.kills == 1 and caught.value.pid == 1000
    assert caught.value.cause == "a stageTimeout of 2 s, after which it was killed"
    assert caught.value.follows == "the run ends: it has not ended yet, so what it holds can't be given away"


def test_only_the_visit_that_ran_has_to_answer_for_a_death_with_several_in_flight():
    run, nursery, replacing = make_scene(_core.Run(1 << 20, RANKS, 1, 2, [], 2), retries=1)
    replacing.begin_visit(2)
    nursery.ended = [died(1000, 1, 2, 1)]
    assert tell(replacing, (1, 2), (2, 1))
    told = replacing._statistics.count_death.call_args.kwargs
    assert (told["visit"], told["replayed"], told["failed"]) == (1, [0, 1, 2], [])
    assert all(not one["failed"] for one in told["elsewhere"])
    # The second death of that rank in that visit is one too many; the other visit still has its retries.
    nursery.ended = [died(1001, 1, 2, 1)]
    assert tell(replacing, (1, 2), (2, 1))
    run.turn_to(0)
    assert run.verdict(1, 1)[0] == _core.Verdict.FAIL
    run.turn_to(1)
    assert run.verdict(1, 2)[0] == _core.Verdict.REPLAY


def test_deaths_in_several_visits_in_flight_are_as_many_as_one_after_the_other():
    visits = 4
    run, nursery, replacing = make_scene(_core.Run(1 << 20, 1, 1, 2, [], visits))
    for visit in range(2, visits + 1):
        replacing.begin_visit(visit)
    pid = 1000
    for visit in range(1, visits + 1):
        in_flight = range(visit, visits + 1)
        # The stage, and the failure stage.
        for _ in range(2):
            nursery.ended = [died(pid, 0, 2, visit)]
            slices = [InSlices((one - 1) % visits, one, 2) for one in in_flight]
            assert replacing.workers_died(slices, lambda where: run.turn_to(where.slot)), visit
            pid += 1
        replacing.end_visit(visit)


def test_a_worker_that_dies_more_often_in_a_visit_than_its_slices_can_cause_ends_the_run():
    run, nursery, replacing = make_scene(_core.Run(1 << 20, 1, 1, 2, [], 2))
    replacing.begin_visit(2)
    goes_on = True
    deaths = 0
    while goes_on and deaths < 20:
        nursery.ended = [died(1000 + deaths, -1, 0, 1)]
        goes_on = tell(replacing, (1, 2), (2, 2))
        deaths += 1
    assert not goes_on
    # The run looks at the visit of the death.
    assert run.slot == 0
    assert "more than its slices can cause" in str(replacing.error(1))
