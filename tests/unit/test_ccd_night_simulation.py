# SPDX-License-Identifier: BSD-3-Clause
"""The simulated camera and sky have the statistics that their parameters say."""

from dataclasses import replace

import numpy as np
import pytest
from harness.examples.ccd_night.layout import NightLayout
from harness.examples.ccd_night.night import NightPlan, detector_facts, simulate_night
from harness.examples.ccd_night.simulate import cosmic_rays, detector, exposures, fits_files, sky, stars
from harness.examples.ccd_night.simulate.random_streams import Purpose, stream

GEOMETRY = detector.ChipGeometry(amp_count=2, nx=256, ny=256, overscan=32)


@pytest.fixture(scope="module")
def device():
    return exposures.camera(7, GEOMETRY, 1)


def light(frame):
    return frame[:, : GEOMETRY.nx].astype(np.float64)


def test_gain_from_photon_transfer_is_the_models_gain(device):
    pairs = [
        (exposures.flat_exposure(device, i, level), exposures.flat_exposure(device, i + 1, level))
        for i, level in ((0, 10_000.0), (2, 30_000.0), (4, 50_000.0))
    ]
    signal = [0.5 * (light(a) + light(b)).mean() - a[:, GEOMETRY.nx :].mean() for a, b in pairs]
    # Differences cancel the fixed patterns; a clip takes out the few cosmic rays.
    variance = []
    for a, b in pairs:
        difference = light(a) - light(b)
        difference = difference[
            np.abs(difference - np.median(difference)) < 6 * np.median(np.abs(difference)) / 0.67
        ]
        variance.append(0.5 * difference.var())
    slope = np.polyfit(signal, variance, 1)[0]
    # The relative error of a variance of n pixels is sqrt(2 / n): 0.55 % here, less for the fitted slope.
    assert 1 / slope == pytest.approx(device.model.gain, rel=0.02)


def test_read_noise_from_bias_pair_is_the_models_read_noise(device):
    a, b = exposures.bias_exposure(device, 0), exposures.bias_exposure(device, 1)
    difference = light(a) - light(b)
    difference -= np.median(difference, axis=1, keepdims=True)
    # A converter step of 1 ADU adds a variance of 1/12 to each frame.
    noise = np.sqrt(0.5 * difference.var() - 1 / 12) * device.model.gain
    assert noise == pytest.approx(device.model.read_noise, rel=0.01)


def test_bias_overscan_has_the_bias_level_and_no_pattern(device):
    frames = np.mean([exposures.bias_exposure(device, i) for i in range(8)], axis=0)
    overscan = frames[:, GEOMETRY.nx :].mean()
    assert overscan == pytest.approx(device.model.bias_level, abs=1.5)
    pattern = frames[:, : GEOMETRY.nx].mean(axis=0) - overscan
    assert np.abs(pattern - device.patterns.bias[0]).max() < 0.5


def test_dark_rate_is_the_models_rate(device):
    time = 600.0
    frames = [light(exposures.dark_exposure(device, i, time)) for i in range(3)]
    biases = [light(exposures.bias_exposure(device, i)) for i in range(3)]
    signal = (np.median(frames, axis=0) - np.median(biases, axis=0)) * device.model.gain
    ordinary = device.patterns.dark_rate < 3 * device.model.dark_rate
    assert signal[ordinary].mean() / time == pytest.approx(
        device.patterns.dark_rate[ordinary].mean(), rel=0.03
    )
    hot = signal[~ordinary] / time
    np.testing.assert_allclose(hot, device.patterns.dark_rate[~ordinary], rtol=0.1, atol=0.05)


