# SPDX-License-Identifier: BSD-3-Clause
"""Problems as data: sorted by place, rendered for people, handed to programs; and ValidationError's order."""

import json
import pickle

import pytest
from harness.policy import Dictionary, Policy, PolicyString, ValidationError
from harness.policy.problems import WARNING, Problem, in_file_order

DICTIONARY = """
definitions: {
    alpha: { type: int }
    beta: { type: string
            minOccurs: 1 }
    zeta: { type: double
            allowed: { min: 0.0 } }
    block: { type: policy
             dictionary: { definitions: { gamma: { type: int
                                                   minOccurs: 1 } } } }
}
"""
POLICY = """zeta: -1.0
unknown: 1
block: {
    delta: 3
}
alpha: "three"
"""


@pytest.fixture
def broken() -> ValidationError:
    sut = ValidationError("all that is wrong")
    Dictionary(Policy(PolicyString(DICTIONARY))).validate(Policy(PolicyString(POLICY)), sut)
    return sut


def test_a_validation_error_lists_its_violations_in_the_order_of_the_file(broken):
    text = str(broken)
    spots = [line.split(" ")[0] for line in text.splitlines() if line.startswith("<string>:")]
    # The last is "beta", which the whole file lacks; a block that lacks something comes before its contents.
    assert spots == [f"<string>:{spot}:" for spot in ("1:7", "2:1", "3:8", "4:5", "6:8")] + ["<string>:"]
    assert "in 6 parameters" in text


def test_the_names_of_a_validation_error_stay_sorted(broken):
    names = broken.getParamNames()
    assert names == sorted(names) == ["alpha", "beta", "block.delta", "block.gamma", "unknown", "zeta"]
    assert [line.split(":")[0] for line in broken.describe().splitlines()] == names


def test_the_attributes_speak_of_what_stands_first(broken):
    assert broken.line == 1


def test_what_has_no_place_comes_after_what_has_one():
    sut = ValidationError("made")
    sut.addError("zz", ValidationError.WRONG_TYPE)
    sut.addError("aa", ValidationError.WRONG_TYPE)
    sut.addError("mm", ValidationError.WRONG_TYPE, "mm: text", {"file": "f.paf", "line": 9, "column": 1})
    assert [problem.name for problem in sut.problems()] == ["mm", "aa", "zz"]
    assert str(sut).splitlines()[1] == "mm: text"
    assert sut.file == "f.paf" and sut.line == 9


def test_a_validation_error_keeps_its_order_when_it_is_pickled(broken):
    copy = pickle.loads(pickle.dumps(broken))
    assert str(copy) == str(broken)
    assert copy.problems() == broken.problems()


def test_problems_know_name_bit_and_place(broken):
    first = broken.problems()[0]
    unknown = next(problem for problem in broken.problems() if problem.name == "unknown")
    assert first.line == 1 and first.file == "<string>"
    assert unknown.bits == ValidationError.UNKNOWN_NAME
    assert (unknown.line, unknown.column) == (2, 1)


def test_included_problems_are_sorted_by_where_they_are_included():
    at_5 = Problem("a", file="main.paf", line=5, column=1)
    in_include = Problem("b", file="aaa.paf", line=90, column=1, chain=(("main.paf", 4, 7),))
    at_3 = Problem("c", file="main.paf", line=3, column=1)
    nowhere = Problem("d")
    assert [p.message for p in in_file_order([nowhere, at_5, in_include, at_3])] == ["c", "b", "a", "d"]


def test_the_same_problem_is_told_once():
    assert in_file_order([Problem("a"), Problem("a")]) == [Problem("a")]


def test_a_problem_is_shown_with_line_caret_and_everything_it_knows():
    sut = Problem(
        "it is wrong", file="a.paf", line=2, column=3, source_line="\tx: 1", breadcrumb="p.x", expected="2",
        seen="1", suggestion="y", hint="do this\nand that", chain=(("b.paf", 1, 4),),
    )  # fmt: skip
    assert str(sut) == (
        "a.paf:2:3: it is wrong\n  in p.x\n    \tx: 1\n    \t ^\n  expected 2; saw 1\n"
        '  did you mean "y"?\n  do this\n  and that\n  included from b.paf:1:4'
    )
    assert str(Problem("odd", WARNING, file="a.paf")) == "a.paf: warning: odd"


def test_a_long_line_is_cut_around_its_caret():
    line = "x" * 500 + "HERE" + "y" * 500
    shown, caret = str(Problem("m", file="a", line=1, column=501, source_line=line)).splitlines()[1:3]
    assert len(shown) < 200
    assert shown[caret.index("^") :].startswith("HERE")


def test_a_problem_becomes_json_for_editors():
    sut = Problem("m", file="a.paf", line=2, column=3, breadcrumb="x", expected="e", seen="s", suggestion="t")
    assert json.loads(json.dumps(sut.to_json())) == {
        "file": "a.paf", "line": 2, "column": 3, "severity": "error", "breadcrumb": "x", "message": "m",
        "expected": "e", "seen": "s", "suggestion": "t", "hint": "",
    }  # fmt: skip


@pytest.mark.parametrize("line", ["\udcff\udcfe: 1 : 2", "\x00\x01\t: 1", "\x85\x1b[31m: 1"])
def test_caret_stands_below_its_column_whatever_the_bytes(line):
    column = line.index("1") + 1
    shown, caret = str(Problem("wrong", file="a", line=1, column=column, source_line=line)).splitlines()[1:3]
    assert shown[caret.index("^")] == "1"
    assert shown.isprintable() or "\t" in line
    assert not set("\x00\x01") & set(shown)


def test_problems_of_one_line_are_in_the_order_of_their_columns():
    found = [Problem("wrong", file="a", line=1, column=column) for column in (9, 2, 5)]
    assert [problem.column for problem in in_file_order(found)] == [2, 5, 9]
