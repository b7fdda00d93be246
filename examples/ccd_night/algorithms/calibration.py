# SPDX-License-Identifier: BSD-3-Clause
"""Master bias, dark and flat from raw calibration frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .errors import ReductionError, require_shape
from .isr import DetectorFacts, trim


def clipped_mean(frames: Sequence[np.ndarray], clip: float = 5.0) -> np.ndarray:
    """Return the mean of frames after rejecting outliers pixel by pixel.

    Parameters
    ----------
    frames : sequence of numpy.ndarray
        float32 images of one shape. With fewer than three frames nothing can be rejected.
    clip : float
        A value further than this many standard deviations from the pixel's median is left out. The standard
        deviation is one number for all frames: 1.4826 times the median absolute difference of successive
        frames, over the square root of two.

    Returns
    -------
    numpy.ndarray
        float32, same shape.
    """
    if not frames:
        raise ReductionError("combining calibration frames: got none")
    for number, frame in enumerate(frames):
        require_shape("combining calibration frames", f"frame {number}", frame, frames[0].shape, "frame 0")
    cube = np.stack(frames)
    count = len(frames)
    if count < 3:
        return cube.mean(axis=0, dtype=np.float64).astype(np.float32)
    sample = cube.reshape(count, -1)[:, :: max(1, cube[0].size // 20_000)]
    noise = 1.4826 * float(np.median(np.abs(np.diff(sample, axis=0)))) / np.sqrt(2)
    keep = np.abs(cube - np.median(cube, axis=0)) <= max(clip * noise, np.finfo(np.float32).tiny)
    total = np.where(keep, cube, 0).sum(axis=0, dtype=np.float64)
    return (total / keep.sum(axis=0)).astype(np.float32)


def master_bias(raws: Sequence[np.ndarray], facts: DetectorFacts) -> np.ndarray:
    """Return the additive pattern of a read, float32 ADU, trimmed, from frames without light and time."""
    return clipped_mean([trim(raw, facts)[0] for raw in raws])


def master_dark(raws: Sequence[np.ndarray], facts: DetectorFacts, bias: np.ndarray) -> np.ndarray:
    """Return the dark signal of ``facts.exposure_time`` seconds, float32, ADU, trimmed."""
    frames = [trim(raw, facts)[0] for raw in raws]
    for frame in frames:
        require_shape("making a master dark", "the master bias", bias, frame.shape, "the trimmed dark")
        frame -= bias
    return clipped_mean(frames)


def flat_electrons(
    raws: Sequence[np.ndarray], facts: DetectorFacts, bias: np.ndarray, dark: np.ndarray, dark_exposure: float
) -> np.ndarray:
    """Return the mean signal of flat exposures, float32, electrons, trimmed: not yet of mean one."""
    frames = [trim(raw, facts)[0] for raw in raws]
    correction = bias + dark * np.float32(facts.exposure_time / dark_exposure)
    for frame in frames:
        require_shape("making a master flat", "the master bias", correction, frame.shape, "the trimmed flat")
        frame -= correction
        frame *= np.float32(facts.gain)
    return clipped_mean(frames)


def normalise_flats(flats: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return flats in electrons as relative responses whose mean over *all* amplifiers given is one.

    One common factor keeps the amplifiers' relative response in the flats, so that calibrated amplifiers
    share one zero point.
    """
    if not flats:
        raise ReductionError("normalising flats: got none")
    level = float(np.mean([flat.mean(dtype=np.float64) for flat in flats]))
    if not level > 0:
        raise ReductionError(f"normalising flats: the mean signal must be positive, got {level} electrons")
    return [flat / np.float32(level) for flat in flats]
