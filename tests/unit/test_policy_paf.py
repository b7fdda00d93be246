# SPDX-License-Identifier: BSD-3-Clause
"""The PAF grammar: every rule with texts that keep it and texts that break it."""

import pytest
from harness.policy import (
    BadNameError,
    EOFError,
    FormatSyntaxError,
    InvalidParameterError,
    Policy,
    PolicyFile,
    PolicyString,
    TypeError,
    UnsupportedSyntax,
)


def parse(text):
    return Policy(PolicyString(text))


def values(text, name="a"):
    return parse(text).getArray(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("34.", [34.0]),
        (".34", [0.34]),
        ("1e3", [1000.0]),
        ("-5E-2", [-0.05]),
        ("+1.5 -2.", [1.5, -2.0]),
        ("99999999999.", [99999999999.0]),
        ("1e-999", [0.0]),
        ("3 1 -7 +2", [3, 1, -7, 2]),
        ("-2147483648 2147483647", [-(2**31), 2**31 - 1]),
        ("3#c", [3]),
        ("True False", [True, False]),
        ("true false", [True, False]),
        ("TRUE", ["TRUE"]),
        ("FALSE", ["FALSE"]),
        ("yes", ["yes"]),
        ("NaN", ["NaN"]),
        ("-", ["-"]),
        (".", ["."]),
        ("..", [".."]),
        ("./x", ["./x"]),
        ("$HOME/x", ["$HOME/x"]),
        ("[1,2]", ["[1,2]"]),
        ("-x", ["-x"]),
        ('"a" "b"', ["a", "b"]),
        ("\"a\"'b'", ["a", "b"]),
        ("\"it's\" '\"'", ["it's", '"']),
        ('""', [""]),
        ('"# } {" # comment', ["# } {"]),
        ("two words\t # comment", ["two words"]),
        ("x\ry\fz", ["x\ry\fz"]),
        ('say "x" {: y', ['say "x" {: y']),
        ("b: c", ["b: c"]),
        ("@some file.paf # c", [PolicyFile("some file.paf")]),
    ],
)
def test_value_is_recognised_by_its_beginning(text, expected):
    found = values(f"a: {text}")
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


@pytest.mark.parametrize(
    "text",
    [
        "4.0 34",
        "3 4.7",
        "3, 1",
        "1,000",
        "12:30",
        "5abc",
        "0x1F",
        ".5/foo",
        "3.4.1",
        "2009-12-09",
        "3+4",
        "1.0e0005.5",
        "1e0005",
        "1e",
        "trueish",
        "trueFalse",
        "true 1",
        "1 true",
        '1 "x"',
        '"x" 1',
        '"x" y',
        "@",
        "1\f2",
        "1\r",
        "1\rb: 2",
        "1}",
    ],
)
def test_malformed_value_is_a_format_syntax_error(text):
    with pytest.raises(FormatSyntaxError) as caught:
        parse(f"ok: 1\na: {text}")
    assert (caught.value.file, caught.value.line) == ("<string>", 2)


@pytest.mark.parametrize(
    "number", ["99999999999", "2147483648", "-2147483649", "1 3000000000", "1e999", "-1e999"]
)
def test_number_out_of_range_is_unsupported_syntax(number):
    with pytest.raises(UnsupportedSyntax, match="out of range"):
        parse(f"a: {number}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a long\n   story"', "a long story"),
        ('"\n\n  "', "  "),
        ('"a  \n  b \t\n\n  c  "', "a b  c  "),
        ('"a\r\n  b"', "a b"),
        ("'  a\nb'", "  a b"),
        ('"a # no comment\n}"', "a # no comment }"),
    ],
)
def test_quoted_string_over_lines_joins_them_with_one_blank_each(text, expected):
    assert values(f"a: {text}") == [expected]
    assert values(f"a: {text}\nb: 1") == [expected]


