# SPDX-License-Identifier: BSD-3-Clause
"""The images that are handed over, computed in the same way by the master of every contender."""

from __future__ import annotations

import numpy as np

BIAS = 7


def pixels(mebibytes: int) -> int:
    """How many pixels of 4 bytes an image has."""
    return (mebibytes << 20) // 4


class ImageSource:
    """Makes images of so many MiB by subtracting a bias from a raw image, as `calibrate` in bare.cpp does."""

    def __init__(self, mebibytes: int) -> None:
        count = pixels(mebibytes)
        self._raw = np.zeros(count, np.uint32)
        self._bias = np.full(count, BIAS, np.uint32)

    def compute(self, value: int, out: np.ndarray | None = None) -> np.ndarray:
        """An image full of `value`: a new array, or `out`."""
        self._raw[...] = value + BIAS
        return np.subtract(self._raw, self._bias, out=out)
