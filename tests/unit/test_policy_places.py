# SPDX-License-Identifier: BSD-3-Clause
"""Where the values of a policy stand: file, line, column and chain of includes."""

import pytest
from harness.policy import NameNotFound, Policy, PolicyString

TEXT = """first: 1
second: 2 3
  4: "x"
second: 5
block: {
    inner: true
}
block: { }
"""


@pytest.fixture
def sut() -> Policy:
    return Policy(PolicyString(TEXT))


def spot(place):
    return place["line"], place["column"]


@pytest.mark.parametrize(
    ("name", "index", "expected"),
    [
        ("first", -1, (1, 8)),
        ("second", 0, (2, 9)),
        ("second", 1, (2, 11)),
        ("second", 2, (4, 9)),
        ("second", -1, (4, 9)),
        ("second", -3, (2, 9)),
        ("block", 0, (5, 8)),
        ("block", -1, (8, 8)),
    ],
)
def test_a_value_stands_where_it_was_written(sut, name, index, expected):
    assert spot(sut.place(name, index)) == expected


def test_a_place_has_file_and_line_for_messages(sut):
    place = sut.place("first")
    assert place["file"] == "<string>"
    assert place["source_line"] == "first: 1"
    assert place["chain"] == []


def test_a_nested_value_and_a_block_have_places(sut):
    block = sut.getPolicyArray("block")[0]
    assert spot(block.place("inner")) == (6, 12)
    assert spot(block.place()) == (5, 8)


def test_an_included_value_names_its_file_and_the_include(tmp_path):
    (tmp_path / "inner.paf").write_text("\nvalue: 3\n")
    (tmp_path / "outer.paf").write_text("part: @inner.paf\n")
    sut = Policy.createPolicy(str(tmp_path / "outer.paf"), True)
    place = sut.place("part.value")
    assert place["file"] == str(tmp_path / "inner.paf")
    assert spot(place) == (2, 8)
    assert [(file, line) for file, line, _ in place["chain"]] == [(str(tmp_path / "outer.paf"), 1)]


def test_what_was_set_by_a_call_has_no_place(sut):
    sut.set("made", 3)
    assert sut.place("made") is None
    assert Policy().place() is None


def test_a_value_that_is_not_there_has_no_place_but_an_error(sut):
    with pytest.raises(NameNotFound):
        sut.place("absent")
    for index in (3, -4):
        with pytest.raises(IndexError, match="has 3"):
            sut.place("second", index)
