# SPDX-License-Identifier: BSD-3-Clause
"""Arrays born shared: in the arena inside a run, ordinary outside one, when small, and when it is full."""

import gc

import harness
import numpy as np
import pytest
from harness import _core, arrays


@pytest.fixture
def arena():
    """An arena of 16 MiB that this process uses for new arrays."""
    run = _core.Run(16 << 20, 1, 1, 1)
    run.attach_master()
    arrays.use_arena(run.arena)
    yield run.arena
    arrays.use_arena(None)


def is_shared(arena, array) -> bool:
    return arena.find(array.__array_interface__["data"][0]) is not None


def test_outside_a_run_arrays_are_ordinary():
    assert harness.empty((300, 300)).base is None
    assert harness.zeros(5, "i2").tolist() == [0] * 5


def test_large_arrays_are_born_in_the_arena_and_return(arena):
    array = harness.full((512, 512), 2.5, np.float32)
    assert is_shared(arena, array) and array.flags.writeable and array.flags.c_contiguous
    assert array.dtype == np.float32 and array.shape == (512, 512) and float(array.sum()) == 2.5 * 512 * 512
    assert arena.stats()["live_blocks"] == 1
    address = array.__array_interface__["data"][0]
    view = array[10:20]
    del array
    gc.collect()
    assert arena.stats()["live_blocks"] == 1
    assert float(view[0, 0]) == 2.5
    del view
    gc.collect()
    assert arena.stats()["live_blocks"] == 0
    again = harness.zeros((512, 512), np.float32)
    assert again.__array_interface__["data"][0] == address
    assert not again.any()


def test_small_and_object_arrays_stay_private(arena):
    assert not is_shared(arena, harness.zeros(10))
    assert not is_shared(arena, harness.full(100_000, None, object))
    assert arena.stats()["live_blocks"] == 0


def test_a_full_arena_gives_private_arrays(arena):
    kept = [harness.zeros((1024, 1024)) for _ in range(4)]
    assert [is_shared(arena, array) for array in kept] == [True, True, False, False]
    assert all(float(array.sum()) == 0 for array in kept)


def test_asarray_copies_what_is_not_shared_yet(arena):
    private = np.arange(100_000.0)
    shared = harness.asarray(private)
    assert is_shared(arena, shared) and np.array_equal(shared, private)
    assert harness.asarray(shared) is shared
    assert harness.asarray(shared, np.float32).dtype == np.float32


@pytest.mark.parametrize(
    "shape",
    [-1, (3, -20_000), (-300, -300), 2**62, (2**40, 2**40), 10**30, 2.5, (300, 2.5), None, "a", (300, "a")],
)
def test_a_shape_that_numpy_refuses_is_refused_in_the_same_words(arena, shape):
    with pytest.raises((ValueError, TypeError, MemoryError)) as numpy_s:
        np.empty(shape)
    with pytest.raises(numpy_s.type) as ours:
        harness.empty(shape)
    assert str(ours.value) == str(numpy_s.value)
    assert arena.stats()["live_blocks"] == 0


@pytest.mark.parametrize(
    "shape", [np.int32(70_000), np.array([300, 300]), [np.int32(300), np.int64(300)], [300, 300]]
)
def test_integers_of_any_kind_make_a_shape(arena, shape):
    array = harness.zeros(shape)
    assert is_shared(arena, array) and array.shape == np.empty(shape).shape


@pytest.mark.parametrize("shape", [(), 7, (0, 4), (3, 4, 5)])
def test_any_shape_is_taken(arena, shape):
    assert harness.zeros(shape).shape == np.zeros(shape).shape
