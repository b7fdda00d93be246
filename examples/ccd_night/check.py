# SPDX-License-Identifier: BSD-3-Clause
"""Compares what the pipeline wrote with the truth of the simulated night."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .algorithms import mask_bits
from .algorithms.catalogue import UNFIT_FOR_PHOTOMETRY
from .layout import NightLayout
from .night import NightPlan
from .simulate.fits_files import read_truth

MARGIN = 10.0
"""Pixels from the edge within which nothing is expected to be found."""

MATCH_RADIUS = 1.5
"""Pixels between a true and a measured position of the same star."""

RECOVERY_SNR = 10.0
"""Stars above this best possible signal-to-noise ratio should be found."""

PHOTOMETRY_SNR = 50.0
"""Stars above this one say how good the photometry is."""


@dataclass(frozen=True)
class Limits:
    """What counts as a good night. Each bound is widened by three standard errors of the sample at hand.

    Attributes
    ----------
    recovered : float
        Least share of stars above `RECOVERY_SNR` that are found; the rest hides beside brighter ones.
    false : float
        Largest share of catalogued objects above `RECOVERY_SNR` without a star, cosmic rays not counted.
    bias, scatter : float
        Largest median and robust scatter of measured minus true magnitude above `PHOTOMETRY_SNR`.
    zero_point : float
        Largest error of a visit's zero point, magnitudes.
    """

    recovered: float = 0.95
    false: float = 0.02
    bias: float = 0.005
    scatter: float = 0.025
    zero_point: float = 0.005


@dataclass
class VisitCheck:
    """Truth and result of one visit.

    Attributes
    ----------
    visit : int
        Number of the visit.
    expected, recovered : int
        Stars above `RECOVERY_SNR`, and how many were found.
    catalogued, false : int
        Objects catalogued above `RECOVERY_SNR`, cosmic rays not counted, and how many are no stars.
    residuals : numpy.ndarray
        Measured minus true magnitude of unflagged stars above `PHOTOMETRY_SNR`, true zero point taken out.
    zero_point_error, zero_point_sigma : float
        Found minus true zero point, and the standard error the pipeline states, magnitudes.
    """

    visit: int
    expected: int = 0
    recovered: int = 0
    catalogued: int = 0
    false: int = 0
    residuals: np.ndarray = field(default_factory=lambda: np.empty(0))
    zero_point_error: float = float("nan")
    zero_point_sigma: float = float("nan")


@dataclass(frozen=True)
class NightCheck:
    """All visits, and the complaints about them (empty if the night is good)."""

    visits: tuple[VisitCheck, ...]
    complaints: tuple[str, ...]


def read_table(path) -> np.ndarray:
    """Return the first table of a FITS file as a structured array of native byte order."""
    from astropy.io import fits

    with fits.open(path) as units:
        data = np.array(units[1].data)
    return data.astype(data.dtype.newbyteorder("="))


def robust_scatter(values: np.ndarray) -> float:
    """Return 1.4826 times the median absolute deviation; NaN for no values."""
    return float(1.4826 * np.median(np.abs(values - np.median(values)))) if values.size else float("nan")


def _add_amplifier(result: VisitCheck, plan: NightPlan, truth: np.ndarray, stars: np.ndarray) -> None:
    """Count one amplifier's stars in."""
    nx, ny = plan.geometry.nx, plan.geometry.ny

    def well_inside(table: np.ndarray) -> np.ndarray:
        x, y = table["x"], table["y"]
        return (x > MARGIN) & (x < nx - 1 - MARGIN) & (y > MARGIN) & (y < ny - 1 - MARGIN)

    distance = np.hypot(stars["x"][:, None] - truth["x"], stars["y"][:, None] - truth["y"])
    wanted = well_inside(truth) & (truth["snr"] > RECOVERY_SNR)
    result.expected += int(wanted.sum())
    result.recovered += int((distance.min(axis=0, initial=np.inf) <= MATCH_RADIUS)[wanted].sum())

    ray = (stars["flags"] & mask_bits.COSMIC_RAY) != 0
    listed = well_inside(stars) & ~ray & (stars["flux"] > RECOVERY_SNR * stars["flux_err"])
    result.catalogued += int(listed.sum())
    # A star near a brighter one pulls the centre; three times the radius still tells star from nothing.
    result.false += int((distance.min(axis=1, initial=np.inf) > 3 * MATCH_RADIUS)[listed].sum())

    if truth.size and stars.size:
        nearest = distance.argmin(axis=1)
        good = (stars["flags"] & UNFIT_FOR_PHOTOMETRY) == 0
        good &= (
            (stars["flux"] > 0)
            & (distance.min(axis=1) <= MATCH_RADIUS)
            & (truth["snr"][nearest] > PHOTOMETRY_SNR)
        )
        residuals = -2.5 * np.log10(stars["flux"][good] / truth["electrons"][nearest][good])
        result.residuals = np.concatenate([result.residuals, residuals])


