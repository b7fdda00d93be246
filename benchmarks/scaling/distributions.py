# SPDX-License-Identifier: BSD-3-Clause
"""How long stages take: the same in every schedule, whoever runs them first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from model import Durations


def constant(seconds: float) -> Durations:
    """The same always."""
    return lambda visit, stage, rank: seconds


def _drawn(values: np.ndarray) -> Durations:
    return lambda visit, stage, rank: float(values[visit, stage, rank])


def exponential(mean: float, shape: tuple[int, int, int], seed: int = 1) -> Durations:
    """Exponential times, independent; `shape` is (visits, stages, ranks)."""
    return _drawn(np.random.default_rng(seed).exponential(mean, shape))


def lognormal(mean: float, variation: float, shape: tuple[int, int, int], seed: int = 1) -> Durations:
    """Log-normal times of that mean, whose standard deviation is `variation` times the mean."""
    if variation == 0:
        return constant(mean)
    sigma2 = math.log1p(variation**2)
    middle = math.log(mean) - sigma2 / 2
    return _drawn(np.random.default_rng(seed).lognormal(middle, math.sqrt(sigma2), shape))


def stragglers(
    mean: float, variation: float, share: float, factor: float, shape: tuple[int, int, int], seed: int = 1
) -> Durations:
    """Log-normal times of which a `share` take `factor` times as long; all together have that mean.

    Raises `ValueError` for a share beyond 0 to 1, or a factor that is not above 0.
    """
    if not 0 <= share <= 1 or factor <= 0:
        raise ValueError(f"stragglers: expected a share from 0 to 1, a factor above 0; saw {share}, {factor}")
    slow = np.random.default_rng(seed + 1).random(shape) < share
    base = lognormal(mean / (1 + share * (factor - 1)), variation, shape, seed)
    return lambda visit, stage, rank: base(visit, stage, rank) * (factor if slow[visit, stage, rank] else 1)


def resampled(samples: Sequence[float], shape: tuple[int, int, int], seed: int = 1) -> Durations:
    """Times drawn with replacement from measured ones. Raises `ValueError` for none."""
    if not samples:
        raise ValueError("no measured times to draw from")
    return _drawn(np.random.default_rng(seed).choice(np.asarray(samples, np.float64), shape))
