# SPDX-License-Identifier: BSD-3-Clause
"""The comparison with the truth passes a perfect night and names what is wrong with a bad one."""

import numpy as np
import pytest
from harness.examples.ccd_night.algorithms import mask_bits
from harness.examples.ccd_night.algorithms.catalogue import COLUMNS
from harness.examples.ccd_night.algorithms.visit_summary import SUMMARY_COLUMNS
from harness.examples.ccd_night.check import check_night, format_check
from harness.examples.ccd_night.layout import NightLayout
from harness.examples.ccd_night.night import NightPlan, true_stars
from harness.examples.ccd_night.simulate import detector, exposures, sky, stars
from harness.examples.ccd_night.simulate.cosmic_rays import Tracks
from harness.examples.ccd_night.simulate.fits_files import write_truth

PLAN = NightPlan(visits=2, geometry=detector.ChipGeometry(2, 512, 512), seed=3, stars_per_megapixel=600.0)
NO_TRACKS = Tracks(np.empty(0), np.empty(0), np.empty(0))


def write_table(path, table):
    from astropy.io import fits

    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(table)]).writeto(path)


def perfect(truth):
    """The catalogue of a flawless pipeline: every star, 1 % errors."""
    table = np.zeros(truth.size, dtype=COLUMNS)
    rng = np.random.default_rng(1)
    table["x"], table["y"] = truth["x"], truth["y"]
    table["flux"] = truth["electrons"] * (1 + 0.01 * rng.standard_normal(truth.size))
    table["flux_err"] = truth["electrons"] / truth["snr"]
    return table


def night(root, spoil=lambda table: table, zero_point_error=0.0):
    """A night on disk whose catalogues went through ``spoil``."""
    layout = NightLayout(root)
    field = stars.star_field(PLAN.seed, PLAN.geometry, PLAN.stars_per_megapixel)
    devices = [exposures.camera(PLAN.seed, PLAN.geometry, amp) for amp in range(2)]
    for visit in range(PLAN.visits):
        conditions = sky.visit_conditions(PLAN.seed, visit)
        for device in devices:
            truth = true_stars(
                device, conditions, field.near_amplifier(PLAN.geometry, device.amp, stars.EDGE)
            )
            write_truth(layout.truth(visit, device.amp), truth, NO_TRACKS, conditions)
            write_table(layout.catalogue(visit, device.amp), spoil(perfect(truth)))
        summary = np.zeros(1, dtype=SUMMARY_COLUMNS)
        summary["zero_point"], summary["zero_point_err"] = conditions.zero_point + zero_point_error, 0.001
        write_table(layout.summary(visit), summary)
    return layout


def test_perfect_night_has_no_complaints(tmp_path):
    result = check_night(night(tmp_path), PLAN)
    assert result.complaints == ()
    assert all(visit.recovered == visit.expected > 50 for visit in result.visits)
    assert sum(visit.false for visit in result.visits) == 0
    assert abs(np.median(result.visits[0].residuals)) < 0.005
    text = format_check(result)
    assert "100.0 %" in text
    assert len(text.splitlines()) == 4


def lose_stars(table):
    return table[np.arange(table.size) % 4 > 0]


def invent_stars(table):
    extra = table[: table.size // 8].copy()
    extra["x"], extra["y"] = np.linspace(20, 480, extra.size), 256.0
    return np.concatenate([table, extra])


def brighten(table):
    table["flux"] *= 1.02
    return table


def shake(table):
    table["flux"] *= np.random.default_rng(2).normal(1, 0.1, table.size)
    return table


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lose_stars, "stars above S/N 10 found"),
        (invent_stars, "are no stars"),
        (brighten, "photometric bias"),
        (shake, "photometric scatter"),
        (lambda table: table[:0], "only 0 stars above S/N 50 measured"),
    ],
)
def test_bad_catalogues_are_complained_about(tmp_path, spoil, complaint):
    result = check_night(night(tmp_path, spoil), PLAN)
    assert any(complaint in line for line in result.complaints), result.complaints


def test_cosmic_rays_are_not_counted_as_false_stars(tmp_path):
    def add_rays(table):
        rays = invent_stars(table)
        rays["flags"][table.size :] = mask_bits.COSMIC_RAY
        return rays

    assert check_night(night(tmp_path, add_rays), PLAN).complaints == ()


def test_wrong_zero_point_is_complained_about_for_every_visit(tmp_path):
    result = check_night(night(tmp_path, zero_point_error=0.02), PLAN)
    assert [line.split(":")[0] for line in result.complaints] == ["visit 0", "visit 1"]
    assert "+20.0 mmag" in result.complaints[0]


def test_undefined_zero_point_is_complained_about(tmp_path):
    assert len(check_night(night(tmp_path, zero_point_error=np.nan), PLAN).complaints) == 2


def test_missing_file_is_a_complaint_that_names_it(tmp_path):
    layout = night(tmp_path)
    layout.catalogue(1, 0).unlink()
    result = check_night(layout, PLAN)
    assert len(result.visits) == 1
    assert [str(layout.catalogue(1, 0)) in line for line in result.complaints] == [True]
    assert "1" in format_check(result)


def test_night_without_any_result_is_all_complaints(tmp_path):
    result = check_night(NightLayout(tmp_path), PLAN)
    assert result.visits == ()
    assert len(result.complaints) == 2
