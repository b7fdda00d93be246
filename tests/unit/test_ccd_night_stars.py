# SPDX-License-Identifier: BSD-3-Clause
"""Detection, centres, photometry and cosmic-ray rejection on images whose content is known."""

import numpy as np
import pytest
from harness.examples.ccd_night.algorithms import catalogue, mask_bits, stamps
from harness.examples.ccd_night.algorithms.aperture_correction import (
    aperture_correction,
    model_correction,
    weighted_median,
)
from harness.examples.ccd_night.algorithms.detection import Detections, detect
from harness.examples.ccd_night.algorithms.errors import NoSolutionError, ReductionError
from harness.examples.ccd_night.algorithms.smoothing import gaussian_kernel, noise_gain, smooth
from harness.examples.ccd_night.simulate.stars import MOFFAT_BETA, add_stars, moffat_core

NOISE = 30.0
FWHM = 4.0
PARAMETERS = catalogue.StarParameters()


def field(x, y, electrons, shape=(160, 200), seed=1, noise=NOISE):
    """Sky-subtracted image with stars and photon noise, electrons."""
    rng = np.random.default_rng(seed)
    expected = np.zeros(shape)
    add_stars(expected, np.asarray(x, float), np.asarray(y, float), np.asarray(electrons, float), FWHM)
    return (rng.poisson(expected) + rng.normal(0, noise, shape)).astype(np.float32)


def clear(image):
    return np.zeros(image.shape, dtype=np.uint8)


def measured(image, mask=None, noise=NOISE):
    found = detect(image, noise, FWHM)
    return catalogue.measure(image, clear(image) if mask is None else mask, found, noise, FWHM, PARAMETERS)[0]


def test_smoothing_is_the_convolution_with_the_outer_product():
    image = np.random.default_rng(1).normal(size=(21, 17)).astype(np.float32)
    kernel = gaussian_kernel(3.0)
    radius = kernel.size // 2
    padded = np.pad(image, radius)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel.size, kernel.size))
    expected = np.einsum("yxab,a,b->yx", windows, kernel, kernel)
    np.testing.assert_allclose(smooth(image, kernel), expected, atol=1e-6)


def test_smoothing_works_on_images_smaller_than_the_kernel():
    image = np.zeros((3, 2), dtype=np.float32)
    image[1, 0] = 1
    kernel = gaussian_kernel(8.0)
    radius = kernel.size // 2
    expected = kernel[radius - 1 : radius + 2][:, None] * kernel[radius : radius + 2]
    np.testing.assert_allclose(smooth(image, kernel), expected, rtol=1e-6)


def test_noise_gain_is_the_rms_of_smoothed_noise():
    kernel = gaussian_kernel(FWHM)
    noise = np.random.default_rng(2).normal(size=(400, 400)).astype(np.float32)
    assert smooth(noise, kernel)[20:-20, 20:-20].std() == pytest.approx(noise_gain(kernel), rel=0.03)


def test_smoothing_without_width_is_refused():
    with pytest.raises(ReductionError, match="positive, got 0"):
        gaussian_kernel(0.0)


def test_stars_are_found_where_they_are_and_ordered_by_brightness():
    x, y, electrons = [30.2, 100.7, 160.5], [40.4, 90.1, 120.5], [2e4, 8e4, 4e4]
    found = detect(field(x, y, electrons), NOISE, FWHM)
    np.testing.assert_allclose(found.x, [101, 160, 30], atol=1)
    np.testing.assert_allclose(found.y, [90, 120, 40], atol=1)
    assert (np.diff(found.peak) < 0).all()
    assert (found.area > 20).all()


def test_empty_noise_gives_no_objects():
    assert detect(field([], [], [], shape=(400, 400)), NOISE, FWHM).x.size == 0


def test_peak_is_the_signal_to_noise_ratio_in_the_filter():
    sigma = FWHM / 2.3548
    y, x = np.indices((61, 61))
    star = np.exp(-0.5 * ((x - 30) ** 2 + (y - 30) ** 2) / sigma**2) / (2 * np.pi * sigma**2)
    found = detect((1e5 * star).astype(np.float32), NOISE, FWHM)
    # Matched filter: F / (noise * sqrt(4 pi sigma**2)).
    assert found.peak[0] == pytest.approx(1e5 / (NOISE * np.sqrt(4 * np.pi) * sigma), rel=0.01)


