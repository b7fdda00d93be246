# SPDX-License-Identifier: BSD-3-Clause
"""Aperture correction: how much light of a star lies outside the small aperture it is measured in."""

from __future__ import annotations

import numpy as np

from .stamps import aperture_sums, cut_stamps

ANNULI = 8
"""Rings between the measuring aperture and the one that holds all light."""

NEIGHBOUR_SHARE = 0.003
"""A star stands alone if no object within both apertures' reach has more than this part of its light."""

LEAST_STARS = 3
"""With fewer good stars the correction is that of a model profile."""

WINDOWED_OVER_FWHM = 1.077
"""How much wider than its FWHM the model profile, spread over pixels, looks through a Gaussian window of its
own width: chosen so that the light within one such width is right (`stamps.windowed_centres`)."""

MOFFAT_BETA = 4.765
"""Wing index of the model profile: turbulence theory (Trujillo et al. 2001, MNRAS 328, 977)."""


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the value below and above which half of the weight lies, linear between neighbours."""
    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order]
    middle = np.cumsum(weights) - 0.5 * weights
    return float(np.interp(0.5 * weights.sum(), middle, values))


def model_correction(radius: float, seeing: float) -> float:
    """Return total over aperture flux of a Moffat profile whose windowed width is ``seeing``, all in pixels.

    Gives 1.147 for a radius of one width, which is right to 0.1 % for a FWHM of 3.5 to 6 pixels.
    """
    core = seeing / WINDOWED_OVER_FWHM / (2 * np.sqrt(2 ** (1 / MOFFAT_BETA) - 1))
    return float(1 / (1 - (1 + (radius / core) ** 2) ** (1 - MOFFAT_BETA)))


def aperture_correction(
    image: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    flux: np.ndarray,
    good: np.ndarray,
    radius: float,
    total_radius: float,
    noise: float,
    seeing: float,
) -> float:
    """Return total over aperture flux from the growth curves of stars.

    Parameters
    ----------
    image : numpy.ndarray
        Background subtracted, electrons.
    x, y, flux : numpy.ndarray
        Positions (pixels) and aperture fluxes (electrons) of all objects, ``(n,)``.
    good : numpy.ndarray
        bool ``(n,)``: stars that may serve; the others are only neighbours.
    radius, total_radius : float
        The measuring aperture and one that holds practically all light, pixels.
    noise : float
        Rms of the background, electrons.
    seeing : float
        Width of the stars, pixels; for the model only.

    Returns
    -------
    float
        One plus the sum, over rings around the aperture, of the weighted median over stars of the ring's
        share of the aperture flux. Only stars count whose signal-to-noise ratio in the total aperture exceeds
        50, whose total aperture lies in the image, and that stand alone there; with fewer than `LEAST_STARS`
        of them the result is `model_correction`.
    """
    ny, nx = image.shape
    reach = total_radius + 0.5
    inside = (x > reach) & (x < nx - 1 - reach) & (y > reach) & (y < ny - 1 - reach)
    distance = np.hypot(x[:, None] - x, y[:, None] - y)
    np.fill_diagonal(distance, np.inf)
    crowded = ((distance < total_radius + radius) & (flux > NEIGHBOUR_SHARE * flux[:, None])).any(axis=1)
    bright = (
        good
        & inside
        & ~crowded
        & (flux > 50 * np.sqrt(np.pi * total_radius**2 * noise**2 + np.maximum(flux, 0)))
    )
    if bright.sum() < LEAST_STARS:
        return model_correction(radius, seeing)
    x, y, flux = x[bright], y[bright], flux[bright]
    column, row = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    stamps = cut_stamps(image, column, row, int(np.ceil(total_radius)) + 2)
    within, area = aperture_sums(stamps, x - column, y - row, radius)
    correction = 1.0
    for edge in np.linspace(radius, total_radius, ANNULI + 1)[1:]:
        total, wider = aperture_sums(stamps, x - column, y - row, float(edge))
        share = (total - within) / flux
        variance = ((wider - area) * noise**2 + np.maximum(total - within, 0)) / flux**2
        # Half a per cent in quadrature, so that the brightest star does not decide alone.
        correction += weighted_median(share, 1 / (variance + 2.5e-5))
        within, area = total, wider
    return correction
