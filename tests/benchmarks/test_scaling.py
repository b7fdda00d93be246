# SPDX-License-Identifier: BSD-3-Clause
"""The model of scaling beside cases whose answer is known, and its programs beside a run."""

from __future__ import annotations

import importlib
import math
import sys

import pytest

from .conftest import ROOT

pytest.importorskip("simpy", reason="simpy is not installed: pip install 'pex-harness[bench]'")


@pytest.fixture(scope="module")
def scaling():
    """The modules of benchmarks/scaling."""
    folders = [str(ROOT / "benchmarks" / name) for name in ("scaling", "handover")]
    names = set(sys.modules)
    sys.path[:0] = folders
    try:
        yield importlib.import_module("model"), importlib.import_module("distributions")
    finally:
        for folder in folders:
            sys.path.remove(folder)
        for name in set(sys.modules) - names:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(tuple(folders)):
                del sys.modules[name]


class Given:
    """Who receives from whom, by slice."""

    def __init__(self, receives):
        self.receives = receives

    def receives_from(self, rank):
        return self.receives.get(rank, ())

    def sends_to(self, rank):
        return tuple(other for other, found in self.receives.items() if rank in found)


def ring(ranks):
    """Every slice receives from the one before it."""
    return Given({rank: ((rank - 1) % ranks,) for rank in range(ranks)})


def job(model, **changes):
    values = {"workers": 4, "ranks": 4, "stages": (model.Stage(), model.Stage()), "visits": 10, **changes}
    return model.Job(**values)


@pytest.mark.parametrize(
    ("workers", "ranks", "turns"), [(1, 1, 1), (4, 4, 1), (4, 5, 2), (3, 9, 3), (8, 4, 1)]
)
def test_equal_times_take_as_many_turns_as_the_fullest_worker_has_ranks(scaling, workers, ranks, turns):
    model, distributions = scaling
    found = model.simulate(
        job(model, workers=workers, ranks=ranks), model.Costs(), distributions.constant(0.5)
    )
    assert found.wall == pytest.approx(10 * 2 * turns * 0.5)
    assert found.efficiency == pytest.approx(ranks / (workers * turns)) and len(found.ends) == 10


def test_every_cost_is_paid_once_where_it_belongs(scaling):
    model, distributions = scaling
    costs = model.Costs(
        serial=1.0, release=0.1, ring=0.01, wake=0.5, step=0.2, exchange=0.05, master_wake=0.3, gather=0.02,
        item=0.04, visit=7.0, look=100.0, go_on=100.0,
    )  # fmt: skip
    stages = (model.Stage(), model.Stage(before=2.0, after=3.0, exchanges=True, hands_over=True))
    # Of three slices in a line the middle one receives from two.
    line = Given({1: (0, 2), 0: (1,), 2: (1,)})
    one = job(model, workers=1, ranks=3, stages=stages, visits=4, topology=line)
    found = model.simulate(one, costs, distributions.constant(1.0))
    per_step = 3 * 0.1 + 0.01 + 0.5 + 3 * 0.2 + 0.3
    expected = 7.0 + 2 * (2 * 1.0 + 3 * 1.0 + 3 * 0.02) + 5.0 + 4 * 0.05 + 3 * 0.04 + 3 * per_step
    assert found.wall / 4 == pytest.approx(expected)


def test_lockstep_waits_for_the_slowest_of_exponential_times(scaling):
    model, distributions = scaling
    visits, workers = 2000, 8
    one = job(model, workers=workers, ranks=workers, stages=(model.Stage(),), visits=visits)
    found = model.simulate(one, model.Costs(), distributions.exponential(1.0, (visits, 1, workers)))
    harmonic = sum(1 / number for number in range(1, workers + 1))
    assert found.seconds_per_visit == pytest.approx(harmonic, rel=0.03)
    assert found.efficiency == pytest.approx(1 / harmonic, rel=0.03)