def test_touching_stars_are_split():
    found = detect(field([80.0, 87.0], [80.0, 80.0], [6e4, 3e4]), NOISE, FWHM)
    assert sorted(found.x) == [80, 87]


def test_noise_on_a_bright_star_does_not_make_it_two():
    for seed in range(10):
        found = detect(field([80.3], [80.8], [1.5e6], seed=seed), NOISE, FWHM)
        assert found.x.size == 1, seed


def test_saturated_plateau_is_one_object():
    image = np.minimum(field([80.0], [80.0], [5e6], noise=0.0), 1e4)
    assert detect(image, NOISE, FWHM).x.size == 1


def test_objects_touching_at_a_corner_are_one():
    image = np.zeros((40, 40), dtype=np.float32)
    image[10:14, 10:14] = image[14:18, 14:18] = 1000
    assert detect(image, NOISE, 0.5, prominence=0.5).x.size == 1


def test_masked_pixels_hide_an_object():
    image = field([80.0], [80.0], [5e4])
    mask = clear(image)
    mask[60:100, 60:100] = 1
    assert detect(image, NOISE, FWHM, mask).x.size == 0


def test_small_objects_are_dropped_by_area():
    image = np.zeros((40, 40), dtype=np.float32)
    image[20, 20] = 1e5
    assert detect(image, NOISE, 0.4).area.tolist() == []
    assert detect(image, NOISE, 0.4, minimum_area=1).area.tolist() == [1]


def test_bad_detection_arguments_are_refused():
    image = np.zeros((20, 20), dtype=np.float32)
    with pytest.raises(ReductionError, match="noise and threshold"):
        detect(image, 0.0, FWHM)
    with pytest.raises(ReductionError, match=r"\(2, 2\).*\(20, 20\)"):
        detect(image, 1.0, FWHM, np.zeros((2, 2)))
    with pytest.raises(ReductionError, match="rows and columns"):
        detect(image[0], 1.0, FWHM)


@pytest.mark.parametrize(("dx", "dy"), [(0.0, 0.0), (0.49, -0.49), (-0.3, 0.2)])
def test_centre_of_a_noiseless_star_is_exact(dx, dy):
    image = np.zeros((61, 61))
    add_stars(image, np.array([30 + dx]), np.array([30 + dy]), np.array([1e5]), FWHM)
    cut = stamps.cut_stamps(image, np.array([30]), np.array([30]), 12)
    cx, cy, width, settled = stamps.windowed_centres(cut, FWHM)
    assert settled.all()
    assert (cx[0], cy[0]) == (pytest.approx(dx, abs=3e-3), pytest.approx(dy, abs=3e-3))
    # A Gaussian that fits the windowed moment of a Moffat profile is wider than its FWHM.
    assert width[0] == pytest.approx(1.09 * FWHM, rel=0.03)


def test_width_of_a_gaussian_is_its_fwhm():
    sigma = 2.5
    offsets = np.arange(-20, 21)
    gaussian = np.exp(-0.5 * (offsets[:, None] ** 2 + offsets**2) / sigma**2)
    _, _, width, _ = stamps.windowed_centres(gaussian[None], 4.0)
    assert width[0] == pytest.approx(2.35482 * sigma, rel=1e-4)


def test_centre_of_nothing_does_not_settle():
    _, _, width, settled = stamps.windowed_centres(np.zeros((1, 11, 11)), FWHM)
    assert not settled[0]
    assert np.isnan(width[0])


def test_aperture_of_constant_light_has_the_area_of_the_circle():
    flat = np.ones((1, 41, 41))
    for radius in (3.0, 5.5, 9.3):
        total, area = stamps.aperture_sums(flat, np.array([0.3]), np.array([-0.4]), radius)
        assert total[0] == pytest.approx(np.pi * radius**2, rel=0.01)
        assert area[0] < total[0]


def test_stamps_beyond_the_edge_are_zero():
    image = np.ones((10, 12), dtype=np.float32)
    cut = stamps.cut_stamps(image, np.array([0]), np.array([9]), 2)
    np.testing.assert_array_equal(cut[0], [[0, 0, 1, 1, 1]] * 3 + [[0] * 5] * 2)