def test_flat_has_the_models_vignetting_and_pixel_response(device):
    frames = [light(exposures.flat_exposure(device, i)) for i in range(6)]
    level = np.median(frames, axis=0) - device.model.bias_level
    shape = detector.vignetting(GEOMETRY, 1)
    ratio = level / level.mean() / (shape / shape.mean())
    blocks = ratio.reshape(8, 32, 8, 32).mean(axis=(1, 3))
    assert np.abs(blocks - 1).max() < 2e-3
    photon_noise = 1.2533 / np.sqrt(6 * exposures.FLAT_ELECTRONS)
    assert ratio.std() == pytest.approx(np.hypot(detector.PRNU_RMS, photon_noise), rel=0.05)


def test_response_has_mean_one_over_the_chip():
    shapes = [detector.vignetting(GEOMETRY, amp) for amp in range(2)]
    assert np.mean(shapes) == pytest.approx(1.0, abs=1e-4)
    corner = shapes[0][0, 0] / max(shape.max() for shape in shapes)
    assert corner == pytest.approx(1 - detector.VIGNETTING, abs=2e-3)


def test_charge_above_full_well_saturates_and_every_full_pixel_passes_saturate(device):
    charge = np.full(device.shape, 10 * device.model.full_well, dtype=np.float32)
    raw = detector.read_out(charge, GEOMETRY, device.model, device.patterns.bias, stream(1, Purpose.BIAS, 99))
    full = device.model.bias_level + device.model.full_well / device.model.gain
    assert light(raw).mean() == pytest.approx(full, abs=5)
    assert light(raw).min() >= device.model.saturate_adu
    assert raw[:, GEOMETRY.nx :].max() < 0.1 * device.model.saturate_adu


def test_raw_values_stop_at_the_converters_range(device):
    model = replace(device.model, full_well=1e6)
    charge = np.full(device.shape, 5e5, dtype=np.float32)
    raw = detector.read_out(charge, GEOMETRY, model, device.patterns.bias, stream(1, Purpose.BIAS, 99))
    assert raw.dtype == np.uint16
    assert (light(raw) == detector.ADC_MAX).all()


def test_charge_of_wrong_shape_is_refused_with_both_shapes(device):
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(256, 256\)"):
        detector.read_out(np.zeros((3, 4), np.float32), GEOMETRY, device.model, device.patterns.bias, None)


def test_sky_of_science_frame_is_the_conditions_sky(device):
    conditions = sky.visit_conditions(7, 3)
    empty = stars.StarField(np.empty(0), np.empty(0), np.empty(0))
    raw, _ = exposures.science_exposure(device, 3, conditions, empty)
    signal = np.median(light(raw) - device.patterns.bias) - np.median(raw[:, GEOMETRY.nx :])
    dark = np.median(device.patterns.dark_rate) * conditions.exposure_time
    expected = conditions.sky_electrons * np.median(device.patterns.response) + dark
    assert signal * device.model.gain == pytest.approx(expected, rel=0.005)


def test_star_light_arrives_complete_and_with_the_right_width():
    fwhm, x0, y0 = 12.0, 140.3, 139.6
    image = np.zeros((281, 281))
    stars.add_stars(image, np.array([x0]), np.array([y0]), np.array([1e5]), fwhm)
    assert image.sum() == pytest.approx(1e5, rel=1e-4)
    y, x = np.indices(image.shape)
    assert (x * image).sum() / image.sum() == pytest.approx(x0, abs=1e-3)
    assert (y * image).sum() / image.sum() == pytest.approx(y0, abs=1e-3)
    # Light within r of a Moffat profile: 1 - (1 + (r/a)**2)**(1 - beta). Solved for one half.
    half = np.sqrt(2 ** (1 / (stars.MOFFAT_BETA - 1)) - 1) * stars.moffat_core(fwhm)
    inside = np.hypot(x - x0, y - y0) < half
    assert image[inside].sum() / 1e5 == pytest.approx(0.5, abs=0.01)


def test_moffat_profile_is_half_as_high_at_half_its_width():
    core = stars.moffat_core(5.0)
    assert (1 + (2.5 / core) ** 2) ** -stars.MOFFAT_BETA == pytest.approx(0.5)