def test_fused_waits_for_the_slowest_of_sums(scaling):
    model, distributions = scaling
    visits, workers, stages = 2000, 4, 3
    shape = (visits, stages, workers)
    one = job(model, workers=workers, ranks=workers, stages=(model.Stage(),) * stages, visits=visits)
    lockstep = model.simulate(one, model.Costs(), distributions.exponential(1.0, shape))
    fused = model.simulate(*_in_order(model, one, distributions.exponential(1.0, shape)))
    # The mean of the largest of 4 sums of 3 exponential times: the integral of 1 - P(sum <= t) ^ 4.
    step, expected, at = 0.005, 0.0, 0.0
    while at < 40:
        below = 1 - math.exp(-at) * (1 + at + at * at / 2)
        expected += step * (1 - below**workers)
        at += step
    assert fused.seconds_per_visit == pytest.approx(expected, rel=0.03)
    assert lockstep.seconds_per_visit == pytest.approx(stages * (1 + 1 / 2 + 1 / 3 + 1 / 4), rel=0.03)
    assert fused.work == pytest.approx(lockstep.work)


def _in_order(model, one, durations):
    fused, together = model.fused(one, durations)
    return fused, model.Costs(), together


def test_slices_run_on_until_there_is_a_reason_to_meet(scaling):
    model, distributions = scaling
    stage = model.Stage
    one = job(model, topology=ring(4), stages=(
        stage(before=1.0), stage(), stage(after=2.0), stage(), stage(exchanges=True), stage(),
        stage(event=float), stage(), stage(after=1.0), stage(exchanges=True), stage(exchanges=True),
    ))  # fmt: skip
    fused, together = model.fused(one, distributions.constant(1.0))
    assert [together(0, number, 0) for number in range(len(fused.stages))] == [3.0, 1.0, 2.0, 3.0, 1.0, 1.0]
    assert [made.length for made in fused.stages] == [3, 1, 2, 3, 1, 1]
    assert [(made.before, made.after, made.exchanges, made.is_ready) for made in fused.stages] == [
        (1.0, 2.0, False, False), (0.0, 0.0, False, False), (0.0, 0.0, True, True), (0.0, 1.0, False, False),
        # Behind a postprocess slices meet in any case.
        (0.0, 0.0, True, False), (0.0, 0.0, True, True),
    ]  # fmt: skip
    assert [made.event for made in fused.stages] == [None, None, None, float, None, None]


def exchanging(model, stages, ranks, **changes):
    """Fused stages with an exchange before all but the first; a rank a worker, if `changes` say nothing."""
    found = tuple(model.Stage(exchanges=number > 0, is_ready=number > 0) for number in range(stages))
    usual = {"workers": ranks, "ranks": ranks, "stages": found, "topology": ring(ranks)}
    return job(model, **{**usual, **changes})


def begins(found, visit=0):
    return {(ran.stage, ran.rank): ran.start for ran in found.slices if ran.visit == visit}


def test_a_slice_goes_on_when_its_neighbours_are_as_far_and_waits_for_nobody_else(scaling):
    model, _ = scaling
    one = exchanging(model, 4, 8, visits=1)
    # Slice 0 takes 10 s for its first stage: news of it travel by one slice a stage.
    found = model.simulate(
        one, model.Costs(), lambda visit, stage, rank: 10.0 if (stage, rank) == (0, 0) else 1.0, keep=True
    )
    at = begins(found)
    for stage in range(1, 4):
        for rank in range(8):
            away = min(rank, 8 - rank)
            assert at[stage, rank] == pytest.approx(9.0 + stage if away <= stage else stage), (stage, rank)
    assert found.wall == pytest.approx(13.0)


@pytest.mark.parametrize("seed", range(3))
def test_exchanges_take_as_long_as_the_longest_way_through_neighbours(scaling, seed):
    model, distributions = scaling
    ranks, stages = 12, 6
    durations = distributions.exponential(1.0, (1, stages, ranks), seed)
    found = model.simulate(exchanging(model, stages, ranks, visits=1), model.Costs(), durations, keep=True)
    ended = [0.0] * ranks
    for stage in range(stages):
        starts = [max(ended[rank - 1], ended[rank], ended[(rank + 1) % ranks]) for rank in range(ranks)]
        for rank in range(ranks):
            assert begins(found)[stage, rank] == pytest.approx(starts[rank] if stage else 0.0)
        ended = [
            (start if stage else 0.0) + durations(0, stage, rank) for rank, start in enumerate(starts)
        ]
    assert found.wall == pytest.approx(max(ended))


def test_with_a_ring_of_three_all_are_neighbours_and_meet(scaling):
    model, distributions = scaling
    visits, ranks = 200, 3
    durations = distributions.exponential(1.0, (visits, 3, ranks))
    ready = model.simulate(exchanging(model, 3, ranks, visits=visits), model.Costs(), durations)
    meeting = model.simulate(
        job(model, workers=ranks, ranks=ranks, stages=(model.Stage(),) * 3, visits=visits),
        model.Costs(), durations,
    )  # fmt: skip
    assert ready.wall == pytest.approx(meeting.wall)


