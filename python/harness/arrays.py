# SPDX-License-Identifier: BSD-3-Clause
"""NumPy arrays born in the shared memory of the run, so that nothing is copied when they cross.

Outside a run, and for arrays that do not fit, the functions return ordinary arrays: code that uses them runs
everywhere. numpy is imported at the first call.
"""

from __future__ import annotations

import math
import operator
import sys
from typing import TYPE_CHECKING, Any

from harness import _core

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, DTypeLike

    from harness._core import Arena

SMALLEST_SHARED_BYTES = 64 * 1024
"""Arrays below this size live in private memory: copying them costs less than a block."""

_arena: Arena | None = None


def use_arena(arena: Arena | None, threshold: int = SMALLEST_SHARED_BYTES) -> None:
    """Makes `arena` the home of new arrays of this process; `None` switches sharing off.

    Arrays of `threshold` bytes or more that NumPy allocates while stage methods run are born there; see
    `shared_arrays`. Arrays that live in an arena used before stay valid.
    """
    global _arena
    _arena = arena
    _core.use_births(arena, threshold)


def room() -> tuple[int, int] | None:
    """Bytes of the arena that no array uses, and its size; None where there is no arena."""
    if _arena is None:
        return None
    figures = _arena.stats()
    # While more is lent, more than its size may be in use.
    return max(0, figures["arena_bytes"] - figures["live_bytes"]), figures["arena_bytes"]


def empty(shape: int | tuple[int, ...], dtype: DTypeLike = float) -> np.ndarray:
    """A new array of `shape` and `dtype`, contents undefined, C order, in shared memory where possible.

    Objects (`dtype.hasobject`) always live in private memory. Raises what `numpy.empty` raises.
    """
    import numpy as np

    kind = np.dtype(dtype)
    if _arena is not None and not kind.hasobject:
        extents = _extents(shape)
        size = kind.itemsize * math.prod(extents)
        # What no process can address, and what is no shape, is for NumPy to refuse.
        if min(extents, default=0) >= 0 and SMALLEST_SHARED_BYTES <= size <= sys.maxsize:
            block = _arena.alloc(size)
            if not isinstance(block, str):
                return np.ndarray(extents, kind, buffer=memoryview(block))
    return np.empty(shape, kind)


def _extents(shape: Any) -> tuple[int, ...]:
    """A shape as NumPy understands it: an integer of any kind, or several; (0,) for what is none."""
    try:
        return tuple(map(operator.index, shape)) if hasattr(shape, "__len__") else (operator.index(shape),)
    except TypeError:
        return (0,)


def zeros(shape: int | tuple[int, ...], dtype: DTypeLike = float) -> np.ndarray:
    """A new array of zeros; see `empty`."""
    return full(shape, 0, dtype)


def full(shape: int | tuple[int, ...], fill_value: Any, dtype: DTypeLike = float) -> np.ndarray:
    """A new array filled with `fill_value`; see `empty`."""
    array = empty(shape, dtype)
    array[...] = fill_value
    return array


def asarray(values: ArrayLike, dtype: DTypeLike | None = None) -> np.ndarray:
    """`values` as an array in shared memory: itself if it is there already, else one copy; see `empty`."""
    import numpy as np

    source = np.asarray(values, dtype=dtype)
    if _arena is not None and _arena.find(source.__array_interface__["data"][0]) is not None:
        return source
    array = empty(source.shape, source.dtype)
    np.copyto(array, source)
    return array
