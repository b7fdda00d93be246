# SPDX-License-Identifier: BSD-3-Clause
"""Arrays that NumPy allocates are born in the arena while births are on, and live as any array does."""

import gc
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from random import Random

import harness
import numpy as np
import pytest
from harness import _core, arrays, births

MIB = 1 << 20


@pytest.fixture
def arena():
    """An arena of 64 MiB that this process uses for new arrays."""
    run = _core.Run(64 * MIB, 1, 1, 1)
    run.attach_master()
    arrays.use_arena(run.arena)
    yield run.arena
    gc.collect()
    arrays.use_arena(None)


def is_shared(arena, array) -> bool:
    return arena.find(array.__array_interface__["data"][0]) is not None


def live_blocks(arena) -> int:
    return arena.stats()["live_blocks"]


def test_an_unchanged_expression_is_born_in_the_arena_and_frees_its_block(arena):
    raw, bias = np.full((512, 512), 5.0), np.full((512, 512), 2.0)
    with harness.shared_arrays():
        image = raw - bias
    assert births.coverage is births.Coverage.EVERYWHERE
    assert is_shared(arena, image) and not is_shared(arena, raw)
    assert image.base is None and image.flags.owndata and image.flags.writeable
    assert (image == 3).all()
    view = image[100:200, ::2]
    del image
    assert live_blocks(arena) == 1 and (view == 3).all()
    del view
    assert live_blocks(arena) == 0


def test_births_are_on_inside_the_block_only_and_on_all_levels_of_it(arena):
    with harness.shared_arrays():
        with harness.shared_arrays():
            inner = np.ones(MIB)
        outer = np.ones(MIB)
    after = np.ones(MIB)
    assert [is_shared(arena, array) for array in (inner, outer, after)] == [True, True, False]


def test_an_error_in_the_block_switches_births_off(arena):
    with pytest.raises(ZeroDivisionError), harness.shared_arrays():
        1 / 0  # noqa: B018  # the error is the point
    assert not is_shared(arena, np.ones(MIB))


def test_small_arrays_stay_private(arena):
    with harness.shared_arrays():
        below = np.empty(64 * 1024 - 1, np.uint8)
        at = np.empty(64 * 1024, np.uint8)
    assert not is_shared(arena, below) and is_shared(arena, at)


def test_an_array_above_an_eighth_of_the_arena_stays_private_and_is_not_called_refused(arena):
    with harness.shared_arrays():
        fits, large = np.empty(8 * MIB, np.uint8), np.empty(8 * MIB + 1, np.uint8)
    assert is_shared(arena, fits) and not is_shared(arena, large)
    assert _core.birth_counts()[1] == 0


def test_zeros_are_zero_in_a_block_that_was_used_before(arena):
    with harness.shared_arrays():
        dirty = np.full(MIB, 255, np.uint8)
        address = dirty.ctypes.data
        del dirty
        clean = np.zeros(MIB, np.uint8)
    assert clean.ctypes.data == address and is_shared(arena, clean)
    assert not clean.any()


def test_a_full_arena_gives_private_arrays_and_counts_them(arena):
    with harness.shared_arrays():
        kept = [np.full(4 * MIB, number, np.uint8) for number in range(20)]
    shared = [is_shared(arena, array) for array in kept]
    assert shared == [True] * 14 + [False] * 6, "an eighth is left for others"
    assert all((array == number).all() for number, array in enumerate(kept))
    _shared, refused, refused_bytes, _alive = _core.birth_counts()
    assert (refused, refused_bytes) == (6, 6 * 4 * MIB)
    assert not isinstance(arena.alloc(4 * MIB), str), "what births left is there for explicit requests"


def test_resizing_keeps_the_values_whether_it_grows_shrinks_or_moves(arena):
    with harness.shared_arrays():
        array = np.arange(100_000, dtype=np.int32)
        for size in (150_000, 1_000_000, 900_000, 20_000, 10, 0, 500_000):
            known = np.arange(min(size, array.size), dtype=np.int32)
            values = array[: known.size].copy()
            array.resize(size, refcheck=False)
            assert np.array_equal(array[: known.size], values)
            assert not array[known.size :].any(), "NumPy zeroes what is added"
        del values, known
    array.resize(3_000_000, refcheck=False)
    assert array.size == 3_000_000
    del array
    assert live_blocks(arena) == 0


def test_resizing_within_the_block_does_not_move_the_array(arena):
    with harness.shared_arrays():
        array = np.ones(100_000, np.uint8)
        address = array.ctypes.data
        array.resize(98_304 + 4096, refcheck=False)
    assert array.ctypes.data == address


def test_a_growing_array_that_began_private_stays_private(arena):
    with harness.shared_arrays():
        array = np.fromiter((number for number in range(200_000)), np.int64)
    assert array.sum() == 199_999 * 200_000 // 2
    del array
    assert live_blocks(arena) == 0


def test_an_array_outlives_the_block_and_may_die_in_another_thread(arena):
    with harness.shared_arrays():
        box = [np.full(MIB, 3, np.uint8)]
    assert (box[0] == 3).all() and live_blocks(arena) == 1
    thread = threading.Thread(target=box.clear)
    thread.start()
    thread.join()
    assert live_blocks(arena) == 0


