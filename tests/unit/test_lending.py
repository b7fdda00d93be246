# SPDX-License-Identifier: BSD-3-Clause
"""What a run lends to its arena: births and explicit requests have it; sizes follow from the arena alone."""

import gc
import os

import harness
import numpy as np
import pytest
from harness import _core, arrays

MIB = 1 << 20
ARENA = 16 * MIB


@pytest.fixture
def run():
    """A run of 16 MiB that may be lent as much again; this process is its master and uses its arena."""
    run = _core.Run(ARENA, 1, 1, 1, lend_bytes=ARENA)
    run.attach_master()
    arrays.use_arena(run.arena)
    yield run
    gc.collect()
    arrays.use_arena(None)


def is_shared(arena, array) -> bool:
    return arena.find(array.__array_interface__["data"][0]) is not None


def test_what_is_lent_and_the_limit_are_in_the_stats(run):
    arena = run.arena
    assert (arena.stats()["lent_bytes"], arena.stats()["limit_bytes"]) == (0, ARENA)
    arena.lend(3 * MIB)
    stats = arena.stats()
    assert (stats["arena_bytes"], stats["lent_bytes"], stats["limit_bytes"]) == (ARENA, 3 * MIB, 19 * MIB)


def test_a_block_that_does_not_fit_is_given_while_enough_is_lent(run):
    arena = run.arena
    held = arena.alloc(12 * MIB)
    held.write(b"intact")
    refused = arena.alloc(8 * MIB)
    assert "is lent 0.0 MiB more, of at most 16.0 MiB: the limit is 16.0 MiB" in refused
    arena.lend(4 * MIB)
    more = arena.alloc(8 * MIB)
    assert isinstance(more, _core.HeldBlock) and arena.live_bytes() == 20 * MIB
    arena.lend(0)
    assert isinstance(arena.alloc(MIB), str)
    assert bytes(memoryview(held)[:6]) == b"intact" and arena.is_live(more.ref)
    assert arena.trim_to_limit() == 0
    del more
    assert arena.live_bytes() == 12 * MIB and arena.stats()["committed_bytes"] == 20 * MIB
    assert arena.trim_to_limit() == 8 * MIB
    assert isinstance(arena.alloc(MIB), _core.HeldBlock)


def test_arrays_are_born_in_what_is_lent_up_to_the_size_that_the_arena_alone_allows(run):
    born = []

    def bear(size):
        with harness.shared_arrays():
            born.append(np.empty(size, np.uint8))
        return is_shared(run.arena, born[-1])

    assert [bear(2 * MIB) for _ in range(8)] == [True] * 7 + [False]  # an eighth is left to explicit requests
    assert arrays.room() == (2 * MIB, ARENA)
    run.arena.lend(4 * MIB)
    assert [bear(2 * MIB) for _ in range(3)] == [True, True, False]
    assert arrays.room() == (0, ARENA)
    run.arena.lend(ARENA)
    assert not bear(2 * MIB + 4096)  # an eighth of the arena, and not of the limit
    assert bear(2 * MIB)
    run.arena.lend(0)
    assert not bear(2 * MIB)
    born.clear()
    gc.collect()
    assert run.arena.live_bytes() == 0
    assert is_shared(run.arena, harness.empty(2 * MIB, "u1"))


def test_more_than_the_run_was_made_for_is_not_lent(run):
    with pytest.raises(RuntimeError, match=rf"lending to the arena.*{ARENA + 1}.*at most lend_bytes={ARENA}"):
        run.arena.lend(ARENA + 1)
    with pytest.raises(TypeError):
        run.arena.lend(-1)
    assert run.arena.stats()["lent_bytes"] == 0


def test_a_run_can_t_be_made_to_lend_more_than_the_largest_arena_has():
    with pytest.raises(RuntimeError, match=f"lend_bytes={_core.MAX_ARENA_BYTES}.*lend less"):
        _core.Run(ARENA, 1, 1, 1, lend_bytes=_core.MAX_ARENA_BYTES)


def test_the_peak_is_of_what_was_committed_since_the_reset(run):
    arena = run.arena
    first = arena.alloc(6 * MIB)
    del first
    arena.trim(0)
    assert arena.stats()["peak_committed_bytes"] == 6 * MIB
    arena.reset_peak()
    assert arena.stats()["peak_committed_bytes"] == 0
    kept = arena.alloc(MIB)
    assert arena.stats()["peak_committed_bytes"] == kept.nbytes


def test_an_adopted_run_is_lent_to_as_the_one_that_was_made(run):
    control, pixels = run.segment_fds()
    run.arena.lend(2 * MIB)
    adopted = _core.Run.adopt(os.dup(control), os.dup(pixels), 1, 1, 1)
    assert adopted.arena.stats()["limit_bytes"] == 18 * MIB
    adopted.attach_worker(0, os.getpid())
    assert isinstance(adopted.arena.alloc(16 * MIB), _core.HeldBlock)
    run.arena.lend(0)
    assert adopted.arena.stats()["limit_bytes"] == ARENA