def test_photometry_is_unbiased_and_its_errors_are_true():
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(30, 590, 40.0), np.arange(30, 590, 40.0)))
    rng = np.random.default_rng(8)
    x, y = x + rng.uniform(-0.5, 0.5, x.size), y + rng.uniform(-0.5, 0.5, x.size)
    electrons = np.full(x.size, 6000.0)
    electrons[::10] = 2e5
    table = measured(field(x, y, electrons, shape=(620, 620)))
    assert table.size == x.size
    nearest = np.hypot(table["x"][:, None] - x, table["y"][:, None] - y).argmin(axis=1)
    pull = (table["flux"] - electrons[nearest]) / table["flux_err"]
    faint = electrons[nearest] < 1e5
    assert abs(pull[faint].mean()) < 4 / np.sqrt(faint.sum())
    assert pull[faint].std() == pytest.approx(1.0, abs=0.2)
    np.testing.assert_allclose(table["flux"][~faint], 2e5, rtol=0.02)
    assert abs(table["flux"][~faint].mean() / 2e5 - 1) < 3e-3


def test_cosmic_rays_are_flagged_and_stars_are_not():
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(25, 380, 30.0), np.arange(25, 380, 30.0)))
    rng = np.random.default_rng(5)
    x, y = x + rng.uniform(-0.5, 0.5, x.size), y + rng.uniform(-0.5, 0.5, x.size)
    electrons = 10 ** rng.uniform(3.5, 5.5, x.size)
    hit = np.arange(0, x.size, 8)
    electrons[hit] = 0
    image = field(x, y, electrons, shape=(400, 400))
    for number, i in enumerate(hit):
        column, row = int(x[i]), int(y[i])
        length = number % 5 + 1
        if number % 2:
            image[row, column : column + length] += 9000 / length
        else:
            steps = np.arange(length)
            image[row + steps, column + steps] += 9000 / length
    table = measured(image)
    distance = np.hypot(table["x"][:, None] - x, table["y"][:, None] - y)
    is_ray = np.isin(distance.argmin(axis=1), hit)
    flagged = (table["flags"] & mask_bits.COSMIC_RAY) != 0
    assert is_ray.sum() == hit.size
    assert flagged[is_ray].all()
    assert flagged[~is_ray].mean() < 0.02


def test_flags_tell_saturation_edge_and_blends():
    x, y = np.array([80.0, 2.0, 120.0, 127.0]), np.array([80.0, 100.0, 40.0, 40.0])
    image = field(x, y, [5e4] * 4)
    mask = clear(image)
    mask[80, 81] = mask_bits.SATURATED
    table = measured(image, mask)
    nearest = np.hypot(table["x"] - x[:, None], table["y"] - y[:, None]).argmin(axis=1)
    expected = [mask_bits.SATURATED, mask_bits.EDGE, mask_bits.BLENDED, mask_bits.BLENDED]
    assert table["flags"][nearest].tolist() == expected


def test_centre_that_runs_away_to_a_bright_star_is_flagged():
    image = field([80.0], [80.0], [1e6])
    where = np.array([87]), np.array([80])
    found = Detections(*where, np.array([50.0]), np.array([9]), np.zeros(image.shape, dtype=bool))
    table, _ = catalogue.measure(image, clear(image), found, NOISE, FWHM, PARAMETERS)
    assert table["flags"][0] & mask_bits.NOT_CONVERGED
    assert (table["x"][0], table["y"][0]) == (87, 80)


def test_growing_a_footprint_reaches_sides_and_corners():
    spot = np.zeros((9, 9), dtype=bool)
    spot[4, 4] = True
    np.testing.assert_array_equal(
        np.argwhere(catalogue.grow(spot, 2)), [[r, c] for r in range(2, 7) for c in range(2, 7)]
    )


def test_aperture_correction_is_that_of_the_profile_despite_a_blend_and_neighbours():
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(40, 400, 60.0), np.arange(40, 400, 60.0)))
    electrons = np.full(x.size, 1e5)
    image = field(np.r_[x, x[::6] + 9], np.r_[y, y[::6]], np.r_[electrons, electrons[::6] / 50], (440, 440))
    stamps_ = stamps.cut_stamps(image, x.astype(int), y.astype(int), 10)
    zero = np.zeros(x.size)
    flux, _ = stamps.aperture_sums(stamps_, zero, zero, 4.3)
    correction = aperture_correction(image, x, y, flux, np.ones(x.size, bool), 4.3, 13.0, NOISE, 4.3)
    # Light within the radius: 1 - (1 + (r / a)**2)**(1 - beta).
    inside = 1 - (1 + (4.3 / moffat_core(FWHM)) ** 2) ** (1 - MOFFAT_BETA)
    assert correction == pytest.approx(1 / inside, rel=0.012)