def test_a_leader_waits_for_its_group_and_the_group_for_its_leader(scaling):
    model, _ = scaling
    one = exchanging(model, 2, 6, visits=1, topology=Given({0: (1, 2), 3: (4, 5)}))
    times = [1.0, 2.0, 7.0, 3.0, 1.0, 1.0]
    found = model.simulate(one, model.Costs(), lambda visit, stage, rank: times[rank], keep=True)
    # 1 waits for itself and its leader alone, 0 for 2.
    assert [begins(found)[1, rank] for rank in range(6)] == pytest.approx([7.0, 2.0, 7.0, 3.0, 3.0, 3.0])


def test_no_rank_goes_on_before_it_was_let_go_on_in_the_visit_before(scaling):
    model, _ = scaling
    one = exchanging(model, 2, 6, visits=3, in_flight=2, balanced=True)
    # Others take slice 0 of the third visit, while it holds its worker in the second.
    durations = lambda *which: 9.0 if which == (1, 0, 0) else 1.0  # noqa: E731
    found = model.simulate(one, model.Costs(), durations, keep=True)
    second, third = begins(found, 1), begins(found, 2)
    start = min(second.values())
    assert third[0, 0] < start + 9.0 <= min(second[1, 1], second[1, 5])
    for rank in range(6):
        assert third[1, rank] >= second[1, rank], rank
    assert second[1, 3] < start + 9.0 and third[1, 3] < start + 9.0 <= third[1, 1]


def test_an_exchange_without_a_meeting_costs_looks_releases_and_rings(scaling):
    model, distributions = scaling
    costs = model.Costs(
        release=0.1, ring=0.01, wake=0.5, step=0.2, exchange=0.05, master_wake=0.3, gather=0.02, look=0.003,
        go_on=0.04,
    )  # fmt: skip
    one = exchanging(model, 2, 1, visits=4, topology=Given({}))
    found = model.simulate(one, costs, distributions.constant(1.0))
    meetings = 2 * (0.1 + 0.01 + 0.5 + 0.2 + 0.3) + 1.0 + 2 * 0.02
    # A rank alone: the worker rings the master that sleeps, and waits; it looks, and lets the rank go on.
    between = 0.3 + 0.003 + 0.04 + 0.01 + 0.5 + 0.2 + 1.0
    assert found.wall / 4 == pytest.approx(meetings + between)


def test_a_worker_turns_back_for_a_slice_that_was_let_go_on_when_it_is_through(scaling):
    model, distributions = scaling
    one = exchanging(model, 2, 4, visits=1, workers=1, topology=Given({}))
    found = model.simulate(one, model.Costs(), distributions.constant(1.0), keep=True)
    ran = [(run.stage, run.rank) for run in sorted(found.slices, key=lambda run: run.start) if run.stage < 2]
    assert ran == [(stage, rank) for stage in (0, 1) for rank in range(4)]
    # With others in flight it looks for the oldest visit's first rank behind each.
    two = exchanging(model, 2, 4, visits=3, workers=1, topology=Given({}), in_flight=2)
    found = model.simulate(two, model.Costs(), distributions.constant(1.0), keep=True)
    of_one = [
        (run.stage, run.rank) for run in sorted(found.slices, key=lambda run: run.start)
        if run.visit == 1 and run.stage < 2
    ]  # fmt: skip
    assert sorted(of_one) == [(stage, rank) for stage in (0, 1) for rank in range(4)]


@pytest.mark.parametrize("change", [
    {"exchanges": False}, {"before": 1.0}, {"event": float},
])  # fmt: skip
def test_who_waits_for_neighbours_alone_has_an_exchange_and_nothing_of_the_master_s(scaling, change):
    model, _ = scaling
    wrong = model.Stage(**{"exchanges": True, "is_ready": True, **change})
    with pytest.raises(ValueError, match="stage 1: is_ready: expected an exchange"):
        job(model, stages=(model.Stage(), wrong), topology=ring(4))
    with pytest.raises(ValueError, match="topology: expected one"):
        job(model, stages=(model.Stage(), model.Stage(exchanges=True)))


