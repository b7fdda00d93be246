# SPDX-License-Identifier: BSD-3-Clause
"""Policies in JSON: what maps to what, and errors that show the place."""

import pytest
from harness.policy import (
    Dictionary,
    EOFError,
    FormatSyntaxError,
    Policy,
    PolicyFile,
    PolicyString,
    TypeError,
    UnsupportedSyntax,
    ValidationError,
)

DC3A = """# nightly warp
{
    "executionMode": "oneloop",
    "shutdownTopic": "stopWarp",
    "appStages":     ["lsst.dps.IOStage.InputStage", "mypipe.Warp.WarpStage"],
    "eventTopics":   ["newFrame", "None"],
    "stagePolicies": ["policy/input.paf", "None"]
}
"""


def read(text):
    return Policy(PolicyString(text))


def refused(text, error=FormatSyntaxError):
    with pytest.raises(error) as caught:
        read(text)
    assert type(caught.value) is error
    return caught.value


def caret(error):
    """What the caret in a message points at, up to the end of the line."""
    shown, pointer = next(
        (line, below)
        for line, below in zip(str(error).splitlines(), str(error).splitlines()[1:], strict=False)
        if below.strip() == "^"
    )
    return shown[pointer.index("^") :]


# --- what maps to what


@pytest.mark.contract("15.2.json")
def test_a_dc3a_pipeline_policy_reads_as_its_paf_form_does():
    paf = """
        executionMode: oneloop
        shutdownTopic: stopWarp
        appStages: "lsst.dps.IOStage.InputStage" "mypipe.Warp.WarpStage"
        eventTopics: "newFrame" "None"
        stagePolicies: "policy/input.paf" "None"
    """
    policy = read(DC3A)
    assert policy == read(paf) and policy.names() == read(paf).names()
    assert policy.getStringArray("appStages") == ["lsst.dps.IOStage.InputStage", "mypipe.Warp.WarpStage"]


def test_every_type_keeps_its_kind():
    policy = read('{"b": true, "i": -7, "d": 1.0, "e": 1e3, "s": "text", "p": {}, "f": "@x.paf"}')
    types = [policy.getTypeName(name) for name in policy.names()]
    assert types == ["bool", "int", "double", "double", "string", "Policy", "PolicyFile"]
    assert policy.getFile("f") == PolicyFile("x.paf") and policy.getPolicy("p").nameCount() == 0


def test_arrays_are_values_and_arrays_of_objects_repeated_sub_policies():
    policy = read('{"i": [3, 1, 2], "p": [{"x": 1}, {}, {"x": 2}], "f": ["@a.paf", "@ b.json "]}')
    assert policy.getIntArray("i") == [3, 1, 2]
    assert [block.toDict() for block in policy.getPolicyArray("p")] == [{"x": 1}, {}, {"x": 2}]
    assert [file.getPath() for file in policy.getFileArray("f")] == ["a.paf", "b.json"]


def test_an_empty_array_is_no_value():
    assert read('{"a": [], "b": 1}').names() == ["b"]


def test_dots_in_a_key_make_a_hierarchical_name():
    policy = read('{"a.b": 1, "a.c": [2, 3], "d": {"e.f": true}}')
    assert policy.toDict() == {"a": {"b": 1, "c": [2, 3]}, "d": {"e": {"f": True}}}


def test_escapes_and_characters_of_any_length_arrive():
    policy = read('{"\\u0061": "tab\\t quote\\" \\u00e9 \\ud83d\\ude80 é 🚀"}')
    assert policy.getString("a") == 'tab\t quote" é 🚀 é 🚀'


@pytest.mark.parametrize("text", ["", "\n \n", "# only a comment", "# one\n\n# two\n", "\ufeff"])
def test_a_file_without_an_object_is_an_empty_policy(tmp_path, text):
    path = tmp_path / "empty.json"
    path.write_text(text)
    assert Policy(path) == Policy()


def test_a_byte_order_mark_and_carriage_returns_move_no_place(tmp_path):
    path = tmp_path / "windows.json"
    path.write_bytes(b'\xef\xbb\xbf# head\r\n{\r\n  "a": 1,\r\n  "b": null\r\n}\r\n')
    with pytest.raises(FormatSyntaxError) as caught:
        Policy(path)
    assert (caught.value.line, caught.value.column, caught.value.source_line) == (4, 8, '  "b": null')


# --- places


@pytest.mark.parametrize(
    ("text", "breadcrumb", "points_at", "says"),
    [
        ('{"a": null}', "a", "null}", "null is no value"),
        ('{"a": {"b": [1, null]}}', "a.b[1]", "null]}}", "null is no value"),
        ('{"a": [[1], [2]]}', "a[0]", "[1], [2]]}", "an array cannot hold arrays"),
        ('{"a": [1, 2.5]}', "a[1]", "2.5]}", "write 1.0 for a double"),
        ('{"a": [true, 1]}', "a[1]", "1]}", "expected a boolean, as the elements before it; saw an integer"),
        ('{"a": ["@x", "x"]}', "a[1]", '"x"]}', "expected an include"),
        ('{"a": [1, {"b": 1}]}', "a[1]", '{"b": 1}]}', "saw a table"),
        ('{"a": [{"b": 1}, 2]}', "a[1]", "2]}", "expected a table"),
        ('{"p": [{"a": 1}, {"a": NaN}]}', "p[1].a", "NaN}]}", "NaN is no JSON number"),
        ('{"a": -Infinity}', "a", "-Infinity}", "-Infinity is no JSON number"),
        ('{"a": "@ "}', "a", '"@ "}', "this include names no file"),
        ('{"a": "\\ud83d"}', "a", '"\\ud83d"}', "half of a surrogate pair"),
        ('{"a-b": 1}', "a-b", '"a-b": 1}', "is no name of a parameter"),
        ('{"a": {"": 1}}', "a.", '"": 1}}', "is no name of a parameter"),
        ('{"a..b": 1}', "a..b", '"a..b": 1}', "is no name of a parameter"),
        ('{"a": 1, "a.b": 1}', "a.b", '"a.b": 1}', 'gives "a" a second time'),
        ('{"a.b": 1, "a": {"c": 1}}', "a", '"a": {"c": 1}}', 'gives "a" a second time'),
        ('{"é": 1}', "é", '"é": 1}', "is no name of a parameter"),
    ],
)
def test_what_no_policy_can_hold_is_shown_with_its_place(text, breadcrumb, points_at, says):
    error = refused(text)
    assert error.breadcrumb == breadcrumb and caret(error) == points_at and says in str(error)


