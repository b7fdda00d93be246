# SPDX-License-Identifier: BSD-3-Clause
"""The science code, which knows no harness: it did not change when the way of writing stages did."""

from __future__ import annotations

import numpy as np


def calibrate(raw: np.ndarray, bias: float, flat: np.ndarray) -> np.ndarray:
    """Counts as they would be of equal pixels: (raw - bias) / flat, float32."""
    return (raw.astype(np.float32) - np.float32(bias)) / flat


def sky_level(image: np.ndarray, clip: float, iterations: int) -> float:
    """The median after pixels farther than `clip` standard deviations from it were left out, repeatedly."""
    kept = image.ravel()
    for _ in range(iterations):
        middle, spread = np.median(kept), kept.std()
        kept = kept[np.abs(kept - middle) <= clip * spread]
    return float(np.median(kept))


def subtract_sky(image: np.ndarray, level: float) -> np.ndarray:
    """The image without the sky, float32."""
    return image - np.float32(level)