def test_noise_area_is_that_of_the_sampled_profile():
    stamp = stars.star_stamps(np.array([0.0]), np.array([0.0]), 8.0, 60)[0][0]
    assert stars.noise_area(8.0) == pytest.approx(1 / (stamp**2).sum(), rel=0.03)


def test_stars_across_the_edge_leave_only_their_inner_part():
    inside, cut = np.zeros((60, 60)), np.zeros((60, 30))
    arguments = np.array([29.7]), np.array([30.2]), np.array([1e4]), 3.0
    stars.add_stars(inside, *arguments)
    stars.add_stars(cut, *arguments)
    np.testing.assert_array_equal(cut, inside[:, :30])


@pytest.mark.parametrize(("x", "y"), [(-100.0, 30.0), (30.0, 500.0), (700.0, -80.0)])
def test_star_far_off_the_image_leaves_nothing(x, y):
    image = np.zeros((300, 260))
    stars.add_stars(image, np.array([x]), np.array([y]), np.array([1e6]), 3.0)
    assert not image.any()


def test_star_counts_grow_with_the_slope():
    field = stars.star_field(3, detector.ChipGeometry(4, 1024, 1024), 5000.0)
    bright = np.sum((field.magnitude > 20) & (field.magnitude < 21))
    faint = np.sum((field.magnitude > 22) & (field.magnitude < 23))
    assert faint / bright == pytest.approx(10 ** (2 * stars.MAGNITUDE_SLOPE), rel=0.1)


def test_zero_point_and_flux_follow_the_transparency():
    clear = replace(sky.visit_conditions(1, 0), transparency=1.0)
    cloudy = replace(clear, transparency=0.5)
    assert clear.zero_point - cloudy.zero_point == pytest.approx(0.7526, abs=1e-4)
    assert clear.star_electrons(20.0) / cloudy.star_electrons(20.0) == pytest.approx(2.0)
    assert clear.sky_electrons == cloudy.sky_electrons


def test_cosmic_rays_come_at_the_stated_rate_and_lose_no_charge():
    rng = np.random.default_rng(5)
    charge = np.zeros((1000, 1000))
    tracks = cosmic_rays.add_cosmic_rays(charge, 600.0, rng)
    # 1 square centimetre, 10 minutes: 120 expected, 11 rms.
    assert 75 < tracks.x.size < 165
    assert charge.sum() == pytest.approx(tracks.electrons.sum(), rel=1e-9)
    vertical = cosmic_rays.ELECTRONS_PER_UM * detector.THICKNESS_UM
    assert tracks.electrons.min() > 0.2 * vertical
    assert vertical < np.median(tracks.electrons) < 3 * vertical


def test_streams_differ_by_purpose_and_key():
    draws = {
        tuple(stream(1, purpose, *key).integers(0, 2**31, 3))
        for purpose, key in (
            (Purpose.BIAS, (0, 0)),
            (Purpose.BIAS, (0, 1)),
            (Purpose.BIAS, (1, 0)),
            (Purpose.DARK, (0, 0)),
        )
    }
    assert len(draws) == 4


SMALL = NightPlan(visits=2, geometry=detector.ChipGeometry(2, 48, 64, 8), seed=11)


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    layout = NightLayout(tmp_path_factory.mktemp("night"))
    simulate_night(layout, SMALL)
    return layout


def test_equal_plans_give_identical_files(night, tmp_path):
    simulate_night(NightLayout(tmp_path), SMALL)
    files = sorted(path.relative_to(night.root) for path in night.root.rglob("*.fits"))
    assert len(files) == 2 * 2 * 2 + 3 * 2 + 2
    for file in files:
        assert (tmp_path / file).read_bytes() == (night.root / file).read_bytes(), file


