# SPDX-License-Identifier: BSD-3-Clause
"""From the catalogues of single amplifiers to one zero point and one row of numbers for the whole visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .catalogue import UNFIT_FOR_PHOTOMETRY
from .errors import NoSolutionError
from .zero_point import Match, ZeroPoint, fit_zero_point, match_by_offset

MATCH_COLUMNS = np.dtype([("flux", "f8"), ("flux_err", "f8"), ("mag", "f8")])
"""One matched star: measured electrons, their error, reference magnitude."""

SUMMARY_COLUMNS = np.dtype(
    [
        ("visit", "i4"),
        ("amps", "i4"),
        ("zero_point", "f8"),
        ("zero_point_err", "f8"),
        ("scatter", "f8"),
        ("matched_stars", "i4"),
        ("stars", "i4"),
        ("cosmic_rays", "i4"),
        ("seeing", "f8"),
        ("sky", "f8"),
    ]
)
"""One row per visit. zero_point, zero_point_err, scatter: magnitudes. seeing: pixels. sky: electrons per
pixel. amps, stars, cosmic_rays: how many amplifiers came through, and what they found."""


@dataclass(frozen=True)
class AmplifierStatistics:
    """What one amplifier contributes to the summary besides its matched stars.

    Attributes
    ----------
    stars, cosmic_rays : int
        Objects of either kind.
    seeing : float
        Pixels.
    sky : float
        Electrons per pixel.
    """

    stars: int
    cosmic_rays: int
    seeing: float
    sky: float


def match_catalogue(
    stars: np.ndarray,
    reference: Mapping[str, np.ndarray] | np.ndarray,
    *,
    least_signal_to_noise: float = 20.0,
    largest_offset: float = 20.0,
    match_radius: float = 1.5,
) -> tuple[np.ndarray, Match]:
    """Match the good stars of a catalogue with a reference catalogue.

    Parameters
    ----------
    stars : numpy.ndarray
        Structured array of `catalogue.COLUMNS`.
    reference : mapping or structured array
        Columns ``x``, ``y`` (pixels) and ``mag``.
    least_signal_to_noise : float
        Fainter and flagged stars are left out.
    largest_offset, match_radius : float
        See `zero_point.match_by_offset`.

    Returns
    -------
    pairs : numpy.ndarray
        Structured array of `MATCH_COLUMNS`.
    match : Match
        Indices count the good stars only.
    """
    good = (stars["flags"] & UNFIT_FOR_PHOTOMETRY) == 0
    good &= stars["flux"] > least_signal_to_noise * stars["flux_err"]
    chosen = stars[good]
    x, y, magnitude = (np.asarray(reference[name], dtype=np.float64) for name in ("x", "y", "mag"))
    match = match_by_offset(
        chosen["x"], chosen["y"], x, y, largest_offset=largest_offset, radius=match_radius
    )
    pairs = np.zeros(match.detected.size, dtype=MATCH_COLUMNS)
    pairs["flux"] = chosen["flux"][match.detected]
    pairs["flux_err"] = chosen["flux_err"][match.detected]
    pairs["mag"] = magnitude[match.reference]
    return pairs, match


def zero_point_of(pairs: np.ndarray, exposure_time: float) -> ZeroPoint:
    """Return the zero point of matched stars (`MATCH_COLUMNS`); see `zero_point.fit_zero_point`."""
    return fit_zero_point(pairs["flux"], pairs["flux_err"], pairs["mag"], exposure_time)


def summarise_visit(
    visit: int, pairs: Sequence[np.ndarray], statistics: Sequence[AmplifierStatistics], exposure_time: float
) -> np.ndarray:
    """Return one row of `SUMMARY_COLUMNS` for the amplifiers that came through.

    The zero point is fitted to all matched stars at once; seeing and sky are medians over amplifiers.

    Raises
    ------
    NoSolutionError
        No amplifier, or too few stars.
    """
    if not pairs:
        raise NoSolutionError(f"summarising visit {visit}: no amplifier has matched stars")
    zero_point = zero_point_of(np.concatenate(list(pairs)), exposure_time)
    summary = np.zeros(1, dtype=SUMMARY_COLUMNS)
    summary["visit"], summary["amps"] = visit, len(pairs)
    summary["zero_point"], summary["zero_point_err"] = zero_point.value, zero_point.error
    summary["scatter"], summary["matched_stars"] = zero_point.scatter, zero_point.star_count
    summary["stars"] = sum(found.stars for found in statistics)
    summary["cosmic_rays"] = sum(found.cosmic_rays for found in statistics)
    summary["seeing"] = np.median([found.seeing for found in statistics])
    summary["sky"] = np.median([found.sky for found in statistics])
    return summary
