# SPDX-License-Identifier: BSD-3-Clause
"""The images of a benchmark, as files that every measured process maps: synthetic ones, and given ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError

if TYPE_CHECKING:
    import numpy

    from harness.bench.plan import Plan

    Array = numpy.ndarray[Any, Any]

DISTINCT = 4
"""How many synthetic images there are, unless they are large."""
MOST_BYTES = 2 << 30
SKY, NOISE = 1000.0, 20.0
"""Level and standard deviation of synthetic pixels, in counts."""


def make_images(plan: Plan, folder: Path) -> list[Path]:
    """Writes the images of a plan as `.npy` files into `folder`; none where it has none.

    Raises:
        ConfigError: a given file cannot be read, or holds no array of numbers.
        OSError: a file cannot be written.
    """
    if plan.images:
        return [_given(path, folder / f"image{number}.npy") for number, path in enumerate(plan.images)]
    if plan.shape is None:
        return []
    return _synthetic(plan.shape, plan.dtype, folder)


def image_bytes(paths: list[Path]) -> float:
    """The mean size of the images' pixels in bytes; 0 for none."""
    return sum(load(path).nbytes for path in paths) / len(paths) if paths else 0.0


def load(path: Path) -> Array:
    """An image of `make_images`, mapped read-only."""
    import numpy as np

    array: Array = np.load(path, mmap_mode="r")
    return array


def _synthetic(shape: tuple[int, ...], dtype: str, folder: Path) -> list[Path]:
    """Sky of a constant level with Gaussian noise, another one in each; the same in every run."""
    import numpy as np

    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    paths = []
    for number in range(max(1, min(DISTINCT, MOST_BYTES // size))):
        pixels = np.random.default_rng(number).standard_normal(shape, np.float32)
        pixels *= NOISE
        pixels += SKY
        kind = np.dtype(dtype)
        if kind.kind in "iu":
            limits = np.iinfo(kind)
            np.clip(pixels, limits.min, float(limits.max) * (1 - 1e-6), out=pixels)
        paths.append(folder / f"image{number}.npy")
        _save(paths[-1], pixels.astype(kind, copy=False))
    return paths


def _given(path: Path, copy: Path) -> Path:
    import numpy as np

    try:
        if path.suffix.lower() == ".npy":
            array = np.load(path, allow_pickle=False)
        else:
            array = _read_fits(path)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"image {path} cannot be read: {type(error).__name__}: {error}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biufc" or array.size == 0:
        seen = f"{array.dtype} of shape {array.shape}" if isinstance(array, np.ndarray) else "no array"
        raise ConfigError(f"image {path}: expected an array of numbers, saw {seen}")
    _save(copy, np.ascontiguousarray(array))
    return copy


def _read_fits(path: Path) -> Array:
    from harness.storage import ReadRequest, storage_named

    request = ReadRequest(item="image", python_type="numpy.ndarray")
    array: Array = storage_named("FitsStorage").read(os.fspath(path), request)
    return array


def _save(path: Path, array: Array) -> None:
    import numpy as np

    np.save(path, array, allow_pickle=False)
