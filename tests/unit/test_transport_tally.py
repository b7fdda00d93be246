# SPDX-License-Identifier: BSD-3-Clause
"""Counting what crosses: sums by stage, way and key, a bounded table, blocks forgotten with their visit."""

from harness import _core
from harness.transport.entry import Entry
from harness.transport.tally import ACROSS, DOWN, MAX_KEYS, OTHER_KEYS, UP, Tally


class Arena:
    """What a tally asks of an arena: which blocks are live, and who holds them."""

    def __init__(self, **holders):
        self.blocks = {int(name[1:]): who for name, who in holders.items()}

    def is_live(self, ref):
        return ref in self.blocks

    def holders(self, ref):
        return self.blocks.get(ref, [])


def entry(key, copied=0, shared=0, refs=(), kind=_core.ENTRY_ARRAY):
    return Entry(key, kind, 0, b"", copied, shared, [(ref, 0, 100) for ref in refs])


def test_sums_are_by_stage_way_and_key_in_the_order_of_a_stage():
    sut = Tally()
    sut.add(2, UP, [entry("a", 1, 10), entry("a", 2, 20)])
    sut.add(2, DOWN, [entry("a", 4)])
    sut.add(2, ACROSS, [entry("a")])
    sut.add(1, UP, [entry("b", 8)])
    rows = sut.rows(["one", "two"])
    assert [(row["name"], row["direction"], row["key"]) for row in rows] == [
        ("one", "up", "b"), ("two", "across", "a"), ("two", "down", "a"), ("two", "up", "a"),
    ]  # fmt: skip
    assert (rows[3]["items"], rows[3]["bytes_copied"], rows[3]["bytes_shared"]) == (2, 3, 30)


def test_a_note_counts_bytes_and_is_no_item():
    sut = Tally()
    sut.add(1, UP, [entry("a", 7, kind=_core.ENTRY_NOTE)])
    (row,) = sut.rows(["one"])
    assert (row["items"], row["bytes_copied"]) == (0, 7)


def test_keys_that_are_new_in_every_visit_do_not_make_the_table_grow():
    sut = Tally()
    for visit in range(3 * MAX_KEYS):
        sut.add(1, UP, [entry(f"frame-{visit}", 1)])
    rows = {row["key"]: row["items"] for row in sut.rows(["one"])}
    assert len(rows) == MAX_KEYS + 1 and rows[OTHER_KEYS] == 2 * MAX_KEYS
    sut.add(1, UP, [entry("frame-0", 1)])
    assert {row["key"]: row["items"] for row in sut.rows(["one"])}["frame-0"] == 2


def test_blocks_are_forgotten_with_their_visit_and_the_others_told_by_holder():
    sut = Tally()
    sut.turn_to(1)
    sut.add(1, DOWN, [entry("flat", refs=[1, 2])])
    sut.end_visit(Arena(b1=[2]))
    sut.turn_to(2)
    sut.add(1, DOWN, [entry("flat", refs=[2, 3]), entry("sky", refs=[4])])
    arena = Arena(b1=[2], b3=[2], b4=[0, 1])
    sut.end_visit(arena)
    kept = sut.kept(arena, ["one"], ["worker 0", "worker 1"])
    assert [(row["key"], row["blocks"], row["bytes"], row["visits"], row["held_by"]) for row in kept] == [
        ("flat", 2, 200, [1, 2], "worker 1"), ("sky", 1, 100, [2], "the master, worker 0"),
    ]  # fmt: skip
    sut.end_visit(Arena())
    assert sut.kept(arena, ["one"], []) == []
