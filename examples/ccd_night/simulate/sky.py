# SPDX-License-Identifier: BSD-3-Clause
"""Sky and atmosphere of each visit: brightness, seeing, transparency, pointing, and the true zero point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .random_streams import Purpose, stream

PIXEL_SCALE = 0.2
"""Arcseconds per pixel."""

ZERO_POINT_CLEAR = 28.36
"""r-band AB magnitude of a star that gives one electron per second through a clear sky.

Close to the Rubin Observatory's r-band value (technical note SMTN-002); with a sky of 21.2 mag per square
arcsecond, a 30 s exposure then has some 900 sky electrons a pixel.
"""


@dataclass(frozen=True)
class VisitConditions:
    """What changes from visit to visit.

    Attributes
    ----------
    seeing : float
        FWHM of the point spread function, pixels.
    sky_mag : float
        Sky brightness, magnitudes per square arcsecond.
    transparency : float
        Share of the light of a clear sky that arrives, 0 to 1. Dims the stars, not the sky.
    dx, dy : float
        Pixels by which stars lie to the right of and above their reference position: pointing errors.
    exposure_time : float
        Seconds.
    """

    seeing: float
    sky_mag: float
    transparency: float
    dx: float
    dy: float
    exposure_time: float

    @property
    def zero_point(self) -> float:
        """Magnitude of a star that gives one electron per second in this visit."""
        return ZERO_POINT_CLEAR + 2.5 * float(np.log10(self.transparency))

    @property
    def sky_electrons(self) -> float:
        """Expected sky electrons per pixel of response 1."""
        rate = 10 ** (0.4 * (ZERO_POINT_CLEAR - self.sky_mag)) * PIXEL_SCALE**2
        return rate * self.exposure_time

    def star_electrons(self, magnitude: np.ndarray) -> np.ndarray:
        """Return the expected electrons (float64) of stars of the given magnitudes, response 1."""
        return 10 ** (0.4 * (self.zero_point - np.asarray(magnitude, dtype=np.float64))) * self.exposure_time


def visit_conditions(seed: int, visit: int, exposure_time: float = 30.0) -> VisitConditions:
    """Return the conditions of one visit (>= 0).

    Seeing is log-normal around 0.8 arcsec and kept within 0.6 to 1.2; the sky lies within 0.2 mag of 21.2;
    thin cirrus takes up to 30 % of the light; the pointing errs by up to 6 pixels on each axis.
    """
    rng = stream(seed, Purpose.CONDITIONS, visit)
    seeing = float(np.clip(0.8 * np.exp(0.18 * rng.standard_normal()), 0.6, 1.2))
    return VisitConditions(
        seeing=seeing / PIXEL_SCALE,
        sky_mag=21.2 + rng.uniform(-0.2, 0.2),
        transparency=rng.uniform(0.7, 1.0),
        dx=rng.uniform(-6.0, 6.0),
        dy=rng.uniform(-6.0, 6.0),
        exposure_time=exposure_time,
    )
