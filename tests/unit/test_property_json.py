# SPDX-License-Identifier: BSD-3-Clause
"""Property sets and lists survive a trip through JSON; texts that are none are refused with the place."""

from __future__ import annotations

import json
import math

import harness.exceptions as pex
import pytest
from harness.properties import DateTime, PropertyList, PropertySet

pytestmark = pytest.mark.contract("16.2.json")

TYPES = {
    "Bool": [True, False],
    "Short": [-3, 4],
    "Int": [-(2**31), 2**31 - 1],
    "Long": [1, -(2**63)],
    "LongLong": [5, 2**63 - 1],
    "Float": [0.5, math.inf],
    "Double": [0.1, -0.0, 1e300, 5e-324, -math.inf],
    "String": ["", 'a "b"\n\u2603', "\udcff"],
    "DateTime": [DateTime(0), DateTime(2**62)],
}


def trip(properties):
    return PropertySet.from_json(properties.to_json())


@pytest.mark.parametrize("kind", TYPES)
def test_values_of_every_type_come_back_as_that_type(kind):
    given = PropertySet()
    getattr(given, f"set{kind}")("one", TYPES[kind][0])
    getattr(given, f"set{kind}")("many", TYPES[kind])
    back = trip(given)
    assert back == given and type(back) is PropertySet
    assert back.typeOf("one") is back.typeOf("many") is given.typeOf("one")


def test_a_not_a_number_comes_back():
    given = PropertySet()
    given.set("x", [math.nan, 1.0])
    nan, one = trip(given).getArrayDouble("x")
    assert math.isnan(nan) and one == 1.0


def test_what_set_would_choose_is_written_as_plain_json():
    given = PropertySet()
    for name, value in (("visit", 85), ("big", 2**40), ("ok", True), ("seeing", 1.0), ("filter", "r")):
        given.set(name, value)
    given.set("ccd.ids", [1, 2])
    assert json.loads(given.to_json()) == {
        "visit": 85, "big": 2**40, "ok": True, "seeing": 1.0, "filter": "r", "ccd": {"ids": [1, 2]},
    }  # fmt: skip
    assert PropertySet.from_json(b'{"n": 3, "a": {"b": [true, false]}}').get("a.b") == [True, False]
    assert "\n  " in given.to_json(indent=2)


def test_order_odd_names_and_arrays_of_sets_come_back():
    given = PropertySet()
    for name in ("z", "$type", "$$", "a b"):
        given.set(name, 1)
    first, second = PropertySet(), PropertySet()
    first.set("x.y", 1.5)
    given.set("sets", [first, second])
    back = trip(given)
    assert back == given and back.names() == ["z", "$type", "$$", "a b", "sets"]


def test_a_list_comes_back_with_order_comments_and_dots():
    given = PropertyList()
    given.set("Z.A", 1, "first")
    given.setShort("B", [1, 2])
    given.set("DATE", DateTime(7), "when")
    back = trip(given)
    assert back == given and type(back) is PropertyList
    inside = PropertySet()
    inside.set("header", given)
    assert trip(inside) == inside and type(trip(inside).get("header")) is PropertyList


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "Expecting value"),
        ("[1]", "expected an object"),
        ('{"a": null}', "a: expected a boolean, number, string or object, saw None"),
        ('{"a": {"b": []}}', "a.b: an array has one value or more"),
        ('{"a": [1, "x"]}', "a: expected values of one type, saw int, string"),
        ('{"a": [1, 2.0]}', "a: expected values of one type"),
        ('{"a": [[1]]}', "a: expected a boolean"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ('{"a": 1e999}', "1e999 is out of range"),
        ('{"a": NaN}', "NaN is no JSON"),
        ('{"a": 9223372036854775808}', "does not fit 64 bits"),
        ('{"$a": 1}', "reserved"),
        ('{"a": {"$type": "Half", "$value": 1}}', "a: expected"),
        ('{"a": {"$type": "Short", "$value": 40000}}', "does not fit 16 bits"),
        ('{"a": {"$type": "DateTime", "$value": "now"}}', "a: expected nanoseconds"),
        ('{"a": {"$type": "Double", "$value": "much"}}', "cannot store a as double"),
        ('{"$type": "PropertyList", "$value": [["a", 1]]}', "expected [name, value, comment or null]"),
        ('{"$type": "PropertyList", "$value": [["a", {"b": 1}, null]]}', "a: a property list holds no sets"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_other_texts_are_refused_with_the_place(text, told):
    with pytest.raises(pex.InvalidParameterError) as caught:
        PropertySet.from_json(text)
    assert "cannot read a property set from JSON: " in str(caught.value) and told in str(caught.value)


def test_sets_nested_too_deeply_are_not_written():
    given = PropertySet()
    given.set(".".join(["a"] * 50_000), 1)
    with pytest.raises(pex.InvalidParameterError, match="nested too deeply"):
        given.to_json()
