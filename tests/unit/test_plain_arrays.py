# SPDX-License-Identifier: BSD-3-Clause
"""Plain arrays cross in the compiled core: it writes what the general way writes, and stays inside blocks."""

from __future__ import annotations

import harness
import numpy as np
import pytest
from harness import _core, arrays
from harness.clipboard import Clipboard
from harness.errors import ArenaFull
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
    "eight axes": lambda: image().reshape(2, 2, 5, 20, 2, 2, 5, 20),
    "nine axes": lambda: image().reshape(2, 2, 5, 20, 2, 2, 5, 5, 4),
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
    "private",
    "eight axes",
]


def publish(run, values, compiled=True):
    """The entries, and what a receiver finds, of one publication; `compiled`: by the short way, if it can."""
    transport = Transport(run, SharePolicy(), 2)
    transport.crossing.enabled = compiled
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
def test_compiled_and_general_way_say_the_same(run, layout):
    expected = LAYOUTS[layout]().copy()
    compiled, found, flags = publish(run, [LAYOUTS[layout]()])
    general, found_again, flags_again = publish(run, [LAYOUTS[layout]()], compiled=False)
    assert without_blocks(compiled) == without_blocks(general)
    assert np.array_equal(found[0], expected) and np.array_equal(found_again[0], expected)
    assert found[0].dtype == expected.dtype
    assert flags == flags_again == [False]


def without_blocks(entries):
    """The entries without the references of blocks, which no two arrays share."""
    return [entry._replace(buffers=[buffer[1:] for buffer in entry.buffers]) for entry in entries]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_who_goes_which_way(run, layout):
    crossing = Transport(run, SharePolicy(), 2).crossing
    clipboard = Clipboard()
    clipboard.put("image", LAYOUTS[layout](), True)
    placed = crossing.publish(clipboard, False)
    assert (placed is not None) == (layout in COMPILED)
    assert clipboard._has_unpublished() == (layout not in COMPILED)
    crossing.end_visit()


@pytest.mark.parametrize(
    "prepare",
    [
        lambda clipboard: clipboard.put("canvas", image(), True, writeable=True),
        lambda clipboard: clipboard.put(1, image(), True),
        lambda clipboard: clipboard.setShared(1, True),
        lambda clipboard: clipboard.put("\ud800", image(), True),
        lambda clipboard: clipboard.put("object", {"a": image()}, True),
    ],
    ids=["canvas", "number as key", "number to come", "lone surrogate", "object"],
)
def test_what_else_is_on_the_clipboard_sends_all_the_general_way(run, prepare):
    crossing = Transport(run, SharePolicy(), 2).crossing
    clipboard = Clipboard()
    value = image()
    clipboard.put("image", value, True)
    prepare(clipboard)
    assert crossing.publish(clipboard, False) is None
    assert value.flags.writeable and clipboard._has_unpublished()


def test_snapshots_go_the_general_way(run):
    transport = Transport(run, SharePolicy(snapshot=True), 2)
    clipboard = Clipboard()
    clipboard.put("image", image(), True)
    assert not transport.crossing.enabled and transport.crossing.publish(clipboard, False) is None


def test_manifests_take_turns_in_one_block_unless_they_are_kept(run):
    live = run.arena.stats()["live_blocks"]
    for keeps, blocks in ((False, 1), (True, 3)):
        transport = Transport(run, SharePolicy(), 2, keeps_manifests=keeps)
        clipboard = Clipboard()
        places = set()
        for number in range(3):
            clipboard.put(f"image-{number}", image(), True)
            places.add(transport.publish(clipboard)[0][0])
        assert len(places) == blocks
        clipboard.close()
        transport.end_visit()
        run.arena.retire_visit(0)
        assert run.arena.stats()["live_blocks"] == live


def test_a_manifest_that_has_grown_gets_a_larger_block(run):
    transport = Transport(run, SharePolicy(), 2)
    clipboard = Clipboard()
    clipboard.put("image", image(), True)
    transport.publish(clipboard)
    value = clipboard.get("image")
    names = [f"{number:0200}" for number in range(300)]
    for name in names:
        clipboard.put(name, value, True)
    manifest, entries = transport.publish(clipboard)
    assert manifest[1] > 64 * 1024 and [entry.key for entry in entries] == names
    assert [entry.key for entry in transport.read(manifest)] == names


def test_without_room_for_a_manifest_nothing_has_crossed():
    run = _core.Run(2 << 20, 1, 1, 1)
    run.attach_master()
    arrays.use_arena(run.arena, 64 * 1024)
    try:
        clipboard = Clipboard()
        clipboard.put("image", harness.empty((1 << 20,), "u1"), True)
        filling = []
        while run.arena.find(np.asarray(block := harness.empty((64 * 1024,), "u1")).ctypes.data):
            filling.append(block)
        transport = Transport(run, SharePolicy(), 2)
        with pytest.raises(ArenaFull):
            transport.publish(clipboard)
        assert clipboard.get("image").flags.writeable
        del filling[:1], block
        manifest, entries = transport.publish(clipboard)
        assert (entries[0].key, entries[0].bytes_shared) == ("image", 1 << 20) and manifest[1]
        assert not clipboard.get("image").flags.writeable
    finally:
        arrays.use_arena(None)


def test_one_item_that_is_not_plain_sends_all_the_general_way(run):
    entries, found, flags = publish(run, [image(), {"a": 1}, image()])
    assert [entry.kind for entry in entries] == [_core.ENTRY_ARRAY, _core.ENTRY_PICKLE, _core.ENTRY_ARRAY]
    assert np.array_equal(found[0], found[2])


@pytest.mark.parametrize("compiled", [True, False])
def test_a_block_that_has_arrived_is_sent_on_as_relayed(run, compiled):
    value = image()
    ref = run.arena.find(value.__array_interface__["data"][0])[0]
    for has_arrived, flags in ((False, 0), (True, _core.ENTRY_RELAYED)):
        transport = Transport(run, SharePolicy(), 2)
        transport.crossing.enabled = compiled
        if has_arrived:
            sender = Transport(run, SharePolicy(), 2)
            clipboard = Clipboard()
            clipboard.put("there", value[:], True)
            manifest, _ = sender.publish(clipboard)
            transport.deliver(transport.read(manifest), 2, Clipboard()._receive)
        clipboard = Clipboard()
        clipboard.put("a", value, True)
        _, (entry,) = transport.publish(clipboard)
        assert (entry.flags, entry.buffers[0][0]) == (flags, ref)
        value.flags.writeable = True


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
