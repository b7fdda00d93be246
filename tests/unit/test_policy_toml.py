# SPDX-License-Identifier: BSD-3-Clause
"""Policies in TOML: tables and dotted keys, what TOML has and policies have not, and the places of it all."""

import math

import pytest
from harness.policy import (
    EOFError,
    FormatSyntaxError,
    Policy,
    PolicyFile,
    PolicyString,
    TypeError,
    UnsupportedSyntax,
)


def read(text):
    source = PolicyString(text)
    assert source.getFormatName() == "TOML"
    return Policy(source)


def refused(text, error=FormatSyntaxError):
    with pytest.raises(error) as caught:
        read(text)
    assert type(caught.value) is error
    return caught.value


PIPELINE = """# nightly warp
name = "warp"
nSlices = 2

[[appStage]]
name = "input"
serialClass = "lsst.pex.harness.IOStage.InputStageSerial"
stagePolicy = "@policy/input.toml"

[[appStage]]
name = "warp"
[appStage.stagePolicy]
order = [3, 5]
scale.x = 1.5
scale.y = 2.0
"""


def test_a_pipeline_policy_reads_as_its_paf_form_does():
    paf = """
        name: warp
        nSlices: 2
        appStage: {
            name: input
            serialClass: lsst.pex.harness.IOStage.InputStageSerial
            stagePolicy: @policy/input.toml
        }
        appStage: {
            name: warp
            stagePolicy: { order: 3 5
                           scale: { x: 1.5
                                    y: 2.0 } }
        }
    """
    policy = read(PIPELINE)
    assert policy == read_paf(paf) and policy.names() == read_paf(paf).names()
    assert policy.getPolicyArray("appStage")[0].getFile("stagePolicy") == PolicyFile("policy/input.toml")


def read_paf(text):
    source = PolicyString(text)
    assert source.getFormatName() == "PAF"
    return Policy(source)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0xff", 255),
        ("1_000", 1000),
        ("+7", 7),
        ("6.5e-3", 0.0065),
        ("true", True),
        ("inf", math.inf),
        ("-inf", -math.inf),
        ('"a\\u00e9 \\"#]"', 'aé "#]'),
        ("'C:\\new [x] # no comment'", "C:\\new [x] # no comment"),
        ('"""\none\n  two ""quoted"" """', 'one\n  two ""quoted"" '),
        ("'''\n'one' ''two'''''", "'one' ''two''"),
        ('"""a \\\n   b"""', "a b"),
        ("[1, 2, # two\n  3,\n]", [1, 2, 3]),
        ('["]", "#", \'}\']', ["]", "#", "}"]),
        ("{ x = 1, 'y.z' = [true, false] }", {"x": 1, "y": {"z": [True, False]}}),
        ("[{ x = 1 }, { x = 2, y = { z = 3 } }]", [{"x": 1}, {"x": 2, "y": {"z": 3}}]),
    ],
)
def test_values_of_every_notation_arrive(value, expected):
    policy = read(f"before = 1\nv = {value} # comment\nafter = 2\n")
    assert policy.toDict() == {"before": 1, "v": expected, "after": 2}


def test_nan_is_a_double():
    assert math.isnan(read("a = nan").getDouble("a"))


def test_tables_reopen_and_keys_may_be_quoted():
    policy = read(
        '[a.b]\nx = 1\n[c]\n"d" . \'e\' = 2\n[a]\ny = 3\n["a".f]\n[[a.g.h]]\nz = 1\n[a.g.h.i]\n[[a.g.h]]'
    )
    assert policy.toDict() == {
        "a": {"b": {"x": 1}, "y": 3, "f": {}, "g": {"h": [{"z": 1, "i": {}}, {}]}},
        "c": {"d": {"e": 2}},
    }


def test_an_empty_array_is_no_value():
    assert read("a = []\nb = [ # none\n]\nc = 1").names() == ["c"]