def test_what_a_rank_costs_beside_its_work_is_paid_for_every_stage_of_a_fused_step(scaling):
    model, distributions = scaling
    one = job(model, workers=1, ranks=1, stages=(model.Stage(),) * 3, visits=5)
    costs = model.Costs(step=0.25, release=4.0)
    fused, together = model.fused(one, distributions.constant(1.0))
    # Three stages and the closing; releases of the one step and of the closing.
    found = model.simulate(fused, costs, together)
    assert found.seconds_per_visit == pytest.approx(3 * 1.25 + 0.25 + 2 * 4.0)


def seconds_per_visit(model, in_flight, durations, **changes):
    one = job(model, in_flight=in_flight, **{"visits": 400, **changes})
    return model.simulate(one, model.Costs(), durations).seconds_per_visit


RANKS_EACH = 4


SLICES = 4.0
"""Seconds that the slices of a visit take, of 1 s each, 4 on a worker."""


def check_seconds(scaling, expected, **serial):
    """Holds the seconds per visit, by visits in flight, of one stage with these serial parts."""
    model, distributions = scaling
    for in_flight, seconds in expected.items():
        found = seconds_per_visit(
            model, in_flight, distributions.constant(1.0), workers=3, ranks=3 * RANKS_EACH,
            stages=(model.Stage(**serial),),
        )  # fmt: skip
        assert found == pytest.approx(seconds, rel=0.006), in_flight


@pytest.mark.parametrize(("serial", "expected"), [
    (0.5, {1: 4.5, 2: SLICES, 3: SLICES}),
    (3.0, {1: 7.0, 2: SLICES, 3: SLICES}),
    # A visit is closed when the next one's first slice has ended: from there, 3 s are left to hide behind. A
    # third visit makes up for it.
    (3.5, {1: 7.5, 2: (1.0 + 3.5 + SLICES) / 2, 3: SLICES}),
    (7.0, {1: 11.0, 2: 7.0, 3: 7.0}),
])  # fmt: skip
def test_visits_in_flight_hide_a_preprocess_behind_slices_or_slices_behind_it(scaling, serial, expected):
    check_seconds(scaling, expected, before=serial)


@pytest.mark.parametrize(("serial", "expected"), [
    (0.5, {1: 4.5, 2: SLICES, 3: SLICES}),
    (3.0, {1: 7.0, 2: SLICES, 3: SLICES}),
    (3.5, {1: 7.5, 2: SLICES, 3: SLICES}),
    # Before the master sums up another visit it begins one, for workers would wait.
    (7.0, {1: 11.0, 2: 7.0, 3: 7.0, 4: 7.0}),
])  # fmt: skip
def test_visits_in_flight_hide_a_postprocess_behind_slices_or_slices_behind_it(scaling, serial, expected):
    check_seconds(scaling, expected, after=serial)


def test_a_visit_that_waits_to_be_closed_behind_slices_of_the_next_needs_a_third_in_flight(scaling):
    model, distributions = scaling
    # One rank a worker: the next visit's slice begins when this one's ends, and closing waits for it.
    one = {"workers": 4, "ranks": 4, "stages": (model.Stage(before=1.0),)}
    two, three = (seconds_per_visit(model, w, distributions.constant(3.0), **one) for w in (2, 3))
    # Two visits are closed together, and two are begun behind them: 1 + 3 + 3 s, with the second 1 s hidden.
    assert two == pytest.approx((1.0 + 3.0 + 3.0) / 2, rel=0.01)
    assert three == pytest.approx(3.0, rel=0.01)


def test_visits_in_flight_hide_the_master_behind_the_slices(scaling):
    model, _ = scaling
    # Hand out 2 s in the master, reduce 3 s in the slices, sum up 1 s in the master.
    stages = (model.Stage(before=2.0), model.Stage(), model.Stage(after=1.0))

    def durations(visit, stage, rank):
        return 3.0 if stage == 1 else 0.0

    found = [seconds_per_visit(model, in_flight, durations, stages=stages) for in_flight in (1, 2, 3, 4, 6)]
    assert found[0] == pytest.approx(6.0)
    # Two at once: the first is summed up 6 s after its begin, but slices close it only when they have reduced
    # the second, at 8 s, and the third is handed out after the second's sum, at 9 s: 9 s for two visits.
    assert found[1] == pytest.approx(4.5, rel=0.02)
    # Less than the 3 s of the slices can't be had.
    assert all(3.0 <= seconds < 4.5 for seconds in found[2:])


