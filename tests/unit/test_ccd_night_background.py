# SPDX-License-Identifier: BSD-3-Clause
"""The background fit finds known skies under stars, gradients and masks."""

import numpy as np
import pytest
from harness.examples.ccd_night.algorithms.background import (
    clipped_statistics,
    fit_background,
    interpolation_matrix,
    mesh_edges,
)
from harness.examples.ccd_night.algorithms.errors import NoSolutionError, ReductionError


def sky(shape, level=800.0, noise=30.0, seed=1):
    return np.random.default_rng(seed).normal(level, noise, shape).astype(np.float32)


def test_constant_sky_and_its_noise_are_found():
    background = fit_background(sky((256, 320)))
    assert background.level.shape == (256, 320)
    assert background.level.dtype == np.float32
    # A median of 64 * 64 pixels is known to 1.25 * 30 / 64 = 0.6.
    assert np.abs(background.level - 800).max() < 2.5
    assert background.noise == pytest.approx(30, rel=0.02)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_noiseless_plane_comes_back_exactly(interpolation):
    y, x = np.indices((200, 270), dtype=np.float64)
    plane = (500 + 0.3 * x - 0.2 * y).astype(np.float32)
    # Cells are equal to one pixel, so a centre can be off by half a pixel.
    level = fit_background(plane, interpolation=interpolation).level
    inner = (slice(60, -60), slice(60, -60))
    assert np.abs(level - plane)[inner].max() < 0.25


def test_stars_hardly_change_the_sky():
    image = sky((256, 256))
    y, x = np.indices(image.shape)
    rng = np.random.default_rng(2)
    for _ in range(40):
        x0, y0 = rng.uniform(0, 256, 2)
        image += (20000 * np.exp(-0.5 * ((x - x0) ** 2 + (y - y0) ** 2) / 4)).astype(np.float32)
    assert abs(fit_background(image).level.mean() - 800) < 2.5


def test_masked_pixels_are_not_looked_at():
    image = sky((128, 128))
    mask = np.zeros(image.shape, dtype=np.uint8)
    image[:64, :40], mask[:64, :40] = 1e6, 1
    assert np.abs(fit_background(image, mask).level - 800).max() < 4


def test_fully_masked_cell_takes_its_neighbours_level():
    image = sky((192, 192))
    mask = np.zeros(image.shape, dtype=bool)
    image[64:128, 64:128], mask[64:128, 64:128] = np.nan, True
    assert np.abs(fit_background(image, mask).level - 800).max() < 4


def test_image_without_any_usable_cell_has_no_solution():
    with pytest.raises(NoSolutionError, match="none of the 4 mesh cells"):
        fit_background(sky((128, 128)), np.ones((128, 128), dtype=bool))


def test_input_image_is_left_alone():
    image = sky((100, 90))
    image.flags.writeable = False
    mask = np.zeros(image.shape, dtype=np.uint8)
    mask[3, 4] = 1
    fit_background(image, mask)


@pytest.mark.parametrize("shape", [(64, 64), (509, 200), (30, 31), (8, 8)])
def test_any_shape_works(shape):
    background = fit_background(sky(shape, noise=1.0))
    assert background.level.shape == shape
    assert np.abs(background.level - 800).max() < 2


def test_cells_fill_the_image_and_differ_by_one_pixel():
    for pixels in (8, 100, 509, 2000):
        edges = mesh_edges(pixels, 64)
        assert edges[0] == 0
        assert edges[-1] == pixels
        assert np.ptp(np.diff(edges)) <= 1


def test_clipped_statistics_reject_a_tail_and_skip_nan():
    rng = np.random.default_rng(4)
    samples = rng.normal(100, 5, (3, 4000)).astype(np.float32)
    samples[0, :400] = 1e5
    samples[1, :1000] = np.nan
    samples[2] = np.nan
    median, rms = clipped_statistics(samples, 3.0, 3)
    np.testing.assert_allclose(median[:2], 100, atol=0.5)
    np.testing.assert_allclose(rms[:2], 5, rtol=0.08)
    assert np.isnan(median[2])
    assert np.isnan(rms[2])


@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
def test_interpolation_keeps_constants_and_lines(kind):
    weights = interpolation_matrix(300, 5, kind).astype(np.float64)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    centres = (np.arange(5) + 0.5) * 60 - 0.5
    np.testing.assert_allclose(weights @ centres, np.arange(300), atol=1e-4)


def test_bicubic_reproduces_a_parabola_between_inner_nodes():
    weights = interpolation_matrix(420, 7, "bicubic").astype(np.float64)
    centres = (np.arange(7) + 0.5) * 60 - 0.5
    inner = np.arange(95, 325)
    np.testing.assert_allclose((weights @ centres**2)[inner], inner.astype(float) ** 2, rtol=1e-5)


def test_bad_parameters_are_refused():
    image = sky((64, 64))
    for change in ({"mesh": 4}, {"clip": 0.0}, {"iterations": 0}):
        with pytest.raises(ReductionError, match="at least 8 pixels"):
            fit_background(image, **change)
    with pytest.raises(ReductionError, match="'nearest'"):
        fit_background(image, interpolation="nearest")


def test_mask_of_other_shape_is_refused_with_both_shapes():
    with pytest.raises(ReductionError, match=r"\(3, 3\).*\(64, 64\)"):
        fit_background(sky((64, 64)), np.zeros((3, 3)))