@pytest.mark.parametrize(
    "number", ["2147483648", "-2147483649", "99999999999999999999999", "9" * 5000, "1e999"]
)
def test_a_number_out_of_range_is_unsupported(number):
    error = refused(f'{{"a": 1,\n "b": [{number}]}}', UnsupportedSyntax)
    assert (error.line, error.column, error.breadcrumb) == (2, 8, "b")


def test_the_ends_of_the_range_are_read():
    assert read('{"a": [2147483647, -2147483648]}').getIntArray("a") == [2**31 - 1, -(2**31)]


def test_a_key_that_stands_twice_is_refused_at_the_second():
    error = refused('{\n "a": 1,\n "b": {"a": 2},\n "\\u0061": 3}')
    assert (error.line, error.column) == (4, 2) and "line 2" in error.seen


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ('{"a": 1 "b": 2}', (1, 9), "','"),
        ('{"a" 1}', (1, 6), "':'"),
        ("{a: 1}", (1, 2), "a key in double quotes"),
        ('{"a": }', (1, 7), "a number"),
        ('{"a": 1}\n{"b": 2}', (2, 1), "the end of the input"),
        ('{"a": "one\ntwo"}', (1, 11), "a closing"),
        ('{"a": "\\x"}', (1, 8), "one of"),
        ('{"a": 1', (1, 8), "','"),
        ('# é\n{"é": tru}', (2, 7), "a number"),
        ("{'a': 1}", (1, 2), "a key in double quotes"),
    ],
)
def test_text_that_is_no_json_is_refused_in_the_same_words_everywhere(text, place, expected):
    error = refused(text)
    assert (error.line, error.column) == place and expected in error.expected and error.seen


def test_a_string_that_never_closes_is_an_eof_error_at_its_quote():
    error = refused('{"a": 1,\n "b": "open', EOFError)
    assert (error.line, error.column, error.seen) == (2, 7, "the end of the input")


def test_bytes_that_are_no_utf8_are_shown(tmp_path):
    path = tmp_path / "latin.json"
    path.write_bytes(b'{"a": 1,\n "b": "caf\xe9"}')
    with pytest.raises(FormatSyntaxError, match="UTF-8") as caught:
        Policy(path)
    assert (caught.value.line, caught.value.column, caught.value.seen) == (2, 11, "the byte 0xe9")


def test_anything_but_an_object_is_no_policy(tmp_path):
    path = tmp_path / "list.json"
    path.write_text("\n [1, 2]")
    with pytest.raises(FormatSyntaxError, match="one object") as caught:
        Policy(path)
    assert (caught.value.line, caught.value.column) == (2, 2)


def test_two_hundred_levels_are_read_and_one_more_is_refused_with_its_place():
    def nested(levels):
        return '{"a":' * levels + "1" + "}" * levels

    assert read(nested(200)).getInt(".".join("a" * 200)) == 1
    error = refused(nested(201))
    assert error.column == 200 * len('{"a":') + 1 and "200 levels" in error.expected


@pytest.mark.parametrize("opening", ['{"a":', '{"a":[', '{"a":[{"a":'])
def test_hostile_nesting_is_refused_with_a_place(opening):
    assert refused(opening * 100_000).line == 1


def test_quotes_and_brackets_in_strings_play_no_role():
    policy = read('{"a": "[{\\"}]\\\\", "b": ["}", "]", ":"], "c": {"d": null_}}'.replace("null_", "7"))
    assert policy.getStringArray("b") == ["}", "]", ":"] and policy.getInt("c.d") == 7


# --- the rest of the library sees places as with PAF


def test_validation_shows_line_column_and_caret():
    rules = Dictionary(
        PolicyString(
            "definitions: {\n p: {\n type: policy\n dictionary: { definitions: { n: { type: int } } } } }"
        )
    )
    policy = read('{\n "p": [\n  {"n": 1},\n  {"n": "x"}\n ]\n}')
    with pytest.raises(ValidationError) as caught:
        rules.validate(policy)
    assert (caught.value.line, caught.value.column) == (4, 9)
    assert '  {"n": "x"}' in str(caught.value) and "^" in str(caught.value)


def test_an_error_of_a_later_read_shows_the_line():
    policy = read('{\n "size": 3\n}')
    with pytest.raises(TypeError) as caught:
        policy.getDouble("size")
    assert (caught.value.line, caught.value.column, caught.value.source_line) == (2, 10, ' "size": 3')


def test_a_policy_that_already_has_the_name_gets_more_values():
    policy = read("a: 5")
    PolicyString('{"a": 6}').load(policy)
    assert policy.getIntArray("a") == [5, 6]
    with pytest.raises(TypeError) as caught:
        PolicyString('{"a": "x"}').load(policy)
    assert (caught.value.line, caught.value.column) == (1, 7)
