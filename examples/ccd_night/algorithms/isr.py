# SPDX-License-Identifier: BSD-3-Clause
"""Instrument signature removal: from a raw frame in ADU to an image in electrons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import mask_bits
from .errors import ReductionError, require_image, require_shape
from .sections import parse_section

OVERSCAN_METHODS = ("row", "median")


@dataclass(frozen=True)
class DetectorFacts:
    """What the header of a raw frame says about the amplifier and the exposure.

    Attributes
    ----------
    gain : float
        Electrons per ADU, > 0.
    read_noise : float
        Electrons rms.
    saturate : float
        Raw ADU from which a pixel counts as saturated.
    exposure_time : float
        Seconds.
    biassec, trimsec : str
        Overscan and light-sensitive part of the frame, FITS sections.
    """

    gain: float
    read_noise: float
    saturate: float
    exposure_time: float
    biassec: str
    trimsec: str

    @staticmethod
    def from_header(header: Mapping[str, Any]) -> DetectorFacts:
        """Read GAIN, RDNOISE, SATURATE, EXPTIME, BIASSEC, TRIMSEC; `ReductionError` tells what is wrong."""
        numbers = {}
        for key in ("GAIN", "RDNOISE", "SATURATE", "EXPTIME", "BIASSEC", "TRIMSEC"):
            if key not in header:
                raise ReductionError(f"reading detector facts: the raw header has no {key}")
        for key in ("GAIN", "RDNOISE", "SATURATE", "EXPTIME"):
            try:
                numbers[key] = float(header[key])
            except (TypeError, ValueError):
                raise ReductionError(
                    f"reading detector facts: {key} must be a number, the raw header has {header[key]!r}"
                ) from None
        if not numbers["GAIN"] > 0:
            raise ReductionError(f"reading detector facts: GAIN must be positive, got {numbers['GAIN']}")
        return DetectorFacts(
            gain=numbers["GAIN"],
            read_noise=numbers["RDNOISE"],
            saturate=numbers["SATURATE"],
            exposure_time=numbers["EXPTIME"],
            biassec=str(header["BIASSEC"]),
            trimsec=str(header["TRIMSEC"]),
        )


def running_mean(values: np.ndarray, half_width: int) -> np.ndarray:
    """Return the mean over the ``2 * half_width + 1`` values around each, float64; fewer at the ends."""
    sums = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    index = np.arange(values.size)
    first, last = np.maximum(index - half_width, 0), np.minimum(index + half_width + 1, values.size)
    return (sums[last] - sums[first]) / (last - first)


def overscan_level(overscan: np.ndarray, method: str, half_width: int) -> np.ndarray:
    """Return the bias level of each row.

    Parameters
    ----------
    overscan : numpy.ndarray
        Overscan pixels ``(rows, columns)``, ADU.
    method : str
        ``row``: the median of each row, averaged over ``2 * half_width + 1`` rows. ``median``: one median of
        all pixels, repeated.
    half_width : int
        Rows on either side that are averaged, >= 0; ignored by ``median``.

    Returns
    -------
    numpy.ndarray
        float32 ``(rows, 1)``, ready to be subtracted from the frame.
    """
    require_image("measuring the overscan", "the overscan", overscan)
    if method == "row":
        level = running_mean(np.median(overscan, axis=1), half_width)
    elif method == "median":
        level = np.full(overscan.shape[0], np.median(overscan))
    else:
        raise ReductionError(
            f"measuring the overscan: unknown method {method!r}, expected one of {OVERSCAN_METHODS}"
        )
    return level.astype(np.float32)[:, None]


def trim(
    raw: np.ndarray, facts: DetectorFacts, method: str = "row", half_width: int = 15
) -> tuple[np.ndarray, np.ndarray]:
    """Cut out the light-sensitive part of a raw frame and subtract its overscan.

    Parameters
    ----------
    raw : numpy.ndarray
        Raw frame ``(rows, columns)``, ADU, any real dtype.
    facts : DetectorFacts
        Sections and saturation level.
    method, half_width
        See `overscan_level`.

    Returns
    -------
    image : numpy.ndarray
        float32, ADU.
    saturated : numpy.ndarray
        bool, same shape.

    Raises
    ------
    ReductionError
        The sections do not fit the frame, or the overscan does not cover the trimmed rows.
    """
    require_image("trimming", "the raw frame", raw)
    rows, columns = parse_section(facts.trimsec, raw.shape, "TRIMSEC")
    bias_rows, bias_columns = parse_section(facts.biassec, raw.shape, "BIASSEC")
    if bias_rows.start > rows.start or bias_rows.stop < rows.stop:
        raise ReductionError(
            f"trimming: the overscan BIASSEC {facts.biassec} does not cover the rows of TRIMSEC"
            f" {facts.trimsec}"
        )
    light = raw[rows, columns]
    image = light.astype(np.float32)
    image -= overscan_level(raw[rows, bias_columns], method, half_width)
    return image, light >= facts.saturate


def remove_signature(
    raw: np.ndarray,
    facts: DetectorFacts,
    bias: np.ndarray,
    dark: np.ndarray,
    flat: np.ndarray,
    dark_exposure: float,
    *,
    overscan_method: str = "row",
    overscan_half_width: int = 15,
    flat_floor: float = 0.1,
) -> tuple[np.ndarray, np.ndarray]:
    """Calibrate a raw frame.

    Parameters
    ----------
    raw : numpy.ndarray
        Raw frame with overscan, ADU.
    facts : DetectorFacts
        From the raw header.
    bias, dark : numpy.ndarray
        Master frames of the trimmed shape, ADU; the dark holds ``dark_exposure`` seconds.
    flat : numpy.ndarray
        Relative response of the trimmed shape.
    dark_exposure : float
        Seconds, > 0.
    overscan_method, overscan_half_width
        See `overscan_level`.
    flat_floor : float
        Pixels with a flat not above this are masked as `mask_bits.BAD_FLAT` and divided by one.

    Returns
    -------
    image : numpy.ndarray
        float32, electrons per pixel of response 1:
        ``gain * (raw - overscan - bias - dark * exposure_time / dark_exposure) / flat``.
    mask : numpy.ndarray
        uint8, bits of `mask_bits`.

    Raises
    ------
    ReductionError
        A master frame has another shape than the trimmed frame; the message names both.
    """
    if not dark_exposure > 0:
        raise ReductionError(
            f"removing the signature: the dark's exposure must be positive, got {dark_exposure} s"
        )
    image, saturated = trim(raw, facts, overscan_method, overscan_half_width)
    for what, master in (("the master bias", bias), ("the master dark", dark), ("the master flat", flat)):
        require_shape(
            "removing the signature", what, master, image.shape, f"the frame trimmed to {facts.trimsec}"
        )
    image -= bias
    image -= dark * np.float32(facts.exposure_time / dark_exposure)
    image *= np.float32(facts.gain)
    usable = flat > flat_floor
    if usable.all():
        image /= flat
    else:
        image /= np.where(usable, flat, 1)
    mask = np.where(saturated, np.uint8(mask_bits.SATURATED), np.uint8(0))
    mask[~usable] |= mask_bits.BAD_FLAT
    return image, mask
