# SPDX-License-Identifier: BSD-3-Clause
"""Matching with a reference catalogue and the robust zero point."""

import numpy as np
import pytest
from harness.examples.ccd_night.algorithms.errors import NoSolutionError, ReductionError
from harness.examples.ccd_night.algorithms.zero_point import fit_zero_point, match_by_offset


def lists(count=60, extra=30, seed=1, offset=(5.3, -2.1)):
    """Detections (with strangers among them) of a shuffled reference list, and which is which."""
    rng = np.random.default_rng(seed)
    reference = rng.uniform(0, 500, (count, 2))
    order = rng.permutation(count)[: count - 10]
    seen = reference[order] + offset + rng.normal(0, 0.05, (order.size, 2))
    strangers = rng.uniform(0, 500, (extra, 2))
    return np.vstack([seen, strangers]).T, reference.T, order


def test_offset_and_pairs_are_found_among_strangers():
    (x, y), (rx, ry), order = lists()
    match = match_by_offset(x, y, rx, ry)
    assert (match.dx, match.dy) == (pytest.approx(5.3, abs=0.03), pytest.approx(-2.1, abs=0.03))
    true_pairs = dict(enumerate(order.tolist()))
    pairs = dict(zip(match.detected.tolist(), match.reference.tolist(), strict=True))
    assert sum(true_pairs.get(d) == r for d, r in pairs.items()) >= 0.95 * order.size
    assert sum(true_pairs.get(d) != r for d, r in pairs.items()) <= 1


def test_each_star_is_matched_once():
    x, y = np.array([10.0, 10.4, 50.0]), np.array([10.0, 10.0, 50.0])
    match = match_by_offset(x, y, np.array([10.0, 50.0]), np.array([10.0, 50.0]), largest_offset=5.0)
    assert match.detected.tolist() == [0, 2]
    assert match.reference.tolist() == [0, 1]


def test_offset_beyond_the_limit_is_not_found():
    x, y = np.array([30.0, 80.0]), np.array([0.0, 0.0])
    with pytest.raises(NoSolutionError, match="no reference star within 20"):
        match_by_offset(x, y, x + 25, y)


def test_one_pair_is_no_agreement():
    one = np.array([3.0])
    with pytest.raises(NoSolutionError, match="no two agree"):
        match_by_offset(one, one, one, one)


def test_empty_list_is_no_match():
    nothing, one = np.empty(0), np.array([1.0])
    with pytest.raises(NoSolutionError, match="0 detections and 1 reference"):
        match_by_offset(nothing, nothing, one, one)


def stars(count=200, zero_point=27.9, seed=2, time=30.0):
    rng = np.random.default_rng(seed)
    magnitude = rng.uniform(17, 22, count)
    flux = 10 ** (0.4 * (zero_point - magnitude)) * time
    error = np.hypot(0.01 * flux, 200.0)
    return flux + rng.normal(0, 1, count) * error, error, magnitude


def test_zero_point_is_found_within_its_error():
    pulls = []
    for seed in range(20):
        flux, error, magnitude = stars(seed=seed)
        result = fit_zero_point(flux, error, magnitude, 30.0)
        pulls.append((result.value - 27.9) / result.error)
        assert result.error < 0.002
        assert result.star_count > 180
    assert abs(np.mean(pulls)) < 1
    assert 0.4 < np.std(pulls) < 1.6


def test_outliers_do_not_move_the_zero_point():
    flux, error, magnitude = stars()
    clean = fit_zero_point(flux, error, magnitude, 30.0)
    flux[::8] *= 1.5
    spoilt = fit_zero_point(flux, error, magnitude, 30.0)
    assert spoilt.value == pytest.approx(clean.value, abs=0.003)
    assert spoilt.star_count <= clean.star_count - 20
    assert spoilt.scatter == pytest.approx(clean.scatter, rel=0.25)


def test_zero_point_of_exact_stars_is_exact():
    magnitude = np.array([18.0, 19.0, 20.0])
    flux = 10 ** (0.4 * (28.0 - magnitude)) * 15
    result = fit_zero_point(flux, 0.01 * flux, magnitude, 15.0)
    assert result.value == pytest.approx(28.0, abs=1e-12)
    assert result.scatter == pytest.approx(0.0, abs=1e-12)
    assert result.star_count == 3


def test_stars_without_light_do_not_count():
    flux, error, magnitude = stars(5)
    flux[0], error[1], magnitude[2] = -3.0, 0.0, np.nan
    with pytest.raises(NoSolutionError, match="2 matched stars, at least 3"):
        fit_zero_point(flux, error, magnitude, 30.0)


def test_arguments_that_do_not_fit_are_refused():
    flux, error, magnitude = stars(5)
    with pytest.raises(ReductionError, match=r"\(5,\), \(5,\) and \(4,\)"):
        fit_zero_point(flux, error, magnitude[:4], 30.0)
    with pytest.raises(ReductionError, match="exposure time"):
        fit_zero_point(flux, error, magnitude, 0.0)