def test_an_instance_with_both_serial_methods_has_one_visit_at_a_time(scaling):
    model, distributions = scaling
    both, apart = (model.Stage(before=1.0, after=1.0),), (model.Stage(before=1.0), model.Stage(after=1.0))
    kept, free = (
        seconds_per_visit(model, 3, distributions.constant(2.0 / len(stages)), stages=stages)
        for stages in (both, apart)
    )
    # The next visit waits from preprocess to postprocess: 1 + 2 + 1 s, as with one in flight.
    assert kept == pytest.approx(4.0)
    assert free < 3.0


def test_the_first_visit_is_alone_and_not_counted(scaling):
    model, distributions = scaling
    stages = (model.Stage(before=1.0), model.Stage(before=0.5))
    one = job(model, stages=stages, visits=20, in_flight=3)
    found = model.simulate(one, model.Costs(), distributions.constant(1.0), keep=True)
    assert found.ends[0] == pytest.approx(3.5)
    assert min(ran.start for ran in found.slices if ran.visit > 0) > found.ends[0]
    assert found.seconds_per_visit == pytest.approx((found.wall - 3.5) / 19)
    assert found.efficiency == pytest.approx(19 * 2.0 / (found.wall - 3.5))


@pytest.mark.parametrize(("period", "in_flight", "expected"), [
    (5.0, 1, 5.0), (2.5, 1, 4.0), (2.5, 2, 2.5), (5.0, 2, 5.0), (1.0, 3, 2.0),
])  # fmt: skip
def test_a_visit_waits_for_its_event_and_others_go_on_meanwhile(scaling, period, in_flight, expected):
    model, distributions = scaling
    stages = (model.Stage(before=2.0, event=lambda visit: period * visit),)
    found = seconds_per_visit(
        model, in_flight, distributions.constant(0.5), workers=1, ranks=4, stages=stages
    )
    assert found == pytest.approx(expected, rel=0.01)


def any_job(model, seed):
    """A job of all kinds of stages, with costs and times that no two of are equal."""
    import numpy as np

    random = np.random.default_rng(seed)
    stages = tuple(
        model.Stage(before=float(before), after=float(after), event=event, exchanges=bool(exchanges))
        for before, after, event, exchanges in zip(
            random.choice([0.0, 0.31, 1.7], 4), random.choice([0.0, 0.23, 1.1], 4),
            random.choice([None, lambda visit: 1.3 * visit], 4, p=[0.8, 0.2]),
            random.choice([False, True], 4), strict=True,
        )
    )  # fmt: skip
    workers, ranks = int(random.integers(1, 5)), int(random.integers(1, 9))
    one = model.Job(
        workers, ranks, stages, 9, int(random.integers(1, 5)), bool(random.integers(2)), ring(ranks)
    )
    costs = model.Costs(*random.uniform(0.001, 0.05, 12).tolist())
    values = random.exponential(1.0, (one.visits, len(stages), ranks))
    durations = lambda visit, stage, rank: float(values[visit, stage, rank])  # noqa: E731
    if seed % 2:
        one, durations = model.fused(one, durations)
    return one, costs, durations


