# SPDX-License-Identifier: BSD-3-Clause
"""Sections, overscan, calibration formula, masks and master frames on known numbers."""

from dataclasses import replace

import numpy as np
import pytest
from harness.examples.ccd_night.algorithms import calibration, isr, mask_bits
from harness.examples.ccd_night.algorithms.errors import ReductionError
from harness.examples.ccd_night.algorithms.sections import parse_section

FACTS = isr.DetectorFacts(
    gain=2.0, read_noise=5.0, saturate=60000.0, exposure_time=30.0, biassec="[1:4,1:7]", trimsec="[5:12,2:7]"
)
SHAPE = (6, 8)


def raw_frame(value=1500, bias=1000):
    raw = np.full((7, 12), bias, dtype=np.uint16)
    raw[1:, 4:] = value
    return raw


def masters(bias=0.0, dark=0.0, flat=1.0, shape=SHAPE):
    return [np.full(shape, value, dtype=np.float32) for value in (bias, dark, flat)]


def test_section_counts_from_one_and_includes_its_end():
    assert parse_section(" [5:513,2:2001] ", (2001, 513), "TRIMSEC") == (slice(1, 2001), slice(4, 513))


@pytest.mark.parametrize(
    "text", ["", "[1:4]", "[1:4,1:x]", "1:4,1:7", "[1:4,1:7", "[-1:4,1:7]", "[1.0:4,1:7]"]
)
def test_text_that_is_no_section_is_refused(text):
    with pytest.raises(ReductionError, match="BIASSEC: expected"):
        parse_section(text, (7, 12), "BIASSEC")


@pytest.mark.parametrize("text", ["[0:4,1:7]", "[4:1,1:7]", "[1:13,1:7]", "[1:4,1:8]"])
def test_section_outside_the_frame_is_refused_with_the_frames_size(text):
    with pytest.raises(ReductionError, match="12 columns and 7 rows"):
        parse_section(text, (7, 12), "BIASSEC")


def test_formula_on_constant_frames():
    image, mask = isr.remove_signature(raw_frame(), FACTS, *masters(20.0, 100.0, 0.5), 300.0)
    assert image.dtype == np.float32
    assert image.shape == SHAPE
    # 2 e-/ADU * (1500 - 1000 - 20 - 100 * 30 / 300) / 0.5
    np.testing.assert_array_equal(image, np.float32(1880.0))
    assert mask.dtype == np.uint8
    assert not mask.any()


def test_formula_on_random_frames_is_that_of_plain_arithmetic():
    rng = np.random.default_rng(3)
    raw = raw_frame()
    raw[1:, 4:] = rng.integers(1000, 50000, SHAPE)
    bias, dark, flat = rng.normal(size=SHAPE), rng.normal(5, 1, SHAPE), rng.uniform(0.7, 1.3, SHAPE)
    arrays = [array.astype(np.float32) for array in (bias, dark, flat)]
    image, _ = isr.remove_signature(raw, FACTS, *arrays, 150.0)
    expected = 2.0 * (raw[1:, 4:].astype(float) - 1000 - bias - dark * 30 / 150) / flat
    np.testing.assert_allclose(image, expected, rtol=3e-6, atol=2e-3)


def test_inputs_are_left_as_they_were():
    raw, arrays = raw_frame(), masters(20.0, 100.0, 0.5)
    for array in (raw, *arrays):
        array.flags.writeable = False
    isr.remove_signature(raw, FACTS, *arrays, 300.0)


def test_row_overscan_follows_the_rows_and_median_overscan_does_not():
    raw = raw_frame(0, 0).astype(np.float32)
    raw += 1000 + 10 * np.arange(7, dtype=np.float32)[:, None]
    by_row, _ = isr.trim(raw, FACTS, "row", 0)
    np.testing.assert_array_equal(by_row, 0)
    at_once, _ = isr.trim(raw, FACTS, "median")
    np.testing.assert_array_equal(at_once[:, 0], 10 * np.arange(6) - 25)


def test_overscan_median_ignores_an_outlier():
    raw = raw_frame()
    raw[3, 1] = 40000
    np.testing.assert_array_equal(isr.trim(raw, FACTS, "row", 0)[0], 500)


def test_running_mean_shrinks_at_the_ends():
    np.testing.assert_allclose(isr.running_mean(np.array([0.0, 3.0, 6.0, 30.0]), 1), [1.5, 3.0, 13.0, 18.0])
    np.testing.assert_allclose(isr.running_mean(np.array([1.0, 2.0, 6.0]), 5), [3.0, 3.0, 3.0])


def test_unknown_overscan_method_is_refused():
    with pytest.raises(ReductionError, match="'mean'.*row.*median"):
        isr.trim(raw_frame(), FACTS, "mean")


def test_overscan_that_misses_trimmed_rows_is_refused():
    with pytest.raises(ReductionError, match="does not cover"):
        isr.trim(raw_frame(), replace(FACTS, biassec="[1:4,3:7]"))


def test_saturated_pixels_are_masked_and_others_are_not():
    raw = raw_frame()
    raw[2, 6], raw[3, 7] = 60000, 59999
    _, mask = isr.remove_signature(raw, FACTS, *masters(), 300.0)
    assert mask[1, 2] == mask_bits.SATURATED
    assert np.count_nonzero(mask) == 1


