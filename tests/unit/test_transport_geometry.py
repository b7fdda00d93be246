# SPDX-License-Identifier: BSD-3-Clause
"""Where arrays lie in memory and how they are laid out anew: every stride, and beyond 4 GiB."""

from __future__ import annotations

import random

import numpy as np
import pytest
from harness.transport.geometry import (
    byte_bounds,
    compact_strides,
    copy_into,
    raw_bytes,
    stored_bytes,
    view_of,
)

GIB = 1 << 30


def random_view(chance: random.Random) -> np.ndarray:
    """A view with random axes, steps, directions and repetitions."""
    shape = [chance.randint(1, 6) for _ in range(chance.randint(0, 4))]
    size = int(np.prod(shape, dtype=int))
    array = np.arange(size, dtype=chance.choice(["u1", ">i4", "f8", "c16"])).reshape(shape)
    if chance.random() < 0.5:
        array = array.transpose(chance.sample(range(array.ndim), array.ndim)).copy("A")
    steps = tuple(slice(None, None, chance.choice([1, 1, 2, -1, -2])) for _ in shape)
    view = array[steps] if shape else array
    if chance.random() < 0.2:
        view = np.broadcast_to(view, (chance.randint(1, 3), *view.shape))
    return view.transpose(chance.sample(range(view.ndim), view.ndim))


@pytest.mark.parametrize("seed", range(200))
def test_a_view_laid_out_anew_has_its_values_and_its_order(seed):
    array = random_view(random.Random(seed))
    buffer = bytearray(max(1, stored_bytes(array)))
    first, strides = copy_into(array, buffer)
    got = view_of(bytes(buffer), np.ndarray, array.dtype, array.shape, first, strides)
    assert np.array_equal(got, array) and got.dtype == array.dtype and not got.flags.writeable
    assert got.flags.c_contiguous >= array.flags.c_contiguous
    assert got.flags.f_contiguous >= array.flags.f_contiguous
    low, high = byte_bounds(array)
    assert stored_bytes(array) == min(high - low, array.nbytes)


def test_repeated_elements_are_stored_once():
    assert stored_bytes(np.broadcast_to(np.float64(1), (1000, 1000))) == 8
    windows = np.lib.stride_tricks.sliding_window_view(np.arange(1000.0), 100)
    assert windows.nbytes > 700_000 and stored_bytes(windows) == 8000


def test_raw_bytes_are_the_memory_itself_and_read_only():
    array = np.arange(6.0)
    raw = raw_bytes(array[::-2])
    assert raw.nbytes == 5 * 8 and not raw.flags.writeable
    array[1] = 77
    assert np.array_equal(raw.view("f8"), array[1:])


def test_bounds_and_strides_hold_beyond_4_gib():
    # Repeated elements: the shape is huge, the memory is not.
    cube = np.broadcast_to(np.zeros((1, 1), "f4"), (3 * GIB, 2))
    assert cube.nbytes == 24 * GIB and stored_bytes(cube) == 4
    assert compact_strides(cube)[0] * 1 in (4, 8)
    sparse = np.lib.stride_tricks.as_strided(np.zeros(1, "u1"), (2, 3), (5 * GIB, 6 * GIB), writeable=False)
    low, high = byte_bounds(sparse)
    assert high - low == 5 * GIB + 12 * GIB + 1
    backwards = np.lib.stride_tricks.as_strided(np.zeros(1, "u1"), (2,), (-5 * GIB,), writeable=False)
    low, high = byte_bounds(backwards)
    assert high - low == 5 * GIB + 1 and backwards.__array_interface__["data"][0] - low == 5 * GIB


def test_an_empty_array_needs_no_memory():
    for shape in ((0,), (3, 0, 2)):
        array = np.zeros(shape, ">f4")
        assert stored_bytes(array) == 0
        first, strides = copy_into(array, bytearray())
        got = view_of(b"", np.ndarray, array.dtype, shape, first, strides)
        assert got.shape == shape and got.dtype == array.dtype
