# SPDX-License-Identifier: BSD-3-Clause
"""Cosmic rays: straight muon tracks through the silicon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .detector import PIXEL_SIZE_UM, THICKNESS_UM

FLUX = 12.0
"""Tracks per square centimetre and minute: about ten times the sea-level muon flux of one (Particle Data
Group review, chapter on cosmic rays), so that a short night on small chips has enough of them to reject."""

ELECTRONS_PER_UM = 80.0
"""Electrons freed per micrometre by a minimum-ionising particle in silicon."""


@dataclass(frozen=True)
class Tracks:
    """Cosmic-ray tracks of one exposure, arrays of shape ``(n,)``.

    Attributes
    ----------
    x, y : numpy.ndarray
        Middle of each track, pixels.
    electrons : numpy.ndarray
        Charge it freed inside the amplifier's silicon, electrons.
    """

    x: np.ndarray
    y: np.ndarray
    electrons: np.ndarray


def add_cosmic_rays(charge: np.ndarray, exposure_time: float, rng: np.random.Generator) -> Tracks:
    """Add the cosmic rays of one exposure to ``charge`` (electrons, float ``(ny, nx)``), in place.

    Directions follow cos(zenith)**2 per solid angle through a horizontal chip, where the zenith distance
    is limited to 80 degrees; the charge per length fluctuates by 20 % from track to track, with a tail of
    strong ones. Charge does not diffuse, so a track is one or two pixels wide: sharper than any star.

    Returns
    -------
    Tracks
        Those tracks that lie at least partly on the amplifier.
    """
    ny, nx = charge.shape
    area_cm2 = nx * ny * (PIXEL_SIZE_UM * 1e-4) ** 2
    count = int(rng.poisson(FLUX * area_cm2 * exposure_time / 60.0))
    x, y = rng.uniform(0, nx, count), rng.uniform(0, ny, count)
    azimuth = rng.uniform(0, 2 * np.pi, count)
    # Flux through a horizontal plane goes as cos**3 sin: uniform in cos**4 between the limits.
    cosine = rng.uniform(np.cos(np.radians(80.0)) ** 4, 1.0, count) ** 0.25
    path_um = THICKNESS_UM / cosine
    electrons = path_um * ELECTRONS_PER_UM * np.exp(0.2 * rng.standard_normal(count))
    electrons *= 1 + rng.exponential(0.3, count)
    length = path_um * np.sqrt(1 - cosine**2) / PIXEL_SIZE_UM
    left = np.zeros(count)
    for i in range(count):
        steps = max(2, int(np.ceil(4 * length[i])))
        along = (np.arange(steps) + 0.5) / steps - 0.5
        column = np.floor(x[i] + along * length[i] * np.cos(azimuth[i])).astype(np.int64)
        row = np.floor(y[i] + along * length[i] * np.sin(azimuth[i])).astype(np.int64)
        inside = (column >= 0) & (column < nx) & (row >= 0) & (row < ny)
        np.add.at(charge, (row[inside], column[inside]), electrons[i] / steps)
        left[i] = electrons[i] * inside.mean()
    return Tracks(x=x - 0.5, y=y - 0.5, electrons=left)
