# SPDX-License-Identifier: BSD-3-Clause
"""Separable Gaussian smoothing with NumPy alone."""

from __future__ import annotations

import numpy as np

from .errors import ReductionError, require_image

FWHM_PER_SIGMA = 2.3548200450309493
"""2 * sqrt(2 * ln 2): full width at half maximum of a Gaussian of unit standard deviation."""


def gaussian_kernel(fwhm: float) -> np.ndarray:
    """Return a normalised Gaussian, float32, cut at three standard deviations on either side."""
    if not fwhm > 0:
        raise ReductionError(f"smoothing: the FWHM must be positive, got {fwhm} pixels")
    sigma = fwhm / FWHM_PER_SIGMA
    radius = max(1, int(np.ceil(3 * sigma)))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return (kernel / kernel.sum()).astype(np.float32)


def _convolve_rows(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve along axis 0 with a symmetric kernel; pixels beyond the edge count as zero."""
    radius = kernel.size // 2
    rows = image.shape[0]
    result = image * kernel[radius]
    scratch = np.empty_like(image)
    for offset in range(1, min(radius, rows - 1) + 1):
        part = scratch[: rows - offset]
        np.multiply(image[: rows - offset], kernel[radius + offset], out=part)
        result[offset:] += part
        np.multiply(image[offset:], kernel[radius + offset], out=part)
        result[: rows - offset] += part
    return result


def smooth(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the image convolved with ``kernel`` along rows and columns, float32 of the same shape.

    The image is taken as zero beyond its edges, so subtract the background first. White noise of unit
    rms has the rms `noise_gain` afterwards.
    """
    require_image("smoothing", "the image", image)
    image = np.ascontiguousarray(image, dtype=np.float32)
    once = _convolve_rows(image, kernel)
    return np.ascontiguousarray(_convolve_rows(np.ascontiguousarray(once.T), kernel).T)


def noise_gain(kernel: np.ndarray) -> float:
    """Return the rms of white noise of unit rms after `smooth`: the sum of the squared 1-D kernel."""
    return float(np.sum(kernel.astype(np.float64) ** 2))
