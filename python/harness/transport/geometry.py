# SPDX-License-Identifier: BSD-3-Clause
"""Where the bytes of an array lie: its extent in memory, and compact layouts that keep its order."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from harness._clipboard import address_of_buffer

if TYPE_CHECKING:
    import numpy as np


def byte_bounds(array: np.ndarray) -> tuple[int, int]:
    """The addresses of the first byte of `array` and of the one past its last, whatever its strides."""
    low, high, _ = extent(array)
    return low, high


def extent(array: np.ndarray) -> tuple[int, int, int]:
    """The same, and the address of element [0, 0, ...]."""
    first = low = high = address_of(array)
    if array.flags.forc:
        # Also of what is empty.
        return low, low + array.nbytes, first
    for extent, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            low += (extent - 1) * stride
        else:
            high += (extent - 1) * stride
    return low, high + array.itemsize, first


def address_of(array: np.ndarray) -> int:
    """The address of element [0, 0, ...]."""
    try:
        # Ten times as quick as the array interface.
        return address_of_buffer(array)
    except ValueError:
        # Dates, and other types that buffers have no letter for.
        address: int = array.__array_interface__["data"][0]
        return address


def compact_strides(array: np.ndarray) -> tuple[int, ...]:
    """Strides in bytes of an array without gaps whose axes follow each other as those of `array` do."""
    strides = [0] * array.ndim
    step = array.itemsize
    # Stable, from the last axis on: equal strides (and those of extent 1) stay in C order.
    for axis in sorted(reversed(range(array.ndim)), key=lambda axis: abs(array.strides[axis])):
        strides[axis] = step
        step *= max(1, array.shape[axis])
    return tuple(strides)


def is_dense(array: np.ndarray) -> bool:
    """Whether the bytes between its first and its last are no more than it has elements for."""
    low, high = byte_bounds(array)
    return high - low <= array.nbytes


class _Range:
    """Memory as NumPy's array interface describes it."""

    def __init__(self, array: np.ndarray, low: int, size: int) -> None:
        # Kept so that the memory outlives the view.
        self._array = array
        self.__array_interface__ = {"version": 3, "shape": (size,), "typestr": "|u1", "data": (low, True)}


def raw_bytes(array: np.ndarray) -> np.ndarray:
    """The memory from the first byte of `array` to its last, read-only, as a flat array of bytes."""
    import numpy as np

    low, high = byte_bounds(array)
    view: np.ndarray = np.asarray(_Range(array, low, high - low))
    return view


def copy_into(array: np.ndarray, buffer: Any) -> tuple[int, tuple[int, ...]]:
    """Copies `array` to the start of `buffer`, which holds `stored_bytes(array)` at least.

    Returns the offset of element [0, 0, ...] and the strides there. A dense array keeps its strides, also
    negative ones and those of repeated elements; of one with gaps the elements are packed in the same order.
    """
    import numpy as np

    if array.size == 0:
        return 0, compact_strides(array)
    if is_dense(array):
        source = raw_bytes(array)
        np.copyto(np.ndarray(source.shape, np.uint8, buffer), source)
        return address_of(array) - byte_bounds(array)[0], array.strides
    strides = compact_strides(array)
    np.copyto(np.ndarray(array.shape, array.dtype, buffer, 0, strides), array)
    return 0, strides


def stored_bytes(array: np.ndarray) -> int:
    """How many bytes `copy_into` writes."""
    low, high = byte_bounds(array)
    return min(high - low, array.nbytes)


def is_frozen(owner: Any, view: np.ndarray) -> bool:
    """Whether neither `owner` nor what it is a view of can be written to, by whoever has more than `view`."""
    if owner.flags.writeable:
        return False
    import numpy as np

    while isinstance(owner.base, np.ndarray):
        # What `reshape` and the like made a view of is mostly known to that view alone: by one reference of
        # its own, and one of this call; `view` may have a third.
        known = 2 + (view is not owner and view.base is owner.base)
        if owner.base.flags.writeable and sys.getrefcount(owner.base) > known:
            return False
        owner = owner.base
    return True


def view_of(
    buffer: Any, kind: type, dtype: Any, shape: tuple[int, ...], first: int, strides: tuple[int, ...]
) -> np.ndarray:
    """An array of class `kind` over `buffer`, as writeable as the buffer; an empty one needs no memory."""
    import numpy as np

    if 0 in shape or np.dtype(dtype).itemsize == 0:
        empty: np.ndarray = np.ndarray.__new__(kind, shape, dtype)
        empty.flags.writeable = False
        return empty
    array: np.ndarray = np.ndarray.__new__(kind, shape, dtype, buffer, first, strides)
    return array