def test_files_do_not_depend_on_what_else_is_simulated(night, tmp_path):
    from harness.examples.ccd_night.night import write_visit

    device = exposures.camera(SMALL.seed, SMALL.geometry, 1)
    field = stars.star_field(SMALL.seed, SMALL.geometry, SMALL.stars_per_megapixel)
    alone = NightLayout(tmp_path)
    write_visit(alone, SMALL, device, field, 1)
    for kind in ("raw", "truth"):
        assert getattr(alone, kind)(1, 1).read_bytes() == getattr(night, kind)(1, 1).read_bytes()


def test_another_seed_gives_another_night(night, tmp_path):
    other = NightLayout(tmp_path)
    simulate_night(other, replace(SMALL, seed=12, visits=1))
    assert other.raw(0, 0).read_bytes() != night.raw(0, 0).read_bytes()


def test_raw_file_is_unsigned_16_bit_with_the_detectors_facts(night):
    from astropy.io import fits

    with fits.open(night.raw(1, 0)) as units:
        header, data = units[0].header, units[0].data
        assert header["BITPIX"] == 16
        assert data.dtype == np.uint16
        assert data.shape == (64, 48 + 8)
        assert (header["VISIT"], header["AMP"], header["EXPTIME"]) == (1, 0, 30.0)
        assert (header["TRIMSEC"], header["BIASSEC"]) == ("[1:48,1:64]", "[49:56,1:64]")
        model = detector.amplifier(SMALL.seed, 0)
        assert header["GAIN"] == pytest.approx(model.gain, abs=1e-6)
        assert header["RDNOISE"] == pytest.approx(model.read_noise, abs=1e-6)
    with fits.open(night.raw(1, 0), do_not_scale_image_data=True) as units:
        assert units[0].header["BZERO"] == 32768
        assert units[0].data.dtype.kind == "i"


def test_truth_file_reads_back(night):
    table, cosmics, conditions = fits_files.read_truth(night.truth(1, 0))
    expected = sky.visit_conditions(SMALL.seed, 1)
    assert conditions["ZEROPT"] == pytest.approx(expected.zero_point)
    assert conditions["SEEING"] == pytest.approx(expected.seeing)
    np.testing.assert_allclose(table["electrons"], expected.star_electrons(table["mag"]))
    assert cosmics.dtype.names == ("x", "y", "electrons")


def test_masters_lie_close_to_the_true_patterns():
    from harness.examples.ccd_night.night import make_masters

    device = exposures.camera(7, GEOMETRY, 0)
    masters = make_masters(device)
    # Nine biases: read noise over three. Five darks and flats: noise over sqrt(5).
    noise = device.model.read_noise / device.model.gain
    assert (masters["bias"] - device.patterns.bias).std() == pytest.approx(noise / 3, rel=0.1)
    dark = masters["dark"] * device.model.gain / exposures.DARK_EXPOSURE - device.patterns.dark_rate
    assert abs(np.median(dark)) < 0.005
    flat = (
        masters["flat"]
        / masters["flat"].mean()
        / (device.patterns.response / device.patterns.response.mean())
    )
    assert flat.std() == pytest.approx(1 / np.sqrt(5 * exposures.FLAT_ELECTRONS), rel=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visits": 0}, "at least one visit"),
        ({"seed": -1}, "seed"),
        ({"exposure_time": 0.0}, "exposure time"),
    ],
)
def test_impossible_plan_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)


@pytest.mark.parametrize("name", ["amp_count", "nx", "ny", "overscan"])
def test_impossible_geometry_is_refused_by_name(name):
    with pytest.raises(ValueError, match=name):
        replace(GEOMETRY, **{name: 0})


def test_amplifier_that_the_chip_lacks_is_refused():
    with pytest.raises(ValueError, match="amplifier 2 does not exist"):
        exposures.camera(1, GEOMETRY, 2)


def test_detector_facts_agree_with_the_model(device):
    facts = detector_facts(device, 30.0)
    assert facts.gain == pytest.approx(device.model.gain, abs=1e-6)
    assert facts.biassec == "[257:288,1:256]"