def test_bad_flat_pixels_are_masked_and_stay_finite():
    bias, dark, flat = masters()
    flat[0, 0], flat[1, 1], flat[2, 2], flat[3, 3] = 0.0, -1.0, np.nan, 0.1
    image, mask = isr.remove_signature(raw_frame(), FACTS, bias, dark, flat, 300.0)
    assert np.isfinite(image).all()
    np.testing.assert_array_equal(np.argwhere(mask == mask_bits.BAD_FLAT), [[i, i] for i in range(4)])


@pytest.mark.parametrize(("which", "name"), [(0, "bias"), (1, "dark"), (2, "flat")])
def test_master_of_other_shape_is_refused_with_both_shapes(which, name):
    arrays = masters()
    arrays[which] = np.ones((6, 9), dtype=np.float32)
    with pytest.raises(ReductionError, match=rf"the master {name} has shape \(6, 9\).*\(6, 8\)"):
        isr.remove_signature(raw_frame(), FACTS, *arrays, 300.0)


def test_master_that_would_broadcast_is_refused():
    bias, dark, flat = masters()
    with pytest.raises(ReductionError, match=r"\(1, 8\)"):
        isr.remove_signature(raw_frame(), FACTS, bias[:1], dark, flat, 300.0)


def test_dark_without_exposure_is_refused():
    with pytest.raises(ReductionError, match="positive, got 0"):
        isr.remove_signature(raw_frame(), FACTS, *masters(), 0.0)


def test_raw_that_is_no_image_is_refused():
    with pytest.raises(ReductionError, match=r"\(84,\)"):
        isr.trim(raw_frame().ravel(), FACTS)


HEADER = {
    "GAIN": 1.7,
    "RDNOISE": 6,
    "SATURATE": 6e4,
    "EXPTIME": 15.0,
    "BIASSEC": "[1:4,1:7]",
    "TRIMSEC": "[5:12,2:7]",
}


def test_detector_facts_come_from_the_header():
    facts = isr.DetectorFacts.from_header(HEADER)
    assert facts == isr.DetectorFacts(1.7, 6.0, 6e4, 15.0, "[1:4,1:7]", "[5:12,2:7]")


@pytest.mark.parametrize("key", sorted(HEADER))
def test_header_without_a_fact_is_refused_by_name(key):
    with pytest.raises(ReductionError, match=f"no {key}"):
        isr.DetectorFacts.from_header({name: value for name, value in HEADER.items() if name != key})


@pytest.mark.parametrize("value", ["much", None])
def test_header_with_a_fact_of_the_wrong_kind_is_refused(value):
    with pytest.raises(ReductionError, match="GAIN must be a number"):
        isr.DetectorFacts.from_header({**HEADER, "GAIN": value})


def test_header_with_impossible_gain_is_refused():
    with pytest.raises(ReductionError, match="GAIN must be positive"):
        isr.DetectorFacts.from_header({**HEADER, "GAIN": 0.0})


def test_clipped_mean_is_the_mean_without_outliers():
    rng = np.random.default_rng(1)
    frames = [rng.normal(10, 1, (50, 50)).astype(np.float32) for _ in range(5)]
    clean = np.mean(frames, axis=0)
    np.testing.assert_allclose(calibration.clipped_mean(frames), clean, rtol=1e-6)
    frames[2][7, 9] += 1000
    combined = calibration.clipped_mean(frames)
    others = np.mean([frames[i][7, 9] for i in (0, 1, 3, 4)])
    assert combined[7, 9] == pytest.approx(others, rel=1e-6)


def test_clipped_mean_of_two_is_the_mean():
    frames = [np.full((2, 2), value, dtype=np.float32) for value in (1.0, 4.0)]
    np.testing.assert_array_equal(calibration.clipped_mean(frames), 2.5)


def test_clipped_mean_refuses_nothing_and_unequal_shapes():
    with pytest.raises(ReductionError, match="got none"):
        calibration.clipped_mean([])
    with pytest.raises(ReductionError, match="frame 1"):
        calibration.clipped_mean([np.zeros((2, 2)), np.zeros((2, 3))])


def test_masters_of_constant_frames():
    bias = calibration.master_bias([raw_frame(1020)] * 3, FACTS)
    np.testing.assert_array_equal(bias, 20)
    dark = calibration.master_dark([raw_frame(1050)] * 3, replace(FACTS, exposure_time=300.0), bias)
    np.testing.assert_array_equal(dark, 30)
    flat = calibration.flat_electrons([raw_frame(11023)] * 3, FACTS, bias, dark, 300.0)
    np.testing.assert_array_equal(flat, 20000)


def test_masters_refuse_a_bias_of_other_shape():
    wrong = np.zeros((6, 9), dtype=np.float32)
    with pytest.raises(ReductionError, match=r"\(6, 9\)"):
        calibration.master_dark([raw_frame()], FACTS, wrong)
    with pytest.raises(ReductionError, match=r"\(6, 9\)"):
        calibration.flat_electrons([raw_frame()], FACTS, wrong, wrong, 300.0)


def test_flats_share_one_norm():
    flats = calibration.normalise_flats([np.full((2, 2), 100.0), np.full((2, 2), 300.0)])
    np.testing.assert_allclose([flat.mean() for flat in flats], [0.5, 1.5])


def test_dark_flats_are_refused():
    with pytest.raises(ReductionError, match="positive"):
        calibration.normalise_flats([np.zeros((2, 2))])
    with pytest.raises(ReductionError, match="none"):
        calibration.normalise_flats([])
