# SPDX-License-Identifier: BSD-3-Clause
"""What a stress run does and must find: every value follows from seed, visit and place alone."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Any

import numpy as np

SIZES = (0, 7, 900, 9_000, 40_000, 130_000, 400_000)
"""Elements of 8 bytes: empty, inside the manifest, and in blocks of several classes."""


@dataclass
class Record:
    """An object of a stage, with an array inside."""

    name: str
    pixels: np.ndarray


def _strided(values: np.ndarray) -> np.ndarray:
    return np.repeat(values, 2)[::2]


def _structured(values: np.ndarray) -> np.ndarray:
    table = np.zeros(len(values), dtype=[("x", "<f8"), ("n", ">i4")])
    table["x"], table["n"] = values, np.arange(len(values))
    return table


KINDS = {
    "computed": lambda values: values + 1.0,
    "reversed": lambda values: (values * 2.0)[::-1],
    "strided": _strided,
    "structured": _structured,
    "masked": lambda values: np.ma.masked_array(values + 0.0, mask=values > 0.5),
    "record": lambda values: Record(f"{len(values)} values", values - 1.0),
    "nested": lambda values: {"list": [values + 2.0, "text"], "again": values[: len(values) // 2].copy()},
    "foreign": lambda values: np.frombuffer(values.tobytes(), dtype=np.float64),
    "objects": lambda values: np.array([None, "two", len(values)], dtype=object),
}


def plan(*place: object) -> random.Random:
    """The random choices of one place: `plan(seed, visit, "down")`."""
    return random.Random(repr(place))


def recipes(*place: object) -> dict[str, tuple[str, int, int]]:
    """Key to (kind, elements, seed of the values) of what is put at a place."""
    rng = plan("recipes", *place)
    return {
        f"item{number}": (rng.choice(sorted(KINDS)), rng.choice(SIZES), rng.getrandbits(30))
        for number in range(rng.randint(1, 5))
    }


def build(recipe: tuple[str, int, int]) -> Any:
    """The value of a recipe, made anew."""
    kind, size, seed = recipe
    return KINDS[kind](np.random.default_rng(seed).random(size))


def digest(value: Any) -> str:
    """Equal for equal values, whatever memory they lie in."""
    told = hashlib.sha256()
    _tell(value, told)
    return told.hexdigest()[:16]


def _tell(value: Any, told: Any) -> None:
    told.update(type(value).__name__.encode())
    if isinstance(value, np.ma.MaskedArray):
        _tell(value.filled(-1.0), told)
        _tell(np.ma.getmaskarray(value), told)
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        told.update(f"{value.dtype.descr}{value.shape}".encode())
        told.update(value.tobytes())
    elif isinstance(value, (np.ndarray, list)):
        for part in value:
            _tell(part, told)
    elif isinstance(value, dict):
        for key in sorted(value):
            told.update(key.encode())
            _tell(value[key], told)
    elif isinstance(value, Record):
        _tell([value.name, value.pixels], told)
    else:
        told.update(repr(value).encode())


def visit_line(seed: int, visit: int, ranks: int) -> str:
    """What the master writes of a visit when all has arrived."""
    seen = [
        f"{key}-{rank}={digest(build(recipe))}"
        for rank in range(ranks)
        for key, recipe in sorted(recipes(seed, visit, "up", rank).items())
    ]
    return f"{visit} {' '.join(seen)}"
