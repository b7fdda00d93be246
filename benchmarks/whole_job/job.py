# SPDX-License-Identifier: BSD-3-Clause
"""The whole job: a visit has 8 amplifiers of 2048 x 512 float32, which are calibrated, smoothed and measured.

A result is the reduced image and the number of its pixels above three sigma; the master sums all of both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

SHAPE, AMPLIFIERS, DISTINCT, WARM = (2048, 512), 8, 4, 2
"""Pixels of an amplifier; how many there are; visits with images of their own; visits that warm up."""
SIGMA_OF_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

Calibration = tuple[np.ndarray, np.ndarray, np.ndarray]
Make = Callable[[], np.ndarray]


def exposure_time(visit: int) -> np.float32:
    """Seconds that visit number `visit`, from 0, was exposed."""
    return np.float32(10 + visit % 5)


def new_image() -> np.ndarray:
    """Memory for an amplifier."""
    return np.empty(SHAPE, np.float32)


def raw_images(make: Make = new_image) -> list[list[np.ndarray]]:
    """The raw images by visit modulo `DISTINCT` and amplifier; `make` gives the memory of each."""
    base = np.random.default_rng(1).normal(1000, 20, SHAPE).astype(np.float32)
    images = []
    for number in range(DISTINCT * AMPLIFIERS):
        image = make()
        np.copyto(image, np.roll(base, 17 * number))
        images.append(image)
    return [images[first : first + AMPLIFIERS] for first in range(0, len(images), AMPLIFIERS)]


def calibration(amplifier: int) -> Calibration:
    """Bias, dark current a second and flat field of an amplifier."""
    rows = np.linspace(-1, 1, SHAPE[0], dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, SHAPE[1], dtype=np.float32)
    flat = np.float32(1) + np.float32(0.01) * rows * columns * np.float32(1 + amplifier)
    return np.full(SHAPE, 100 + amplifier, np.float32), np.full(SHAPE, 0.1, np.float32), flat


def reduced(raw: np.ndarray, calibrations: Calibration, seconds: np.float32) -> tuple[np.ndarray, int]:
    """The image of an amplifier, and how many pixels stand out."""
    from scipy.ndimage import uniform_filter

    bias, dark, flat = calibrations
    image = raw - bias
    image = image - dark * seconds
    image = image / flat
    image = uniform_filter(image, 5)
    image = uniform_filter(image, 5)
    return image, outstanding(image)


def reduced_into(raw: np.ndarray, calibrations: Calibration, seconds: np.float32, out: np.ndarray) -> int:
    """The same with the image written where the master reads it."""
    from scipy.ndimage import uniform_filter

    bias, dark, flat = calibrations
    image = raw - bias
    image = image - dark * seconds
    image = image / flat
    uniform_filter(uniform_filter(image, 5), 5, output=out)
    return outstanding(out)


def outstanding(image: np.ndarray) -> int:
    """How many pixels lie three sigma above the median."""
    median = np.median(image)
    sigma = SIGMA_OF_MAD * np.median(np.abs(image - median))
    return int((image > median + 3 * sigma).sum())


class Sums:
    """What the master makes of the results."""

    def __init__(self) -> None:
        self.totals = [np.zeros(SHAPE, np.float64) for _ in range(AMPLIFIERS)]
        self.count = self.images = 0

    def add(self, amplifier: int, image: np.ndarray, count: int) -> None:
        """Adds a result."""
        self.totals[amplifier] += image
        self.count += count
        self.images += 1

    def told(self) -> dict[str, Any]:
        """Sum of all pixels, outstanding pixels, images."""
        return {"sum": float(sum(total.sum() for total in self.totals)), "count": self.count,
                "images": self.images}


def timed(visit: Callable[[int, Sums], None], visits: int) -> dict[str, Any]:
    """Seconds that so many visits take, and their sums; `visit(number, sums)` does one. Others warm up."""
    warm = Sums()
    for number in range(WARM):
        visit(number, warm)
    sums = Sums()
    start = time.perf_counter()
    for number in range(visits):
        visit(number, sums)
    return {"seconds": time.perf_counter() - start, **sums.told()}


def wrong(found: dict[str, Any], expected: dict[str, Any]) -> str:
    """In what sums differ from those of one process; empty if in nothing but how adding was rounded."""
    for key in ("count", "images"):
        if found[key] != expected[key]:
            return f"{key}: expected {expected[key]}, saw {found[key]}"
    if abs(found["sum"] - expected["sum"]) > 1e-9 * abs(expected["sum"]):
        return f"sum of pixels: expected {expected['sum']!r}, saw {found['sum']!r}"
    return ""
