# SPDX-License-Identifier: BSD-3-Clause
"""Dictionaries: structure, validation, defaults and the checks of an attached dictionary."""

import warnings

import pytest
from harness.policy import (
    Dictionary,
    DictionaryError,
    DictionaryWarning,
    Policy,
    PolicyString,
    ValidationError,
)

WARP = """#<?cfg paf dictionary ?>
target: Warp
definitions: {
    threshold: { type: double  # in sigma
                 description: "cut in sigma"
                 default: 5.0
                 maxOccurs: 1
                 allowed: { min: 0.0
                            max: 50.0 } }
    mode: { type: string
            default: "fast"
            allowed: { value: "fast" "exact" } }
    size: { type: int
            minOccurs: 2
            maxOccurs: 3 }
    kernel: { type: Policy
              dictionary: {
                  definitions: {
                      width: { type: int
                               default: 7
                               minOccurs: 1 }
                      name: { type: string }
                  }
              } }
    flag.type: bool
    anything: { minOccurs: 0 }
}
"""


def parse(text):
    return Policy(PolicyString(text))


def define(body):
    """A dictionary with the given definitions."""
    return Dictionary(parse("definitions: {\n" + body + "\n}"))


def issues(dictionary, text):
    errors = ValidationError("collecting")
    dictionary.validate(parse(text), errors)
    return {name: errors.getErrors(name) for name in errors.getParamNames()}


@pytest.fixture
def warp():
    return Dictionary(parse(WARP))


GOOD = "size: 1 2\n"


@pytest.mark.contract("12.3.bits")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD, {}),
        ("size: 1 2 3\nthreshold: 50.0\nmode: exact\nflag: true\nkernel: { width: 3 }", {}),
        (GOOD + "anything: x\n", {}),
        (GOOD + "anything: { whatever: 1 }\n", {}),
        (GOOD + "threshold: 5", {"threshold": ValidationError.WRONG_TYPE}),
        (GOOD + "flag: 1", {"flag": ValidationError.WRONG_TYPE}),
        ("", {"size": ValidationError.MISSING_REQUIRED}),
        ("size: 1", {"size": ValidationError.NOT_AN_ARRAY}),
        ("size: 1 2 3 4", {"size": ValidationError.TOO_MANY_VALUES}),
        (GOOD + "threshold: 1.0 2.0", {"threshold": ValidationError.TOO_MANY_VALUES}),
        (GOOD + "threshold: -0.5", {"threshold": ValidationError.VALUE_OUT_OF_RANGE}),
        (GOOD + "threshold: 50.5", {"threshold": ValidationError.VALUE_OUT_OF_RANGE}),
        (GOOD + 'mode: "fast" "slow"', {"mode": ValidationError.VALUE_DISALLOWED}),
        (GOOD + "treshold: 5.0", {"treshold": ValidationError.UNKNOWN_NAME}),
        (GOOD + "kernel: @kernel.paf", {"kernel": ValidationError.NOT_LOADED}),
        (GOOD + "kernel: {}", {"kernel.width": ValidationError.MISSING_REQUIRED}),
        (
            GOOD + "kernel: { width: 1.0 }\nkernel: { width: 2\n x: 1 }",
            {"kernel.width": ValidationError.WRONG_TYPE, "kernel.x": ValidationError.UNKNOWN_NAME},
        ),
        (
            "size: 1.0\nmode: no\nx: 1",
            {
                "size": ValidationError.NOT_AN_ARRAY | ValidationError.WRONG_TYPE,
                "mode": ValidationError.VALUE_DISALLOWED,
                "x": ValidationError.UNKNOWN_NAME,
            },
        ),
    ],
)
def test_validation_collects_every_violation(warp, text, expected):
    assert issues(warp, text) == expected


def test_array_too_short_is_told_from_no_array():
    dictionary = define("a: { type: int\n minOccurs: 3 }")
    assert issues(dictionary, "a: 1 2") == {"a": ValidationError.ARRAY_TOO_SHORT}


def test_value_outside_range_and_set_has_both_bits():
    dictionary = define("a: { type: int\n allowed: { value: 1 2 }\n allowed: { max: 5 } }")
    assert issues(dictionary, "a: 7") == {"a": ValidationError.BAD_VALUE}
    assert issues(dictionary, "a: 3") == {"a": ValidationError.VALUE_DISALLOWED}


def test_order_of_strings_and_bools_in_ranges():
    dictionary = define(
        's: { type: string\n allowed: { min: "b"\n max: "d" } }\nf: { type: bool\n allowed: { min: true } }'
    )
    assert issues(dictionary, 's: "b" "cz" "d"\nf: true') == {}
    assert issues(dictionary, "s: dd\nf: false") == {
        "s": ValidationError.VALUE_OUT_OF_RANGE,
        "f": ValidationError.VALUE_OUT_OF_RANGE,
    }