@pytest.mark.parametrize(
    ("text", "place", "breadcrumb", "says"),
    [
        ("a = 1979-05-27", (1, 5), "a", "no dates"),
        ("a = [1979-05-27 07:32:00Z]", (1, 6), "a", "no dates"),
        ("[t]\na = 07:32:00", (2, 5), "t.a", "no dates"),
        ("a = [1, 2.0]", (1, 9), "a[1]", "write 1.0"),
        ('a.b = [\n 1,\n "x"]', (3, 2), "a.b[1]", "an integer, as the elements before it; saw a string"),
        ("a = [[1]]", (1, 6), "a", "cannot hold arrays"),
        ("[[p]]\nx = 1\n[[p]]\nx = ['@ ']", (4, 6), "p[1].x", "names no file"),
        ("a-b = 1", (1, 1), "a-b", "no name of a parameter"),
        ("[x.'y z']", (1, 4), "x.y z", "no name of a parameter"),
        ('x = 1\n"x.y" = 1', (2, 1), "x.y", 'gives "x" a second time'),
        ("a = { b = [1, { c = 2 }] }", (1, 15), "a.b[1]", "saw a table"),
    ],
)
def test_what_no_policy_can_hold_is_shown_with_its_place(text, place, breadcrumb, says):
    error = refused(text)
    assert (error.line, error.column) == place and error.breadcrumb == breadcrumb and says in str(error)


@pytest.mark.parametrize(
    "number", ["2147483648", "0xffffffff", "-3_000_000_000", "1" * 5000, "1e999", "-1_0.0e400"]
)
def test_a_number_out_of_range_is_unsupported(number):
    error = refused(f"a = 1\nb = {number}\n", UnsupportedSyntax)
    assert (error.line, error.column) == (2, 5)


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("a = 1\na = 2", (2, 6), "each key once"),
        ("a = 1\nb = \n", (2, 5), "a number"),
        ("[a]\nb = 1\n[a]\n", (3, 3), "each table once"),
        ("a = 1 b = 2", (1, 7), "the end of the line"),
        ("é = 1\n", None, None),
        ("a = { b = 1", None, "closing }"),
        ("a = [1, 2", (1, 10), "closing ]"),
        ('ok = "é"\na = "one\ntwo"', (2, 9), "line end"),
        ('a = "\\q"', None, "escape"),
        ("a = 1\r\n\r\nb = x\r\n", (3, 5), "a number"),
    ],
)
def test_text_that_is_no_toml_is_refused_with_its_place(tmp_path, text, place, expected):
    path = tmp_path / "bad.toml"
    path.write_bytes(text.encode())
    with pytest.raises(FormatSyntaxError, match="no TOML") as caught:
        Policy(path)
    assert caught.value.file == str(path)
    # Versions of the library differ in the place of some errors, and in what they accept between braces.
    assert place is None or (caught.value.line, caught.value.column) == place
    assert expected is None or expected in caught.value.expected


@pytest.mark.parametrize("quote", ['"', "'", '"""', "'''"])
def test_a_string_that_never_closes_is_an_eof_error_at_its_quote(quote):
    error = refused(f"a = 'x' # it's\nb = {quote}open", EOFError)
    assert (error.line, error.column, error.seen) == (2, 5, "the end of the input")


def test_a_byte_order_mark_and_carriage_returns_move_no_place(tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbfa = '\xc3\xa9'\r\n[b]\r\nc = [1, 'x']\r\n")
    with pytest.raises(FormatSyntaxError) as caught:
        Policy(path)
    assert (caught.value.line, caught.value.column, caught.value.source_line) == (3, 9, "c = [1, 'x']")
    path.write_bytes(b"\xef\xbb\xbfa = x\r\n")
    with pytest.raises(FormatSyntaxError) as caught:
        Policy(path)
    assert (caught.value.line, caught.value.column) == (1, 5)


def test_places_of_tables_are_those_of_their_headers():
    policy = read("[a.b]\nx = 1\n[a]\ny = 2\n[[t]]\n[[t]]\n")
    with pytest.raises(TypeError) as caught:
        policy.getInt("a")
    assert caught.value.line == 3
    with pytest.raises(TypeError) as caught:
        policy.getInt("t")
    assert caught.value.line == 6


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "{a=" * 100_000,
        "a = " + "{a=" * 400 + "1" + "}" * 400,
        "[" + ".".join("a" * 20_000) + "]",
        ".".join("a" * 3_000) + " = 1",
    ],
)
def test_hostile_nesting_is_refused_with_a_place(text):
    error = refused(text)
    assert error.line == 1 and "200 levels" in error.expected


def test_deep_but_honest_nesting_is_read():
    assert read("[" + ".".join("a" * 199) + "]\nb = 1").getInt(".".join("a" * 199) + ".b") == 1
    assert read("a = " + "{a=" * 150 + "1" + "}" * 150).getInt(".".join("a" * 151)) == 1
