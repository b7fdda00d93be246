# SPDX-License-Identifier: BSD-3-Clause
"""Medians of few rounds, and intervals that hold them, without an assumption about their distribution.

Between the k-th smallest and the k-th largest of n independent values lies the median of what they are drawn
from, unless k - 1 or fewer lie on one side of it: with probability 1 - 2 P(B <= k - 1), where B is binomial
with n trials of 1/2. The interval is the narrowest one that has the level asked for; where even the extremes
have not, those, with the level that they have.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A median, and two values with it between them at a probability of `level`."""

    median: float
    low: float
    high: float
    level: float

    def holds(self, value: float) -> bool:
        """Whether a value lies in the interval, its ends included."""
        return self.low <= value <= self.high


def median_interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """The median of values and its interval. Raises `ValueError` for no values."""
    if not values:
        raise ValueError("a median needs values")
    ordered = sorted(values)
    rank = max(1, _deepest(len(ordered), level))
    return Interval(
        statistics.median(ordered), ordered[rank - 1], ordered[-rank], _coverage(len(ordered), rank)
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The value that a share of all lies at or below (nearest rank). Raises `ValueError` for no values."""
    if not values:
        raise ValueError("a quantile needs values")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _coverage(count: int, rank: int) -> float:
    """The probability that the median lies between the rank-th smallest and the rank-th largest value."""
    outside: float = 2 * sum(comb(count, below) for below in range(rank)) / 2.0**count
    return max(0.0, 1.0 - outside)


def _deepest(count: int, level: float) -> int:
    """The largest rank whose interval has the level; 0 where none has."""
    return max((rank for rank in range(1, count // 2 + 1) if _coverage(count, rank) >= level), default=0)
