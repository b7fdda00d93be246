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
    folder = str(ROOT / "benchmarks" / "scaling")
    names = set(sys.modules)
    sys.path.insert(0, folder)
    try:
        yield importlib.import_module("model"), importlib.import_module("distributions")
    finally:
        sys.path.remove(folder)
        for name in set(sys.modules) - names:
            if getattr(sys.modules[name], "__file__", None) and folder in str(sys.modules[name].__file__):
                del sys.modules[name]


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
        visit=7.0,
    )  # fmt: skip
    stages = (model.Stage(), model.Stage(before=2.0, after=3.0, neighbours=2))
    one = job(model, workers=1, ranks=3, stages=stages, visits=4)
    found = model.simulate(one, costs, distributions.constant(1.0))
    per_step = 3 * 0.1 + 0.01 + 0.5 + 3 * 0.2 + 0.3
    expected = 7.0 + 2 * (2 * 1.0 + 3 * 1.0 + 3 * 0.02) + 5.0 + 3 * 2 * 0.05 + 3 * per_step
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


def test_stages_with_serial_halves_are_not_fused(scaling):
    model, distributions = scaling
    alone = model.Stage(before=1.0)
    one = job(model, stages=(model.Stage(), model.Stage(), alone, model.Stage(), model.Stage()))
    fused, together = model.fused(one, distributions.constant(1.0))
    assert [together(0, stage, 0) for stage in range(len(fused.stages))] == [2.0, 1.0, 2.0]
    assert fused.stages[1] is alone


def test_visits_in_flight_hide_the_master_behind_the_slices(scaling):
    model, distributions = scaling
    # Hand out 2 s in the master, reduce 3 s in the slices, sum up 1 s in the master.
    stages = (model.Stage(before=2.0), model.Stage(), model.Stage(after=1.0))

    def durations(visit, stage, rank):
        return 3.0 if stage == 1 else 0.0

    def seconds(in_flight):
        one = job(model, stages=stages, visits=400, in_flight=in_flight)
        return model.simulate(one, model.Costs(), durations).seconds_per_visit

    assert seconds(1) == pytest.approx(6.0)
    # Two at once: the first is summed up 6 s after its begin, but slices close it only when they have reduced
    # the second, at 8 s, and the third is handed out after the second's sum, at 9 s: 9 s for two visits.
    assert seconds(2) == pytest.approx(4.5, rel=0.02)
    # Less than the 3 s of the slices can't be had, and more than three at once, one per stage, are of no use.
    assert 3.0 <= seconds(3) < 4.0
    assert seconds(4) == pytest.approx(seconds(3))


def test_a_stage_holds_one_visit_so_that_one_stage_gains_nothing(scaling):
    model, distributions = scaling
    one = job(model, stages=(model.Stage(before=1.0),), visits=50)
    alone = model.simulate(one, model.Costs(), distributions.constant(2.0))
    flying = model.simulate(
        job(model, stages=(model.Stage(before=1.0),), visits=50, in_flight=3), model.Costs(),
        distributions.constant(2.0),
    )  # fmt: skip
    assert alone.wall == pytest.approx(150.0) and flying.wall == pytest.approx(150.0)


@pytest.mark.parametrize(("balanced", "wall"), [(False, 6.0), (True, 5.0)])
def test_an_idle_worker_takes_a_waiting_rank(scaling, balanced, wall):
    model, _ = scaling
    one = job(model, workers=2, ranks=4, stages=(model.Stage(),), visits=1, balanced=balanced)
    # Ranks 0 and 2 are worker 0's; worker 1 is idle at 2 s and takes rank 2.
    found = model.simulate(one, model.Costs(), lambda visit, stage, rank: 1.0 if rank % 2 else 3.0)
    assert found.wall == pytest.approx(wall)


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


def test_what_cannot_be_simulated_is_refused(scaling):
    model, _ = scaling
    for name in ("workers", "ranks", "visits", "in_flight"):
        with pytest.raises(ValueError, match=f"{name}: expected 1 or more, saw 0"):
            job(model, **{name: 0})
    with pytest.raises(ValueError, match="one or more"):
        job(model, stages=())
