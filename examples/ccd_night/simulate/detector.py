# SPDX-License-Identifier: BSD-3-Clause
"""One amplifier of the CCD: its numbers, its fixed patterns, and how charge becomes a raw frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .random_streams import Purpose, stream

PIXEL_SIZE_UM = 10.0
"""Side of a pixel in micrometres (Rubin camera; 0.2 arcsec on the sky)."""

THICKNESS_UM = 100.0
"""Thickness of the silicon in micrometres (Rubin camera: fully depleted devices of 100 um)."""

ADC_MAX = 65535
"""Largest number a 16-bit converter can give."""


@dataclass(frozen=True)
class ChipGeometry:
    """Amplifiers side by side along x, all of one size.

    Parameters
    ----------
    amp_count : int
        Amplifiers on the chip, >= 1.
    nx, ny : int
        Light-sensitive columns and rows of one amplifier, >= 16 each.
    overscan : int
        Columns read after the light-sensitive ones without any charge in them, >= 1.
    """

    amp_count: int = 4
    nx: int = 512
    ny: int = 1024
    overscan: int = 32

    def __post_init__(self) -> None:
        for name, low in (("amp_count", 1), ("nx", 16), ("ny", 16), ("overscan", 1)):
            value = getattr(self, name)
            if value < low:
                raise ValueError(f"chip geometry: {name} must be at least {low}, got {value}")

    @property
    def trimsec(self) -> str:
        """Light-sensitive part of a raw frame, as a FITS section (1-based, both ends included, x first)."""
        return f"[1:{self.nx},1:{self.ny}]"

    @property
    def biassec(self) -> str:
        """Overscan part of a raw frame, as a FITS section."""
        return f"[{self.nx + 1}:{self.nx + self.overscan},1:{self.ny}]"


@dataclass(frozen=True)
class AmplifierModel:
    """What one amplifier does to charge.

    The values are of the size of a modern survey camera: gain and noise as in the Rubin camera's requirement
    of at most 9 e- read noise, full well of 100 000 e-, dark current below 0.2 e-/s (Ivezic et al. 2019,
    ApJ 873, 111), each with a spread of a few per cent from amplifier to amplifier.

    Parameters
    ----------
    gain : float
        Electrons per ADU.
    read_noise : float
        Noise of one read, electrons rms.
    bias_level : float
        Mean of a frame without charge, ADU.
    bias_drift : float
        Rms of the slow change of the bias level along the rows of one frame, ADU.
    full_well : float
        Charge a pixel can hold, electrons. Charge above it is lost; bleeding along columns is not modelled.
    dark_rate : float
        Mean dark current of an ordinary pixel, electrons per second.
    """

    gain: float
    read_noise: float
    bias_level: float
    bias_drift: float
    full_well: float
    dark_rate: float

    @property
    def saturate_adu(self) -> float:
        """Raw value from which a pixel counts as saturated: 97 % of the full well, or the converter's end.

        The margin lies well outside read noise and bias drift, so that no full pixel escapes it.
        """
        return min(self.bias_level + 0.97 * self.full_well / self.gain, 0.99 * ADC_MAX)


@dataclass(frozen=True)
class FixedPatterns:
    """Patterns of one amplifier that are the same in every frame, each a float32 image ``(ny, nx)``.

    Attributes
    ----------
    bias : numpy.ndarray
        Additive pattern of a read, ADU.
    dark_rate : numpy.ndarray
        Dark current, electrons per second.
    response : numpy.ndarray
        Relative response to light, mean 1 over the chip: vignetting times pixel response (PRNU).
    """

    bias: np.ndarray
    dark_rate: np.ndarray
    response: np.ndarray


VIGNETTING = 0.12
"""Loss of light in the chip's corners relative to its centre."""

PRNU_RMS = 0.008
"""Rms of the response from pixel to pixel."""

HOT_PIXEL_FRACTION = 2e-4
"""Share of pixels with a dark current of 2 to 40 e-/s, evenly spread in the logarithm."""


def amplifier(seed: int, amp: int) -> AmplifierModel:
    """Return amplifier number ``amp`` (>= 0) of the camera that belongs to ``seed``."""
    rng = stream(seed, Purpose.AMPLIFIER, amp)
    spread = rng.standard_normal(5)
    return AmplifierModel(
        gain=1.7 * (1 + 0.02 * spread[0]),
        read_noise=6.0 * (1 + 0.05 * spread[1]),
        bias_level=1000.0 + 25.0 * spread[2],
        bias_drift=1.5,
        full_well=100_000.0 * (1 + 0.02 * spread[3]),
        dark_rate=0.1 * (1 + 0.1 * spread[4]),
    )