def test_bounds_of_policies_are_always_violated():
    dictionary = define(
        'p: { type: Policy\n allowed: { min: 1 } }\nq: { type: policy\n allowed: { value: "x" } }'
    )
    assert issues(dictionary, "p: {}\nq: {}") == {
        "p": ValidationError.VALUE_OUT_OF_RANGE,
        "q": ValidationError.VALUE_DISALLOWED,
    }


def test_child_definition_applies_to_every_other_name():
    dictionary = define('a: { type: int }\nchildDefinition: { type: string\n minOccurs: 2\n default: "x" }')
    assert issues(dictionary, 'a: 1\nb: "x" "y"') == {}
    assert issues(dictionary, "") == {}
    assert issues(dictionary, "b: 3") == {"b": ValidationError.WRONG_TYPE | ValidationError.NOT_AN_ARRAY}
    assert Policy(False, dictionary).names() == []


def test_violation_carries_place_breadcrumb_and_nearest_name(warp):
    policy = parse("size: 1 2\nkernel: {\n   width: 3\n}\nkernel: {\n   widht: 3\n   width: 4 }")
    with pytest.raises(ValidationError) as caught:
        warp.validate(policy)
    error = caught.value
    assert (error.file, error.line, error.column) == ("<string>", 6, 4)
    assert error.breadcrumb == "kernel[1].widht"
    assert error.suggestion == "width"
    assert 'did you mean "width"?' in str(error)
    assert "\n       widht: 3\n       ^\n" in str(error)


def test_raised_error_lists_what_a_collector_would(warp):
    with pytest.raises(ValidationError) as caught:
        warp.validate(parse("threshold: 99.0"))
    error = caught.value
    assert error.getParamNames() == ["size", "threshold"]
    assert error.getParamCount() == 2
    assert error.getErrors() == ValidationError.MISSING_REQUIRED | ValidationError.VALUE_OUT_OF_RANGE
    assert error.getErrors("nothing") == ValidationError.OK
    assert error.describe("> ").splitlines() == [
        "> size: no value, but the parameter is required",
        "> threshold: value is out of the allowed range",
    ]
    assert "(defined in <string>:4)" in error.what()


def test_collector_accumulates_and_cpp_is_the_collector_itself(warp):
    errors = ValidationError("here.py", 12, "setup")
    warp.validate(parse("size: 1"), errors.cpp)
    warp.validate(parse("size: 1 2 3 4"), errors)
    assert errors.getErrors("size") == ValidationError.NOT_AN_ARRAY | ValidationError.TOO_MANY_VALUES


def test_messages_of_compound_bits_are_joined():
    text = ValidationError.getErrorMessageFor(ValidationError.BAD_VALUE)
    assert text == "value is none of those allowed; value is out of the allowed range"
    assert ValidationError.getErrorMessageFor(ValidationError.OK) == ""


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ("a: 1", (2, 1)),
        ("a: { typ: int }", (2, 6)),
        ("a: { type: integre }", (2, 12)),
        ("a: { type: Int }", (2, 12)),
        ("a: { type: PolicyFile }", (2, 12)),
        ("a: { type: file }", (2, 12)),
        ("a: { type: 3 }", (2, 12)),
        ("a: { minOccurs: 1.0 }", (2, 17)),
        ('a: { maxOccurs: "2" }', (2, 17)),
        ("a: { dictionary: x }", (2, 18)),
        ("a: { dictionary: { x: 1 } }", (2, 18)),
        ("a: { type: int\n allowed: { valu: 1 } }", (3, 13)),
        ("a: { type: int\n allowed: { min: 1.0 } }", (3, 18)),
        ("a: { type: int\n allowed: { value: x } }", (3, 20)),
        ("a: { type: int\n allowed: { min: 1 }\n allowed: { min: 2 } }", (4, 18)),
        ("a: { type: int\n allowed: { max: 1 2 } }", (3, 20)),
        ("childDefinition: { type: int }\nchildDefinition: { type: int }", (3, 18)),
        ("a: { type: Policy\n dictionary: { definitions: {\n b: { typ: int } } } }", (4, 7)),
    ],
)
def test_malformed_definition_is_found_on_construction(body, place):
    with pytest.raises(DictionaryError) as caught:
        define(body)
    assert (caught.value.line, caught.value.column) == place


@pytest.mark.parametrize("text", ["definitions: 3", "definitions: {}\ndefinitions: {}", "a: 1"])
def test_dictionary_needs_exactly_one_definitions_policy(text):
    with pytest.raises(DictionaryError):
        Dictionary(parse(text))


@pytest.mark.parametrize(
    "body",
    [
        "a: { type: int\n min: 1 }",
        "a: { max: 1 }",
        "a: { allowed: 1 2 }",
        "a: { type: int }\na: { type: int }",
    ],
)
def test_definition_without_effect_warns(body):
    with pytest.warns(DictionaryWarning, match="has no effect|more than once"):
        dictionary = define(body)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert issues(dictionary, "a: 0") == {}