@pytest.mark.parametrize("seed", range(40))
def test_no_rule_of_the_schedule_is_broken(scaling, seed):
    model, _ = scaling
    one, costs, durations = any_job(model, seed)
    found = model.simulate(one, costs, durations, keep=True)
    program = [step for visit, step in found.executed if visit == 0]
    place = {id(step): number for number, step in enumerate(program)}
    done = dict.fromkeys(range(one.visits), 0)
    for visit, step in found.executed:
        assert place[id(step)] == done[visit], "steps are executed in their order"
        done[visit] += 1
        if visit:
            assert done[visit - 1] >= done[visit], "no visit overtakes another"
            if step.kind.name == "PREPROCESS" and one.stages[step.stage].keeps_a_visit:
                assert done[visit - 1] > place[id(step)] + 4, "an instance has one visit at a time"
            if step.kind.name == "CLOSE":
                assert done[visit - 1] > place[id(step)] + 1, "visits are closed one after the other"
        open_visits = [number for number in done if 0 < done[number] < len(program)]
        assert len(open_visits) <= (one.in_flight if done[0] == len(program) else 1)
    ends = {(ran.visit, ran.stage, ran.rank): ran.end for ran in found.slices}
    for ran in found.slices:
        if ran.stage < len(one.stages) and one.stages[ran.stage].is_ready:
            for rank in {ran.rank, *one.neighbours(ran.rank)}:
                assert ends[ran.visit, ran.stage - 1, rank] <= ran.start, "a slice waits for its neighbours"
                # By then the same rank of the visit before has been asked for it.
                if ran.visit:
                    assert ends[ran.visit - 1, ran.stage - 1, rank] <= ran.start, "no rank is let overtake"
    starts = {(ran.visit, ran.stage, ran.rank): ran.start for ran in found.slices}
    for (visit, stage, rank), start in starts.items():
        # Where a rank has one worker in all visits.
        if visit and not one.balanced:
            assert starts[visit - 1, stage, rank] < start, "no rank overtakes itself"
    assert set(done.values()) == {len(program)} and found.ends == sorted(found.ends)
    count = one.visits * one.ranks * (len(one.stages) + 1)
    assert len({(ran.visit, ran.stage, ran.rank) for ran in found.slices}) == len(found.slices) == count
    assert found.work == pytest.approx(sum(
        durations(visit, stage, rank) for visit in range(one.visits)
        for stage in range(len(one.stages)) for rank in range(one.ranks)
    ))  # fmt: skip
    owners = {}
    for worker in range(one.workers):
        own = sorted((ran for ran in found.slices if ran.worker == worker), key=lambda ran: ran.start)
        assert all(ran.start >= before.end - 1e-9 for before, ran in zip(own, own[1:], strict=False))
    for ran in found.slices:
        assert owners.setdefault((ran.visit, ran.rank), ran.worker) == ran.worker, "a rank changes its worker"
        if not one.balanced:
            assert ran.worker == ran.rank % one.workers


def test_workers_run_the_oldest_visit_first_and_own_ranks_in_order(scaling):
    model, distributions = scaling
    one = job(model, workers=1, ranks=3, stages=(model.Stage(), model.Stage()), visits=6, in_flight=2)
    found = model.simulate(one, model.Costs(), distributions.constant(1.0), keep=True)
    ran = [(run.visit, run.stage, run.rank) for run in sorted(found.slices, key=lambda run: run.start)]
    behind_the_first = [(visit, stage, rank) for visit, stage, rank in ran if visit in (1, 2) and stage < 2]
    # Released together, the second visit's ranks fill in only where the first has none.
    in_turn = [(visit, stage, rank) for visit in (1, 2) for stage in (0, 1) for rank in range(3)]
    assert sorted(behind_the_first) == sorted(in_turn)
    assert [one for one in behind_the_first if one[0] == 1] == in_turn[:6]
    assert behind_the_first[:3] == in_turn[:3]
    # When the master releases the next stage, behind the last rank, a rank of the next visit has begun.
    assert behind_the_first[3] == (2, 0, 0) and behind_the_first[4:7] == in_turn[3:6]


@pytest.mark.parametrize(("balanced", "wall"), [(False, 6.0), (True, 5.0)])
def test_an_idle_worker_takes_a_waiting_rank(scaling, balanced, wall):
    model, _ = scaling
    one = job(model, workers=2, ranks=4, stages=(model.Stage(),), visits=1, balanced=balanced)
    # Ranks 0 and 2 are worker 0's; worker 1 is idle at 2 s and takes rank 2.
    found = model.simulate(one, model.Costs(), lambda visit, stage, rank: 1.0 if rank % 2 else 3.0)
    assert found.wall == pytest.approx(wall)


def test_who_takes_a_rank_keeps_it_for_the_visit(scaling):
    model, _ = scaling
    stages = (model.Stage(), model.Stage())
    one = job(model, workers=2, ranks=4, stages=stages, visits=2, balanced=True)
    # Worker 0 has ranks 0 and 2, and is busy with rank 0 when worker 1 takes rank 2.
    times = [[5.0, 1.0, 1.0, 1.0], [1.0, 4.0, 2.0, 1.0]]
    found = model.simulate(one, model.Costs(), lambda visit, stage, rank: times[stage][rank], keep=True)
    places = {(ran.visit, ran.stage, ran.rank): ran.worker for ran in found.slices}
    for visit in (0, 1):
        assert [places[visit, 0, rank] for rank in range(4)] == [0, 1, 1, 1]
        assert [places[visit, 1, rank] for rank in range(4)] == [0, 1, 1, 1]
    # The first step takes 5 s. In the second, worker 0 is idle after 1 s, and takes nothing: 4 + 2 + 1 s.
    assert found.seconds_per_visit == pytest.approx(5.0 + 7.0)