def vignetting(geometry: ChipGeometry, amp: int) -> np.ndarray:
    """Return the smooth part of the response, float32 ``(ny, nx)``, mean 1 over the whole chip.

    A parabola ``1 - V rho**2`` with rho = 1 in the chip's corners; the mean of rho**2 over a centred
    rectangle is 1/3, which gives the norm without looking at the other amplifiers.
    """
    width, height = geometry.amp_count * geometry.nx, geometry.ny
    x = np.arange(geometry.nx) + 0.5 + amp * geometry.nx - width / 2
    y = np.arange(geometry.ny) + 0.5 - height / 2
    rho2 = (x[None, :] ** 2 + y[:, None] ** 2) / ((width**2 + height**2) / 4)
    return ((1 - VIGNETTING * rho2) / (1 - VIGNETTING / 3)).astype(np.float32)


def fixed_patterns(seed: int, geometry: ChipGeometry, model: AmplifierModel, amp: int) -> FixedPatterns:
    """Return the patterns of one amplifier.

    The bias pattern is a glow of 6 ADU next to the output that falls off over 40 columns, plus columns that
    differ by 0.6 ADU rms. The dark current varies by 10 % from pixel to pixel, and a few pixels are hot.
    """
    rng = stream(seed, Purpose.PIXELS, amp)
    shape = (geometry.ny, geometry.nx)
    x = np.arange(geometry.nx, dtype=np.float32)
    columns = 6.0 * np.exp(-x / 40.0) + 0.6 * rng.standard_normal(geometry.nx, dtype=np.float32)
    bias = np.broadcast_to(columns.astype(np.float32), shape).copy()

    dark = rng.standard_normal(shape, dtype=np.float32)
    dark *= np.float32(0.1 * model.dark_rate)
    dark += np.float32(model.dark_rate)
    np.maximum(dark, 0, out=dark)
    hot = rng.random(shape, dtype=np.float32) < HOT_PIXEL_FRACTION
    dark[hot] = np.exp(rng.uniform(np.log(2.0), np.log(40.0), int(hot.sum()))).astype(np.float32)

    response = rng.standard_normal(shape, dtype=np.float32)
    response *= np.float32(PRNU_RMS)
    response += 1
    response *= vignetting(geometry, amp)
    return FixedPatterns(bias=bias, dark_rate=dark, response=response)


def read_out(
    charge: np.ndarray,
    geometry: ChipGeometry,
    model: AmplifierModel,
    bias_pattern: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Turn collected charge into a raw frame.

    Parameters
    ----------
    charge : numpy.ndarray
        Electrons in each pixel, float32 ``(ny, nx)``; photon noise is already in it.
    geometry, model : ChipGeometry, AmplifierModel
        The amplifier.
    bias_pattern : numpy.ndarray
        `FixedPatterns.bias`, ADU, same shape as ``charge``.
    rng : numpy.random.Generator
        Stream for read noise and bias drift.

    Returns
    -------
    numpy.ndarray
        uint16 ``(ny, nx + overscan)``, ADU, overscan columns last.

    Notes
    -----
    ``raw = round(min(charge, full_well) / gain + level + drift(row) + pattern + noise)``, limited to the
    converter's range. The drift is white noise on a node every 64 rows, joined by straight lines.
    """
    if charge.shape != (geometry.ny, geometry.nx):
        raise ValueError(
            f"reading out: charge has shape {charge.shape},"
            f" the amplifier is {(geometry.ny, geometry.nx)} (rows, columns)"
        )
    raw = rng.standard_normal((geometry.ny, geometry.nx + geometry.overscan), dtype=np.float32)
    raw *= np.float32(model.read_noise / model.gain)
    nodes = np.arange(0, geometry.ny + 64, 64)
    drift = np.interp(np.arange(geometry.ny), nodes, rng.standard_normal(nodes.size) * model.bias_drift)
    raw += (model.bias_level + drift).astype(np.float32)[:, None]
    raw[:, : geometry.nx] += np.minimum(charge, np.float32(model.full_well)) / np.float32(model.gain)
    raw[:, : geometry.nx] += bias_pattern
    return np.clip(np.rint(raw), 0, ADC_MAX).astype(np.uint16)
