# SPDX-License-Identifier: BSD-3-Clause
"""The arithmetic of benchmarks: intervals, shares of the time, fingerprints of results, verdicts."""

import random

import numpy as np
import pytest
from harness.bench.fingerprints import fingerprint
from harness.bench.intervals import median_interval, quantile
from harness.bench.order import Answer
from harness.bench.result import make_row, ratio_verdict
from harness.bench.shares import shares_of
from harness.storage import Image


def test_six_rounds_are_the_fewest_whose_extremes_hold_the_median_with_95_percent():
    five, six = (median_interval([float(value) for value in range(count)]) for count in (5, 6))
    assert (five.low, five.high, five.level) == (0.0, 4.0, 1 - 2 / 2**5)
    assert (six.low, six.high, six.level) == (0.0, 5.0, 1 - 2 / 2**6)


def test_with_many_rounds_the_interval_leaves_the_extremes_out():
    found = median_interval([float(value) for value in range(20)])
    # Binomial, 20 trials of 1/2: P(B <= 5) = 0.0207, P(B <= 6) = 0.0577.
    assert (found.low, found.high) == (5.0, 14.0) and found.level == pytest.approx(1 - 2 * 0.02069, abs=1e-4)


def test_the_interval_holds_the_true_median_as_often_as_it_says():
    chance = random.Random(5)
    found = [median_interval([chance.expovariate(1.0) for _ in range(9)]) for _ in range(2000)]
    share = sum(interval.holds(np.log(2)) for interval in found) / len(found)
    assert abs(share - found[0].level) < 0.02


def test_one_round_says_nothing_and_none_is_an_error():
    assert median_interval([3.0]).level == 0.0
    with pytest.raises(ValueError, match="needs values"):
        median_interval([])
    with pytest.raises(ValueError, match="needs values"):
        quantile([], 0.5)


def test_a_quantile_is_one_of_the_values():
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0 and quantile(list(map(float, range(200))), 0.99) == 198.0


# Two workers, ranks 0 and 1. Master 0-1 s, slices 2-5 and 2-4 s, master 6-7 s, of 8 s.
STEPS = [(-1, 0.0, 1.0), (0, 2.0, 3.0), (1, 2.0, 2.0), (-1, 6.0, 1.0)]


def test_shares_of_the_time_add_up():
    found = shares_of(STEPS, 2, 8.0)
    assert found.work == pytest.approx(5 / 16) and found.master == pytest.approx(2 / 8)
    assert found.sync == pytest.approx(3 / 8)
    assert found.work + found.sync + found.wait == pytest.approx(1.0)


def test_visits_in_flight_overlap_and_nothing_counts_twice():
    overlapping = [*STEPS, (-1, 2.5, 1.0), (0, 5.5, 2.5), (1, 5.0, 3.0)]
    found = shares_of(overlapping, 2, 8.0)
    assert found.sync == pytest.approx(1 / 8) and found.master == pytest.approx(3 / 8)
    assert found.work == pytest.approx(10.5 / 16)


def results(value):
    return [(0, "image", value)]


def test_a_fingerprint_differs_when_a_page_does_and_does_not_when_nothing_does():
    image = np.arange(1 << 16, dtype=np.float32)
    sealed = image.copy()
    sealed.flags.writeable = False
    assert fingerprint(results(image), False) == fingerprint(results(sealed), False)
    for at in (0, 1024, image.size - 1):
        other = image.copy()
        other[at] += 1
        assert fingerprint(results(image), False) != fingerprint(results(other), False)


def test_a_whole_fingerprint_reads_every_byte():
    image = np.zeros(1 << 16, np.uint8)
    other = image.copy()
    other[100] = 1
    assert fingerprint(results(image), False) == fingerprint(results(other), False)
    assert fingerprint(results(image), True) != fingerprint(results(other), True)


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 2), (1, 1.0), ("a", b"a"), ([1, 2], (1, 2)), ({"a": 1}, {"a": 2}), (np.float32(1), np.float64(1)),
     (np.zeros((2, 3)), np.zeros((3, 2))), (Image(np.zeros((2, 2))), Image(np.ones((2, 2)))),
     (None, False), (range(3), range(4))],
)  # fmt: skip
def test_other_values_have_other_fingerprints(one, other):
    assert fingerprint(results(one), True) != fingerprint(results(other), True)
    assert fingerprint(results(one), True) == fingerprint(results(one), True)


def test_the_order_of_results_does_not_count_but_whose_they_are_does():
    one, other = (0, "level", 1.0), (1, "level", 2.0)
    assert fingerprint([one, other], False) == fingerprint([other, one], False)
    assert fingerprint([(0, "level", 2.0), (1, "level", 1.0)], False) != fingerprint([one, other], False)


def test_rates_are_told_apart_only_when_every_round_agrees():
    ours = (10.0, 11.0, 9.0, 10.0, 10.5, 9.5)
    _, slower = ratio_verdict(ours, tuple(rate * 0.8 for rate in ours), 0.95)
    _, faster = ratio_verdict(ours, tuple(rate * 1.2 for rate in ours), 0.95)
    _, mixed = ratio_verdict(ours, (8.0, 12.0, 8.0, 11.0, 10.0, 10.0), 0.95)
    _, few = ratio_verdict(ours[:4], tuple(rate * 0.5 for rate in ours[:4]), 0.95)
    assert (slower, faster, mixed, few) == ("slower", "faster", "cannot tell", "cannot tell")


def test_a_row_has_the_rates_of_its_rounds():
    answers = [Answer(seconds=[0.5, 0.5], pss=4 << 20, pss_workers=[1 << 20]),
               Answer(seconds=[0.25, 0.25], pss=4 << 20, pss_workers=[1 << 20])]  # fmt: skip
    first = make_row("serial", "one process", 1, 1, answers, 1e6, None)
    assert first.rounds == (2.0, 4.0) and first.images_per_s.median == 3.0 and first.mb_per_s == 3.0
    assert first.visit_ms == 375.0 and first.p99_ms == 500.0 and first.pss_mib == 4.0
    second = make_row("serial", "one process", 4, 2, answers, 0.0, first)
    # Four images a visit on two workers: twice as many a worker.
    assert second.efficiency == pytest.approx(2.0) and second.mb_per_s is None