def test_open_quote_is_an_eof_error_at_the_quote():
    with pytest.raises(EOFError) as caught:
        parse('a: 1\nb: "x" "never\n\n')
    assert (caught.value.line, caught.value.column) == (2, 8)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("\n \t\n# only a comment", {}),
        ("a:\nb: # nothing\nc: 1", {"c": 1}),
        ("f: {}", {"f": {}}),
        ("f: { a: 1 } b: 2", {"f": {"a": 1}, "b": 2}),
        ("f: { a: { b: 2 } }", {"f": {"a": {"b": 2}}}),
        ("f: { # c\n a: 1 # c\n} # c\nb: 2", {"f": {"a": 1}, "b": 2}),
        ("f: { a: x y } b: 2", {"f": {"a": "x y"}, "b": 2}),
        ("cam: { gain: }\nb: 1", {"cam": {}, "b": 1}),
        ("a.b: 3", {"a": {"b": 3}}),
        ("a : 3", {"a": 3}),
        ("  a\t:3", {"a": 3}),
        ("1.type: int", {"1": {"type": "int"}}),
        ("ns::x: 3", {"ns": ":x: 3"}),
        ("i: 1\ni: 2 3", {"i": [1, 2, 3]}),
        ("p: {x: 1}\np: {x: 2}\np.y: 7", {"p": [{"x": 1}, {"x": 2, "y": 7}]}),
        ("a: 1\r\nb: x y \r\n", {"a": 1, "b": "x y"}),
        ("\ufeffa: 1", {"a": 1}),
        ("a.b: {c: 1}\na.b.d: 2", {"a": {"b": {"c": 1, "d": 2}}}),
    ],
)
def test_structure(text, expected):
    assert parse(text).toDict() == expected


@pytest.mark.parametrize(
    ("text", "error", "line"),
    [
        ("f: { a: 1 b: 2 }", FormatSyntaxError, 1),
        ("a: 1\n}", FormatSyntaxError, 2),
        ("a: 1\n{", FormatSyntaxError, 2),
        ("f:\n{ a: 1 }", FormatSyntaxError, 2),
        ("a: 1\nword", FormatSyntaxError, 2),
        ("a: 1\nx-y: 3", FormatSyntaxError, 2),
        ("x y: 3", FormatSyntaxError, 1),
        ("a: 1\n.b: 2", FormatSyntaxError, 2),
        ("b.: 2", FormatSyntaxError, 1),
        ("a..b: 2", FormatSyntaxError, 1),
        ("a: 1\n*junk\r\n", FormatSyntaxError, 2),
        ("a: 1\n*junk\f\n", FormatSyntaxError, 2),
        ("a: {\n\nb: {\n }\n", FormatSyntaxError, 1),
        ("a: 1\na: 2.0", TypeError, 2),
        ("a: 1\na: {}", TypeError, 2),
        ("a: {}\na: 1", TypeError, 2),
        ("a: @f\na: x", TypeError, 2),
        ("a: 1\na.b: 2", InvalidParameterError, 2),
        ("a: @urn:eupspkg:x", BadNameError, 1),
    ],
)
def test_broken_structure_raises_with_its_line(text, error, line):
    with pytest.raises(error) as caught:
        parse(text)
    assert type(caught.value) is error
    assert caught.value.line == line
    assert f"<string>:{line}:" in str(caught.value)


def test_error_shows_place_breadcrumb_expected_and_seen():
    text = "execute: {\n  appStage: { name: x }\n  appStage: {\n\tstagePolicy: { size: 3 4.7 }\n }\n}"
    with pytest.raises(FormatSyntaxError) as caught:
        parse(text)
    error = caught.value
    assert (error.line, error.column, error.seen) == (4, 25, '"4.7"')
    assert error.breadcrumb == "execute.appStage[1].stagePolicy.size"
    assert error.source_line == "\tstagePolicy: { size: 3 4.7 }"
    assert "integer" in error.expected
    assert "\n    \tstagePolicy: { size: 3 4.7 }\n    \t                       ^\n" in str(error)


def test_names_keep_the_order_of_the_text():
    names = [f"n{i * 7919 % 1000}" for i in range(1000)]
    policy = parse("\n".join(f"{name}: 1" for name in names))
    assert policy.names() == names


def test_bytes_that_are_no_utf8_survive(tmp_path):
    path = tmp_path / "latin.paf"
    path.write_bytes(b"a: caf\xe9\n")
    assert Policy(path).getString("a").encode("utf-8", "surrogateescape") == b"caf\xe9"


@pytest.mark.contract("17.51")
@pytest.mark.parametrize("depth", [5000, 10000])
def test_blocks_nest_to_the_documented_limit(depth):
    policy = parse("a: {" * depth + "}" * depth)
    assert policy.toString().count("a: {") == depth


@pytest.mark.contract("17.51")
def test_nesting_past_the_limit_is_refused():
    with pytest.raises(FormatSyntaxError, match="too deep"):
        parse("a: {" * 10001)
    with pytest.raises(FormatSyntaxError, match="too deep"):
        parse(".".join("a" * 10001) + ": 1")


def test_long_rows_are_read_in_one_pass():
    count = 300_000
    assert values("a: " + "7 " * count) == [7] * count
    assert len(values("a: " + '"x" ' * count)) == count
