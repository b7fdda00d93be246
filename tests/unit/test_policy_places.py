# SPDX-License-Identifier: BSD-3-Clause
"""Where the values of a policy stand: file, line, column and chain of includes."""

import pytest
from harness.policy import NameNotFound, ParserError, Policy, PolicyString

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


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe", b"\x80\xbf", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f", "\u00e9\u20ac".encode()]
)
def test_columns_count_what_a_reader_sees_and_the_caret_agrees(tmp_path, junk):
    path = tmp_path / "a.paf"
    path.write_bytes(b'a: "' + junk + b'" 5\n')
    with pytest.raises(ParserError) as caught:
        Policy(str(path))
    assert caught.value.source_line[caught.value.column - 1] == "5"
    lines = str(caught.value).splitlines()
    caret = next(number for number, line in enumerate(lines) if line.strip() == "^")
    assert lines[caret - 1][lines[caret].index("^")] == "5"


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
