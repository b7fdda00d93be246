# SPDX-License-Identifier: BSD-3-Clause
"""Plain arrays cross in the compiled core: it writes what the general way writes, and stays inside blocks."""

from __future__ import annotations

import harness
import numpy as np
import pytest
from harness import _core, arrays
from harness.clipboard import Clipboard
from harness.transport import SharePolicy, Transport

SIDE = 400


@pytest.fixture
def run():
    run = _core.Run(64 << 20, 1, 1, 1)
    run.attach_master()
    arrays.use_arena(run.arena, 64 * 1024)
    yield run
    arrays.use_arena(None)


def image(dtype="<f4"):
    pixels = harness.empty((SIDE, SIDE), dtype)
    pixels[...] = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 97
    return pixels


LAYOUTS = {
    "C": lambda: image(),
    "Fortran": lambda: image().T,
    "backwards": lambda: image()[::-1, ::-1],
    "gaps": lambda: image()[::2, ::2],
    "cube": lambda: image().reshape(SIDE, 20, 20).transpose(2, 0, 1),
    "cut-out": lambda: image()[10:390, 5:300],
    "repeated": lambda: np.lib.stride_tricks.as_strided(image(), (SIDE, SIDE), (4, 4)),
    "one element": lambda: image()[:1, :1],
    "big-endian": lambda: image(">i2"),
    "bool": lambda: image(bool),
    "half": lambda: image("<f2"),
    "complex": lambda: image("<c16"),
    "longdouble": lambda: image(np.longdouble),
    "read-only": lambda: np.broadcast_to(image(), (2, SIDE, SIDE)),
    "dates": lambda: image("<i8").view("<M8[s]"),
    "records": lambda: image("<i8").view([("a", "<i4"), ("b", "<f4")]),
    "text": lambda: image("<i8").view("S8"),
    "private": lambda: np.ones((SIDE, SIDE)),
}
COMPILED = [
    "C",
    "Fortran",
    "backwards",
    "gaps",
    "cube",
    "cut-out",
    "big-endian",
    "bool",
    "half",
    "complex",
    "longdouble",
    "read-only",
]


def publish(run, values):
    """The entries, and what a receiver finds, of one publication."""
    transport = Transport(run, SharePolicy(), 2)
    transport.begin_visit()
    clipboard = Clipboard()
    for number, value in enumerate(values):
        clipboard.put(f"image-{number}", value, True)
    manifest, entries = transport.publish(clipboard)
    arrived = Clipboard()
    transport.deliver(transport.read(manifest), 2, arrived._receive)
    found = [np.array(arrived.get(f"image-{number}")) for number in range(len(values))]
    flags = [value.flags.writeable for value in values if isinstance(value, np.ndarray)]
    arrived.close()
    clipboard.close()
    transport.end_visit()
    return entries, found, flags


@pytest.mark.parametrize("layout", LAYOUTS)
def test_compiled_and_general_way_say_the_same(run, layout, monkeypatch):
    expected = LAYOUTS[layout]().copy()
    compiled, found, flags = publish(run, [LAYOUTS[layout]()])
    monkeypatch.setattr(_core, "place_plain_arrays", lambda *arguments: None)
    general, found_again, flags_again = publish(run, [LAYOUTS[layout]()])
    assert without_blocks(compiled) == without_blocks(general)
    assert np.array_equal(found[0], expected) and np.array_equal(found_again[0], expected)
    assert found[0].dtype == expected.dtype
    assert flags == flags_again == [False]


def without_blocks(entries):
    """The entries without the references of blocks, which no two arrays share."""
    return [entry._replace(buffers=[buffer[1:] for buffer in entry.buffers]) for entry in entries]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_who_goes_which_way(run, layout):
    items = [("image", LAYOUTS[layout](), False)]
    placed = _core.place_plain_arrays(run.arena, items, {}, 64 * 1024, 8, 0)
    assert (placed is not None) == (layout in COMPILED)


def test_one_item_that_is_not_plain_sends_all_the_general_way(run):
    entries, found, flags = publish(run, [image(), {"a": 1}, image()])
    assert [entry.kind for entry in entries] == [_core.ENTRY_ARRAY, _core.ENTRY_PICKLE, _core.ENTRY_ARRAY]
    assert np.array_equal(found[0], found[2])


def test_a_block_that_has_arrived_is_sent_on_as_relayed(run):
    value = image()
    ref = run.arena.find(value.__array_interface__["data"][0])[0]
    for arrived, flags in (({}, 0), ({ref: 1}, _core.ENTRY_RELAYED)):
        _, entries = _core.place_plain_arrays(run.arena, [("a", value, False)], arrived, 65536, 8, 0)
        assert entries[0][2] == flags


@pytest.mark.parametrize(
    ("first", "shape", "strides"),
    [
        (0, (101,), (1,)),
        (1, (100,), (1,)),
        (0, (2,), (-1,)),
        (99, (2, 2), (-99, -1)),
        (0, (2,), (2**62,)),
        (0, (3, 2**62), (2**61, 4)),
        (101, (1,), (1,)),
        (0, (-1,), (1,)),
    ],
)
def test_a_view_outside_its_block_is_refused(run, first, shape, strides):
    block = run.arena.alloc(100)
    with pytest.raises(ValueError, match="an array that has arrived"):
        _core.view_block(block, first, b"|u1", shape, strides)


def test_a_view_of_objects_or_of_an_unknown_type_is_refused(run):
    block = run.arena.alloc(100)
    with pytest.raises(ValueError, match="no Python objects"):
        _core.view_block(block, 0, b"|O", (1,), (8,))
    with pytest.raises(TypeError):
        _core.view_block(block, 0, b"nonsense", (1,), (8,))
    with pytest.raises(ValueError, match="as many strides"):
        _core.view_block(block, 0, b"|u1", (1, 1), (1,))


def test_a_view_keeps_its_block_and_is_as_writeable_as_it(run):
    block = run.arena.alloc(100)
    ref = block.ref
    view = _core.view_block(block, 10, b"<i4", (5, 2), (4, 20))
    view[...] = 7
    run.arena.set_root(ref, 0)
    reader = _core.view_block(run.arena.hold(ref, 100), 10, b"<i4", (10,), (4,))
    del block
    assert run.arena.hold_count(ref) == 2
    assert (reader == 7).all() and not reader.flags.writeable and view.flags.f_contiguous
    with pytest.raises(ValueError):
        reader.flags.writeable = True
    del view, reader
    assert run.arena.hold_count(ref) == 0


def test_an_empty_view_needs_no_bytes(run):
    view = _core.view_block(run.arena.alloc(1), 0, b"<f8", (0, 3), (24, 8))
    assert view.shape == (0, 3) and view.dtype == np.float64


def test_writing_beyond_a_block_is_refused(run):
    block = run.arena.alloc(10)
    block.write(b"0123456789")
    assert bytes(memoryview(block)) == b"0123456789"
    with pytest.raises(ValueError, match="writing 11 bytes into a writeable block of 10"):
        block.write(b"0123456789X")
    with pytest.raises(ValueError, match="read-only"):
        run.arena.hold(block.ref, 10).write(b"0")
