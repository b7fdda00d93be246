# SPDX-License-Identifier: BSD-3-Clause
"""Synthetic frames: the same ones for every way of writing the pipeline."""

from __future__ import annotations

import numpy as np

SHAPE = (192, 256)
"""Rows and columns of a frame."""

BIAS = 1000.0
STARS = 40


def flat_field() -> np.ndarray:
    """The relative response of the pixels, float32 around 1: darker towards the corners, and grainy."""
    rows, columns = np.indices(SHAPE, dtype=np.float64)
    radius = np.hypot(rows / SHAPE[0] - 0.5, columns / SHAPE[1] - 0.5)
    grain = np.random.default_rng(2009).normal(1.0, 0.01, SHAPE)
    return ((1.0 - 0.3 * radius**2) * grain).astype(np.float32)


def raw_frame(visit: int, ccd: int) -> np.ndarray:
    """What the camera read, uint16 counts: bias, sky with a gradient, stars and noise."""
    rng = np.random.default_rng((visit, ccd))
    rows, columns = np.indices(SHAPE, dtype=np.float64)
    light = 300.0 + 0.2 * rows + 0.1 * columns
    for _ in range(STARS):
        row, column = rng.uniform(0, SHAPE[0]), rng.uniform(0, SHAPE[1])
        flux = 10.0 ** rng.uniform(2.5, 4.0)
        light += flux * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 1.8**2))
    electrons = rng.poisson(light * flat_field())
    return np.clip(electrons + BIAS + rng.normal(0.0, 5.0, SHAPE), 0, 65535).astype(np.uint16)