def test_threads_and_pools_inside_the_block_are_covered(arena):
    def compute(number):
        return np.full(MIB, number, np.uint8) + np.uint8(1)

    with harness.shared_arrays():
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(compute, range(20)))
        alone = Context().run(np.ones, MIB, np.uint8)
    assert all(is_shared(arena, array) for array in [*found, alone])
    assert all((array == number + 1).all() for number, array in enumerate(found))


def test_a_pickle_is_a_copy_that_does_not_need_the_arena(arena):
    with harness.shared_arrays():
        array = np.arange(200_000)
        text = pickle.dumps(array, protocol=5)
    copy = pickle.loads(text)
    assert np.array_equal(copy, array) and not np.shares_memory(copy, array)


def test_objects_keep_their_references(arena):
    with harness.shared_arrays():
        boxes = np.array([[number] for number in range(20_000)] + [None], dtype=object)[:-1]
        doubled = boxes + boxes
    assert doubled[7] == [7, 7] and doubled.dtype == object
    del boxes, doubled
    gc.collect()
    assert live_blocks(arena) == 0


def test_arrays_made_before_and_after_are_freed_by_whoever_made_them(arena):
    before = np.ones(MIB)
    with harness.shared_arrays():
        during = before + 1
        del before
    del during
    assert live_blocks(arena) == 0


def test_an_array_lives_on_when_its_arena_is_given_up(arena):
    with harness.shared_arrays():
        array = np.full(MIB, 9, np.uint8)
    arrays.use_arena(None)
    other = _core.Run(16 * MIB, 1, 1, 1)
    other.attach_master()
    arrays.use_arena(other.arena)
    with harness.shared_arrays():
        younger = array + np.uint8(1)
    assert (array == 9).all() and (younger == 10).all()
    assert is_shared(arena, array) and is_shared(other.arena, younger)
    del array, younger
    assert live_blocks(arena) == 0 and live_blocks(other.arena) == 0


def test_a_hundred_thousand_births_need_no_more_memory_than_one(arena):
    with harness.shared_arrays():
        one = np.ones(200_000, np.uint8) + np.uint8(1)
        del one
        before = arena.stats()
        for _ in range(100_000):
            np.empty(200_000, np.uint8)
        after = arena.stats()
    assert after["committed_bytes"] == before["committed_bytes"]
    assert after["live_blocks"] == 0
    assert after["allocs_warm"] - before["allocs_warm"] == 100_000


def test_random_lives_of_arrays_on_several_threads_keep_every_value(arena):
    seed = int(time.time())
    print("seed", seed)

    def live(number):
        random = Random(seed + number)
        kept = []
        for mark in range(600):
            what = random.random()
            if what < 0.5 or not kept:
                size = int(2 ** random.uniform(15, 22))
                make = random.choice([np.zeros, np.empty, np.ones])
                array = make(size, np.uint8)
                assert make is not np.zeros or not array.any()
                array[:] = mark % 251
                kept.append((array, mark % 251))
            elif what < 0.9 or len(kept) > 8:
                array, expected = kept.pop(random.randrange(len(kept)))
                assert (array == expected).all()
            else:
                index = random.randrange(len(kept))
                array, expected = kept[index]
                size = min(array.size, int(2 ** random.uniform(14, 22)))
                array.resize(size, refcheck=False)
                assert (array == expected).all()
        assert all((array == expected).all() for array, expected in kept)
        return _core.birth_counts()[0]

    with harness.shared_arrays(), ThreadPoolExecutor(4) as pool:
        shared = list(pool.map(live, range(4)))
    assert max(shared) > 500
    assert live_blocks(arena) == 0 and _core.birth_counts()[3] == 0


def test_outside_a_run_the_block_has_no_effect():
    with harness.shared_arrays():
        array = np.ones(MIB)
    assert array.sum() == MIB and not _core.is_birth(array.ctypes.data)


# --- what is done when NumPy does not take the way it takes today


@pytest.fixture
def untried(monkeypatch):
    monkeypatch.setattr(births, "coverage", None)


def test_the_self_test_sees_that_the_default_handler_is_not_in_use(arena, untried, monkeypatch):
    monkeypatch.setattr(births, "_holds", lambda run: run is births._call)
    complaint = births.prepare()
    assert births.coverage is births.Coverage.THIS_CONTEXT
    assert np.__version__ in complaint and "pools" in complaint
    assert births.prepare() == "", "said once"


def test_a_handler_that_is_never_called_is_noticed(arena, untried, monkeypatch):
    monkeypatch.setattr(_core, "birth_counts", lambda: (0, 0, 0, 0))
    complaint = births.prepare()
    assert births.coverage is births.Coverage.NOTHING
    assert "harness.empty" in complaint


def test_a_numpy_that_refuses_is_no_reason_to_fail(arena, untried, monkeypatch):
    def refuse():
        raise RuntimeError("compiled against another ABI")

    monkeypatch.setattr(_core, "redirect_numpy", refuse)
    complaint = births.prepare()
    assert births.coverage is births.Coverage.NOTHING
    assert "RuntimeError: compiled against another ABI" in complaint


def test_a_handler_that_breaks_values_is_noticed(arena, untried, monkeypatch):
    monkeypatch.setattr(np, "zeros", np.ones)
    births.prepare()
    assert births.coverage is births.Coverage.NOTHING


def test_without_numpy_nothing_is_tried(arena, untried, monkeypatch):
    import sys

    monkeypatch.delitem(sys.modules, "numpy")
    assert births.prepare() == "" and births.coverage is None