def check_visit(layout: NightLayout, plan: NightPlan, visit: int) -> VisitCheck:
    """Compare one visit with its truth. `FileNotFoundError` names a file that the pipeline did not write."""
    result = VisitCheck(visit)
    conditions: dict[str, float] = {}
    for amp in range(plan.geometry.amp_count):
        truth, _, conditions = read_truth(layout.truth(visit, amp))
        _add_amplifier(result, plan, truth, read_table(layout.catalogue(visit, amp)))
    summary = read_table(layout.summary(visit))
    result.zero_point_error = float(summary["zero_point"][0]) - conditions["ZEROPT"]
    result.zero_point_sigma = float(summary["zero_point_err"][0])
    return result


def _complaints(visits: list[VisitCheck], limits: Limits) -> list[str]:
    complaints = []
    for result in visits:
        bound = limits.zero_point + 3 * result.zero_point_sigma
        if not abs(result.zero_point_error) <= bound:
            complaints.append(
                f"visit {result.visit}: zero point off by {1e3 * result.zero_point_error:+.1f} mmag,"
                f" at most {1e3 * bound:.1f} are allowed"
            )
    expected, recovered = sum(r.expected for r in visits), sum(r.recovered for r in visits)
    allowed = (1 - limits.recovered) * expected
    if expected - recovered > allowed + 3 * np.sqrt(allowed):
        complaints.append(
            f"only {recovered} of {expected} stars above S/N {RECOVERY_SNR:g} found,"
            f" {100 * limits.recovered:g} % are wanted"
        )
    catalogued, false = sum(r.catalogued for r in visits), sum(r.false for r in visits)
    allowed = limits.false * catalogued
    if false > allowed + 3 * np.sqrt(allowed):
        complaints.append(
            f"{false} of {catalogued} catalogued objects are no stars, {100 * limits.false:g} % are allowed"
        )
    residuals = np.concatenate([r.residuals for r in visits])
    if residuals.size < 3:
        complaints.append(
            f"only {residuals.size} stars above S/N {PHOTOMETRY_SNR:g} measured; simulate more sky"
        )
        return complaints
    bias, scatter = float(np.median(residuals)), robust_scatter(residuals)
    bound = limits.bias + 3 * 1.2533 * scatter / np.sqrt(residuals.size)
    if not abs(bias) <= bound:
        complaints.append(f"photometric bias {1e3 * bias:+.1f} mmag, at most {1e3 * bound:.1f} are allowed")
    bound = limits.scatter * (1 + 3 * 1.17 / np.sqrt(residuals.size))
    if not scatter <= bound:
        complaints.append(
            f"photometric scatter {1e3 * scatter:.1f} mmag, at most {1e3 * bound:.1f} are allowed"
        )
    return complaints


def check_night(layout: NightLayout, plan: NightPlan, limits: Limits = Limits()) -> NightCheck:  # noqa: B008
    """Compare a whole night with its truth.

    A file that the pipeline did not write is a complaint, not an exception.
    """
    visits, complaints = [], []
    for visit in range(plan.visits):
        try:
            visits.append(check_visit(layout, plan, visit))
        except FileNotFoundError as error:
            complaints.append(f"visit {visit}: the pipeline did not write {error.filename}")
    if visits:
        complaints.extend(_complaints(visits, limits))
    return NightCheck(tuple(visits), tuple(complaints))


def format_check(result: NightCheck) -> str:
    """Return the comparison as a table, one line per visit and one for all."""
    lines = [
        f"{'visit':>5}  {'found above S/N 10':>18}  {'false':>5}  {'zero point error':>20}"
        f"  {'bias':>9}  {'scatter':>9}"
    ]

    def photometry(residuals: np.ndarray) -> str:
        bias = float(np.median(residuals)) if residuals.size else float("nan")
        return f"{1e3 * bias:+5.1f} mmag  {1e3 * robust_scatter(residuals):4.1f} mmag"

    for visit in result.visits:
        share = 100 * visit.recovered / max(1, visit.expected)
        zero_point = f"{1e3 * visit.zero_point_error:+.1f} +- {1e3 * visit.zero_point_sigma:.1f} mmag"
        lines.append(
            f"{visit.visit:>5}  {visit.recovered:>5}/{visit.expected:<5}{share:5.1f} %  {visit.false:>5}"
            f"  {zero_point:>20}  {photometry(visit.residuals)}"
        )
    if result.visits:
        expected, recovered = sum(r.expected for r in result.visits), sum(r.recovered for r in result.visits)
        share = 100 * recovered / max(1, expected)
        errors = [r.zero_point_error for r in result.visits]
        worst = f"worst {1e3 * max(errors, key=abs):+.1f} mmag"
        residuals = np.concatenate([r.residuals for r in result.visits])
        false = sum(r.false for r in result.visits)
        lines.append(
            f"{'all':>5}  {recovered:>5}/{expected:<5}{share:5.1f} %  {false:>5}"
            f"  {worst:>20}  {photometry(residuals)}"
        )
    return "\n".join(lines)
