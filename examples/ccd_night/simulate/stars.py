# SPDX-License-Identifier: BSD-3-Clause
"""Stars: a field with a magnitude distribution, and their light spread over pixels by a Moffat profile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .detector import ChipGeometry
from .random_streams import Purpose, stream

MOFFAT_BETA = 4.765
"""Wing index of the profile: the value of turbulence theory (Trujillo et al. 2001, MNRAS 328, 977)."""

BRIGHTEST, FAINTEST = 15.5, 24.5
"""Magnitude limits of the field. At 30 s, stars above about 16.5 saturate and those near 24.5 drown."""

MAGNITUDE_SLOPE = 0.2
"""Star counts grow as 10**(slope * magnitude)."""

EDGE = 24.0
"""Pixels outside an amplifier within which stars still belong to its catalogues."""

# Gauss-Legendre rule with three points over one pixel: exact for polynomials up to degree 5.
_NODES = np.array([-0.5, 0.0, 0.5]) * np.sqrt(0.6)
_NODES_WEIGHTS = np.array([5.0, 8.0, 5.0]) / 18.0


@dataclass(frozen=True)
class StarField:
    """Stars of the chip. Positions are pixels from the chip's lower left corner pixel centre (0, 0).

    Attributes
    ----------
    x, y : numpy.ndarray
        float64 ``(n,)``.
    magnitude : numpy.ndarray
        float64 ``(n,)``.
    """

    x: np.ndarray
    y: np.ndarray
    magnitude: np.ndarray

    def near_amplifier(self, geometry: ChipGeometry, amp: int, margin: float) -> StarField:
        """Return the stars within ``margin`` pixels of an amplifier, in that amplifier's own pixels."""
        x = self.x - amp * geometry.nx
        keep = (x > -margin) & (x < geometry.nx - 1 + margin)
        keep &= (self.y > -margin) & (self.y < geometry.ny - 1 + margin)
        return StarField(x[keep], self.y[keep], self.magnitude[keep])


def star_field(seed: int, geometry: ChipGeometry, stars_per_megapixel: float = 180.0) -> StarField:
    """Return the field above the chip, with a border of `EDGE` pixels around it.

    Stars are spread evenly; the count is the nearest integer to density times area. 180 stars in a million
    pixels of 0.2 arcsec is some 16 in a square arcminute.
    """
    rng = stream(seed, Purpose.FIELD)
    width, height = geometry.amp_count * geometry.nx + 2 * EDGE, geometry.ny + 2 * EDGE
    count = max(1, round(stars_per_megapixel * 1e-6 * width * height))
    low, high = 10 ** (MAGNITUDE_SLOPE * BRIGHTEST), 10 ** (MAGNITUDE_SLOPE * FAINTEST)
    return StarField(
        x=rng.uniform(-EDGE, width - EDGE, count) - 0.5,
        y=rng.uniform(-EDGE, height - EDGE, count) - 0.5,
        magnitude=np.log10(rng.uniform(low, high, count)) / MAGNITUDE_SLOPE,
    )


def moffat_core(fwhm: float, beta: float = MOFFAT_BETA) -> float:
    """Return the core radius ``a`` of ``(1 + (r/a)**2)**-beta`` for a full width at half maximum, pixels."""
    return fwhm / (2 * float(np.sqrt(2 ** (1 / beta) - 1)))


def noise_area(fwhm: float, beta: float = MOFFAT_BETA) -> float:
    """Return the noise area of the profile, ``1 / integral(psf**2)``, in pixels."""
    return float(np.pi) * moffat_core(fwhm, beta) ** 2 * (2 * beta - 1) / (beta - 1) ** 2


def signal_to_noise(electrons: np.ndarray, fwhm: float, pixel_variance: float) -> np.ndarray:
    """Return the best signal-to-noise ratio a point source can have, by profile-weighted photometry.

    ``F / sqrt(F + n_eff * variance)`` with variance the noise of one empty pixel in electrons squared
    (technical note LSE-40 of the LSST project).
    """
    electrons = np.asarray(electrons, dtype=np.float64)
    return electrons / np.sqrt(electrons + noise_area(fwhm) * pixel_variance)


def star_stamps(
    x: np.ndarray, y: np.ndarray, fwhm: float, radius: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return unit-flux stamps of stars, integrated over pixels.

    Parameters
    ----------
    x, y : numpy.ndarray
        Star centres in pixels, ``(n,)``.
    fwhm : float
        Full width at half maximum, pixels.
    radius : int
        Half width of a stamp, pixels.

    Returns
    -------
    stamps : numpy.ndarray
        float64 ``(n, 2 * radius + 1, 2 * radius + 1)``. A stamp's sum is below 1 by what lies outside it.
    column, row : numpy.ndarray
        Integer pixel of each stamp's centre, ``(n,)``.
    """
    column, row = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    offsets = np.arange(-radius, radius + 1)
    samples = (offsets[:, None] + _NODES).ravel()
    dx2 = (samples - (x - column)[:, None]) ** 2
    dy2 = (samples - (y - row)[:, None]) ** 2
    core = moffat_core(fwhm)
    profile = (1 + (dy2[:, :, None] + dx2[:, None, :]) / core**2) ** -MOFFAT_BETA
    profile *= (MOFFAT_BETA - 1) / (np.pi * core**2)
    size = offsets.size
    profile = profile.reshape(x.size, size, 3, size, 3)
    return np.einsum("nyaxb,a,b->nyx", profile, _NODES_WEIGHTS, _NODES_WEIGHTS), column, row


def add_stars(image: np.ndarray, x: np.ndarray, y: np.ndarray, electrons: np.ndarray, fwhm: float) -> None:
    """Add stars of given expected electrons to ``image`` (float ``(ny, nx)``), in place.

    Stamps reach out to 6 FWHM; less than 1e-5 of a star's light lies beyond.
    """
    radius = int(np.ceil(6 * fwhm))
    ny, nx = image.shape
    for first in range(0, x.size, 32):
        part = slice(first, first + 32)
        stamps, columns, rows = star_stamps(x[part], y[part], fwhm, radius)
        for stamp, column, row, flux in zip(stamps, columns, rows, electrons[part], strict=True):
            x0, x1 = max(0, column - radius), min(nx, column + radius + 1)
            y0, y1 = max(0, row - radius), min(ny, row + radius + 1)
            if x0 < x1 and y0 < y1:
                left, bottom = x0 - (column - radius), y0 - (row - radius)
                image[y0:y1, x0:x1] += flux * stamp[bottom : bottom + y1 - y0, left : left + x1 - x0]
