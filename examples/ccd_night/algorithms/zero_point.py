# SPDX-License-Identifier: BSD-3-Clause
"""Photometric zero point: match detections with a reference catalogue and compare magnitudes, robustly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import NoSolutionError, ReductionError

MAD_TO_SIGMA = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


@dataclass(frozen=True)
class Match:
    """Pairs of detected and reference stars.

    Attributes
    ----------
    detected, reference : numpy.ndarray
        int64 ``(n,)``: indices into the two lists.
    dx, dy : float
        Median of detected minus reference position, pixels.
    """

    detected: np.ndarray
    reference: np.ndarray
    dx: float
    dy: float


@dataclass(frozen=True)
class ZeroPoint:
    """Result of `fit_zero_point`.

    Attributes
    ----------
    value : float
        Magnitude of a star that gives one electron per second.
    error : float
        Standard error of ``value``, magnitudes.
    scatter : float
        Robust standard deviation of single stars around it, magnitudes.
    star_count : int
        Stars used, after rejection.
    """

    value: float
    error: float
    scatter: float
    star_count: int


def match_by_offset(
    x: np.ndarray,
    y: np.ndarray,
    reference_x: np.ndarray,
    reference_y: np.ndarray,
    *,
    largest_offset: float = 20.0,
    radius: float = 1.5,
) -> Match:
    """Match two lists of positions that differ by one unknown offset.

    The offset is where most of all pair differences within ``largest_offset`` agree; the pairs are those that
    are each other's nearest neighbours within ``radius`` once it is applied.

    Parameters
    ----------
    x, y, reference_x, reference_y : numpy.ndarray
        Positions in pixels, ``(n,)`` and ``(m,)``.
    largest_offset, radius : float
        Pixels, > 0.

    Raises
    ------
    NoSolutionError
        A list is empty, or no offset brings two pairs together.
    """
    if x.size == 0 or reference_x.size == 0:
        raise NoSolutionError(
            f"matching stars: nothing to match, {x.size} detections and {reference_x.size} reference stars"
        )
    dx = x[:, None] - reference_x
    dy = y[:, None] - reference_y
    near = (np.abs(dx) <= largest_offset) & (np.abs(dy) <= largest_offset)
    if near.sum() == 0:
        raise NoSolutionError(
            f"matching stars: no reference star within {largest_offset:g} pixels of any detection"
        )
    pairs_x, pairs_y = dx[near], dy[near]
    neighbours = (np.hypot(pairs_x[:, None] - pairs_x, pairs_y[:, None] - pairs_y) <= radius).sum(axis=1)
    best = int(np.argmax(neighbours))
    if neighbours[best] < 2:
        raise NoSolutionError(
            f"matching stars: among {pairs_x.size} pairs of {x.size} detections and"
            f" {reference_x.size} reference stars no two agree on an offset to {radius:g} pixels"
        )
    offset_x, offset_y = pairs_x[best], pairs_y[best]
    for _ in range(2):
        agree = np.hypot(pairs_x - offset_x, pairs_y - offset_y) <= radius
        offset_x, offset_y = float(np.median(pairs_x[agree])), float(np.median(pairs_y[agree]))
    distance = np.hypot(dx - offset_x, dy - offset_y)
    nearest_reference = distance.argmin(axis=1)
    nearest_detected = distance.argmin(axis=0)
    detected = np.arange(x.size)
    mutual = (nearest_detected[nearest_reference] == detected) & (
        distance[detected, nearest_reference] <= radius
    )
    return Match(detected[mutual], nearest_reference[mutual], offset_x, offset_y)


def fit_zero_point(
    flux: np.ndarray,
    flux_err: np.ndarray,
    magnitude: np.ndarray,
    exposure_time: float,
    *,
    clip: float = 3.0,
    systematic: float = 0.005,
    least_stars: int = 3,
) -> ZeroPoint:
    """Return the zero point from matched stars.

    Parameters
    ----------
    flux, flux_err : numpy.ndarray
        Electrons, ``(n,)``, flux > 0.
    magnitude : numpy.ndarray
        Reference magnitudes, ``(n,)``.
    exposure_time : float
        Seconds, > 0.
    clip : float
        Stars further than this many standard deviations from the median are rejected, in up to five rounds.
        A star's standard deviation is the larger of its own error and the robust scatter of all.
    systematic : float
        Magnitudes added in quadrature to each star's error, so that a few very bright ones don't rule.
    least_stars : int
        Fewer than this many stars give no solution.

    Raises
    ------
    ReductionError
        Arrays of different length, or an exposure time that is not positive.
    NoSolutionError
        Too few stars.
    """
    if not flux.shape == flux_err.shape == magnitude.shape:
        raise ReductionError(
            "fitting the zero point: flux, flux_err and magnitude must have one length,"
            f" got {flux.shape}, {flux_err.shape} and {magnitude.shape}"
        )
    if not exposure_time > 0:
        raise ReductionError(
            f"fitting the zero point: the exposure time must be positive, got {exposure_time} s"
        )
    usable = (flux > 0) & (flux_err > 0) & np.isfinite(magnitude)
    flux, flux_err, magnitude = flux[usable], flux_err[usable], magnitude[usable]
    if flux.size < least_stars:
        raise NoSolutionError(
            f"fitting the zero point: {flux.size} matched stars, at least {least_stars} are needed"
        )
    single = magnitude + 2.5 * np.log10(flux / exposure_time)
    sigma = np.hypot(2.5 / np.log(10) * flux_err / flux, systematic)
    keep = np.ones(single.size, dtype=bool)
    for _ in range(5):
        centre = np.median(single[keep])
        scatter = MAD_TO_SIGMA * np.median(np.abs(single[keep] - centre))
        again = np.abs(single - centre) <= clip * np.maximum(sigma, scatter)
        if np.array_equal(again, keep) or again.sum() < least_stars:
            break
        keep = again
    weight = sigma[keep] ** -2.0
    value = float(np.sum(weight * single[keep]) / np.sum(weight))
    residual = single[keep] - value
    chi2 = float(np.sum(weight * residual**2)) / max(1, int(keep.sum()) - 1)
    error = float(np.sqrt(max(1.0, chi2) / np.sum(weight)))
    scatter = float(MAD_TO_SIGMA * np.median(np.abs(residual - np.median(residual))))
    return ZeroPoint(value, error, scatter, int(keep.sum()))