def test_others_ranks_are_taken_from_the_last_on(scaling):
    model, _ = scaling
    one = job(model, workers=3, ranks=9, stages=(model.Stage(),), visits=1, balanced=True)
    # Worker 2 has ranks 2, 5 and 8, which take no time.
    found = model.simulate(
        one, model.Costs(), lambda visit, stage, rank: 0.0 if rank % 3 == 2 else 2.0 + 0.1 * rank, keep=True
    )
    taken = [ran.rank for ran in found.slices if ran.worker == 2 and ran.stage == 0 and ran.rank % 3 != 2]
    assert taken[0] == 7


def test_balanced_runs_never_take_longer_than_graham_s_bound(scaling):
    model, distributions = scaling
    visits, workers, ranks = 50, 5, 23
    durations = distributions.exponential(1.0, (visits, 1, ranks))
    one = job(model, workers=workers, ranks=ranks, stages=(model.Stage(),), visits=visits, balanced=True)
    found = model.simulate(one, model.Costs(), durations)
    bound = lower = 0.0
    for visit in range(visits):
        times = [durations(visit, 0, rank) for rank in range(ranks)]
        lower += max(max(times), sum(times) / workers)
        bound += sum(times) / workers + max(times) * (1 - 1 / workers)
    assert lower - 1e-9 <= found.wall <= bound + 1e-9


def test_log_normal_times_have_the_mean_and_spread_asked_for(scaling):
    import numpy as np

    _, distributions = scaling
    drawn = distributions.lognormal(2.0, 0.3, (100, 10, 100))
    values = np.array([drawn(v, s, r) for v in range(100) for s in range(10) for r in range(0, 100, 5)])
    assert values.mean() == pytest.approx(2.0, rel=0.02) and values.std() == pytest.approx(0.6, rel=0.05)
    assert distributions.lognormal(2.0, 0.0, (1, 1, 1))(0, 0, 0) == 2.0


def test_measured_times_are_drawn_from(scaling):
    _, distributions = scaling
    drawn = distributions.resampled([1.0, 2.0], (10, 1, 10))
    assert {drawn(visit, 0, rank) for visit in range(10) for rank in range(10)} == {1.0, 2.0}
    with pytest.raises(ValueError, match="no measured times"):
        distributions.resampled([], (1, 1, 1))


def test_stragglers_are_as_many_and_as_slow_as_asked_for(scaling):
    _, distributions = scaling
    shape = (200, 5, 100)
    drawn = distributions.stragglers(2.0, 0.0, 0.02, 6.0, shape)
    values = [drawn(v, s, r) for v in range(200) for s in range(5) for r in range(100)]
    base = 2.0 / (1 + 0.02 * 5)
    assert {round(value, 9) for value in values} == {round(base, 9), round(6 * base, 9)}
    assert sum(value > 3 * base for value in values) / len(values) == pytest.approx(0.02, rel=0.1)
    assert sum(values) / len(values) == pytest.approx(2.0, rel=0.02)
    for share, factor in ((1.5, 2.0), (-0.1, 2.0), (0.1, 0.0)):
        with pytest.raises(ValueError, match="stragglers: expected a share from 0 to 1"):
            distributions.stragglers(1.0, 0.3, share, factor, (1, 1, 1))


def test_what_cannot_be_simulated_is_refused(scaling):
    model, _ = scaling
    for name in ("workers", "ranks", "visits", "in_flight"):
        with pytest.raises(ValueError, match=f"{name}: expected 1 or more, saw 0"):
            job(model, **{name: 0})
    with pytest.raises(ValueError, match="one or more"):
        job(model, stages=())


def test_schedules_that_the_model_has_the_other_way_round_are_named(scaling):
    checks = importlib.import_module("checks")

    def row(mode, efficiency, modelled, stages="computing, 5 ms"):
        return {"stages": stages, "workers": 2, "mode": mode, "efficiency": efficiency, "modelled": modelled}

    found = checks.reversed_pairs([
        row("fused", 0.90, 0.91), row("lockstep", 0.80, 0.92), row("balanced", 0.898, 0.93),
        row("flight2", 0.70, 0.99, "sleeping, 10 ms"),
    ])  # fmt: skip
    assert found == [
        "* computing, 5 ms, 2 workers: fused (90.0 %, by the model 91.0) before lockstep (80.0 %, by the"
        " model 92.0)"
    ]