def test_aperture_correction_without_enough_stars_is_the_models():
    image = field([80.0], [80.0], [1e5])
    one, yes = np.array([80.0]), np.ones(1, bool)
    got = aperture_correction(image, one, one, np.array([9e4]), yes, 4.3, 13.0, NOISE, 4.3)
    assert got == model_correction(4.3, 4.3)


def test_aperture_correction_leaves_out_stars_with_neighbours():
    x = np.arange(40, 400, 60.0)
    x, y = np.r_[x, x + 14], np.full(2 * x.size, 80.0)
    image = field(x, y, np.full(x.size, 1e5), (160, 440))
    flux = np.full(x.size, 8.7e4)
    got = aperture_correction(image, x, y, flux, np.ones(x.size, bool), 4.3, 13.0, NOISE, 4.3)
    assert got == model_correction(4.3, 4.3)


@pytest.mark.parametrize("fwhm", [3.5, 4.5, 6.0])
def test_model_correction_is_that_of_a_noiseless_star(fwhm):
    image = np.zeros((161, 161))
    add_stars(image, np.array([80.2]), np.array([79.7]), np.array([1.0]), fwhm)
    cut = stamps.cut_stamps(image, np.array([80]), np.array([80]), 60)
    width = fwhm
    for _ in range(3):
        dx, dy, widths, _ = stamps.windowed_centres(cut, width)
        width = float(widths[0])
    for radius in (1.0, 1.5):
        inside = stamps.aperture_sums(cut, dx, dy, radius * width)[0][0]
        assert model_correction(radius * width, width) == pytest.approx(1 / inside, rel=2e-3)


def test_weighted_median_splits_the_weight():
    assert weighted_median(np.array([3.0, 1.0, 2.0]), np.ones(3)) == 2.0
    assert weighted_median(np.array([1.0, 2.0, 100.0]), np.array([1.0, 10.0, 1.0])) == 2.0


def extracted(sky=900.0, seed=3, bad=None):
    rng = np.random.default_rng(seed)
    count = 20
    x, y, electrons = (
        rng.uniform(10, 240, count),
        rng.uniform(10, 240, count),
        10 ** rng.uniform(4, 5.2, count),
    )
    expected = np.full((250, 250), sky)
    add_stars(expected, x, y, electrons, FWHM)
    image = rng.poisson(expected).astype(np.float32)
    mask = clear(image)
    if bad is not None:
        image[bad], mask[bad] = 3000.0, mask_bits.BAD_FLAT
    return catalogue.extract_stars(image, mask, PARAMETERS), (x, y, electrons)


def test_extraction_finds_sky_seeing_and_stars():
    result, (x, y, electrons) = extracted()
    assert np.abs(result.background.level - 900).max() < 8
    assert result.background.noise == pytest.approx(30, rel=0.05)
    assert result.seeing == pytest.approx(1.09 * FWHM, rel=0.03)
    # Light inside one FWHM of a Moffat profile: 84 %; the radius used is the somewhat larger measured one.
    assert result.aperture_correction == pytest.approx(1.155, abs=0.03)
    table = result.catalogue
    good = (table["flags"] & catalogue.UNFIT_FOR_PHOTOMETRY) == 0
    distance = np.hypot(table["x"][good][:, None] - x, table["y"][good][:, None] - y)
    assert (distance.min(axis=1) < 0.3).all()
    ratio = table["flux"][good] / electrons[distance.argmin(axis=1)]
    assert np.median(ratio) == pytest.approx(1, abs=0.01)
    assert abs(result.background.level.mean() - 900) < 1.5


def test_extraction_ignores_masked_pixels():
    (result, _), (spoilt, _) = extracted(), extracted(bad=(slice(60, 210), slice(60, 210)))
    assert np.isfinite(spoilt.background.level).all()
    assert np.abs(spoilt.background.level - result.background.level).max() < 6
    x, y = spoilt.catalogue["x"], spoilt.catalogue["y"]
    assert not ((x > 62) & (x < 207) & (y > 62) & (y < 207)).any()


def test_extraction_from_an_empty_sky_has_no_solution():
    image = np.random.default_rng(1).normal(900, 30, (200, 200)).astype(np.float32)
    with pytest.raises(NoSolutionError, match="measuring the seeing"):
        catalogue.extract_stars(image, clear(image), PARAMETERS)
