# SPDX-License-Identifier: BSD-3-Clause
"""What peers have in common: the work of their tasks, and a round of handing over in which all is checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from bare import check, touch, value_of
from forks import HandOver
from images import ImageSource, pixels

Sums = Sequence[int]
"""What was read of each slice's image, in rank order."""


def nothing(rank: int) -> None:
    """What an empty task does."""


def read(image: np.ndarray, rank: int) -> int:
    """What a task that reads an image does."""
    return touch(image)


def add(image: np.ndarray, rank: int) -> np.ndarray:
    """What a task that computes a result does: an image of its own for each rank."""
    return image + np.uint32(rank + 1)


def image_source(mebibytes: int) -> Callable[[int], np.ndarray]:
    """A function that computes the same image with a value each time."""
    source, image = ImageSource(mebibytes), np.empty(pixels(mebibytes), np.uint32)
    return lambda value: source.compute(value, image)


def checked_round(
    sizes: tuple[int, int],
    there: Callable[[np.ndarray], Sums],
    back: Callable[[], Sums],
    *,
    image_of: Callable[[int], np.ndarray] | None = None,
    compute: Callable[[], object] = lambda: None,
) -> HandOver:
    """A round of `sizes` (slices, MiB): seconds that `there` and `back` take.

    `there(image)` hands an image to all slices and returns the sums that they have read; `compute`, which is
    not timed, has them add their rank and one; `back()` fetches the results and returns the sums that the
    master has read. `image_of(value)` makes the image; the default computes one and the same. The round
    raises `RuntimeError` for a sum that is wrong, or missing.
    """
    slices, mebibytes = sizes
    image_of = image_of or image_source(mebibytes)

    def hand_over(number: int) -> tuple[float, float]:
        value = value_of(number)
        image = image_of(value)
        start = time.perf_counter()
        sums = there(image)
        out = time.perf_counter() - start
        _check_all(sums, sizes, [value] * slices, "a slice")
        compute()
        start = time.perf_counter()
        sums = back()
        seconds = time.perf_counter() - start
        _check_all(sums, sizes, [value + rank + 1 for rank in range(slices)], "the master")
        return out, seconds

    return hand_over


def _check_all(sums: Sums, sizes: tuple[int, int], values: Sequence[int], who: str) -> None:
    slices, mebibytes = sizes
    if len(sums) != slices:
        raise RuntimeError(f"{who} read {len(sums)} images: expected {slices}")
    for found, value in zip(sums, values, strict=True):
        check(found, mebibytes, value, who)
