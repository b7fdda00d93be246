# SPDX-License-Identifier: BSD-3-Clause
"""Raw frames of one amplifier: science, bias, dark and flat exposures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .cosmic_rays import Tracks, add_cosmic_rays
from .detector import AmplifierModel, ChipGeometry, FixedPatterns, amplifier, fixed_patterns, read_out
from .random_streams import Purpose, stream
from .sky import VisitConditions
from .stars import StarField, add_stars

DARK_EXPOSURE = 300.0
"""Seconds of a dark exposure."""

FLAT_EXPOSURE = 5.0
"""Seconds of a flat exposure."""

FLAT_ELECTRONS = 40_000.0
"""Expected electrons of a flat exposure in a pixel of response 1."""


@dataclass(frozen=True)
class Camera:
    """One amplifier of one camera, with its patterns.

    Build it with `camera`, which draws everything from the seed.
    """

    seed: int
    amp: int
    geometry: ChipGeometry
    model: AmplifierModel
    patterns: FixedPatterns = field(repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """Light-sensitive rows and columns."""
        return self.geometry.ny, self.geometry.nx


def camera(seed: int, geometry: ChipGeometry, amp: int) -> Camera:
    """Return amplifier ``amp`` of the camera that belongs to ``seed``."""
    if not 0 <= amp < geometry.amp_count:
        raise ValueError(
            f"amplifier {amp} does not exist: this chip has {geometry.amp_count}, numbered from 0"
        )
    model = amplifier(seed, amp)
    return Camera(seed, amp, geometry, model, fixed_patterns(seed, geometry, model, amp))


def _read(device: Camera, charge: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return read_out(charge, device.geometry, device.model, device.patterns.bias, rng)


def _poisson(expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return photon counts with the given expectation as float32."""
    return rng.poisson(expected).astype(np.float32)


def bias_exposure(device: Camera, number: int) -> np.ndarray:
    """Return raw bias frame ``number``, uint16 ``(ny, nx + overscan)``: no light, no time."""
    rng = stream(device.seed, Purpose.BIAS, number, device.amp)
    return _read(device, np.zeros(device.shape, dtype=np.float32), rng)


def dark_exposure(device: Camera, number: int, exposure_time: float = DARK_EXPOSURE) -> np.ndarray:
    """Return raw dark frame ``number``, uint16: dark current and cosmic rays of ``exposure_time`` seconds."""
    rng = stream(device.seed, Purpose.DARK, number, device.amp)
    charge = _poisson(device.patterns.dark_rate * exposure_time, rng)
    add_cosmic_rays(charge, exposure_time, rng)
    return _read(device, charge, rng)


def flat_exposure(device: Camera, number: int, electrons: float = FLAT_ELECTRONS) -> np.ndarray:
    """Return raw flat frame ``number``, uint16: even light of that many expected electrons, dark current."""
    rng = stream(device.seed, Purpose.FLAT, number, device.amp)
    expected = device.patterns.response * electrons + device.patterns.dark_rate * FLAT_EXPOSURE
    charge = _poisson(expected, rng)
    add_cosmic_rays(charge, FLAT_EXPOSURE, rng)
    return _read(device, charge, rng)


def science_exposure(
    device: Camera, visit: int, conditions: VisitConditions, stars: StarField
) -> tuple[np.ndarray, Tracks]:
    """Return the raw frame of a visit and the cosmic rays in it.

    Parameters
    ----------
    device : Camera
        The amplifier.
    visit : int
        Visit number, >= 0: names the random stream.
    conditions : VisitConditions
        Sky and seeing of the visit.
    stars : StarField
        Stars at their *reference* positions in the amplifier's pixels; the pointing error is added here.

    Returns
    -------
    raw : numpy.ndarray
        uint16 ``(ny, nx + overscan)``, ADU.
    tracks : Tracks
        Cosmic rays.

    Notes
    -----
    Expected electrons are ``response * (sky + stars) + dark_rate * time``; Poisson noise is drawn from the
    sum, cosmic rays are added as they are, and the frame is read out.
    """
    rng = stream(device.seed, Purpose.SCIENCE, visit, device.amp)
    expected = np.full(device.shape, conditions.sky_electrons)
    x, y = stars.x + conditions.dx, stars.y + conditions.dy
    add_stars(expected, x, y, conditions.star_electrons(stars.magnitude), conditions.seeing)
    expected *= device.patterns.response
    expected += device.patterns.dark_rate * conditions.exposure_time
    charge = _poisson(expected, rng)
    tracks = add_cosmic_rays(charge, conditions.exposure_time, rng)
    return _read(device, charge, rng), tracks
