# SPDX-License-Identifier: BSD-3-Clause
"""Property sets as JSON, and back without loss of a type, a bit, a comment or the order.

A value whose type `set` would choose by itself stands as plain JSON: booleans, integers (Int within 32 bits,
LongLong beyond), numbers with a point (Double), strings, objects (sub-sets) and arrays of one of these. Any
other is ``{"$type": T, "$value": v}``, where v is a value or an array: Short, Int, Long, LongLong, Float;
Double that JSON cannot write, as the strings "nan", "inf", "-inf"; DateTime, as nanoseconds of TAI. A
PropertyList is ``{"$type": "PropertyList", "$value": [[name, value, comment or null], ...]}``. A name that
starts with ``$`` is written with one more.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NoReturn

import harness.exceptions as pex
from harness.properties.date_time import DateTime
from harness.properties.values import Entry, PropertyType, classify

if TYPE_CHECKING:
    from harness.properties.property_set import PropertySet

__all__ = ["dump_properties", "load_properties"]

TYPE, VALUE, LIST = "$type", "$value", "PropertyList"
PLAIN = {
    PropertyType.Bool,
    PropertyType.Int,
    PropertyType.LongLong,
    PropertyType.Double,
    PropertyType.String,
    PropertyType.PropertySet,
}
FLOATS = (PropertyType.Double, PropertyType.Float)


def dump_properties(properties: PropertySet, indent: int | None = None) -> str:
    """The text of a property set or list.

    Raises:
        InvalidParameterError: sets are nested too deeply to be written.
    """
    try:
        return json.dumps(_from_set(properties), indent=indent, allow_nan=False)
    except RecursionError:
        raise pex.InvalidParameterError("cannot write a property set: sets are nested too deeply") from None


def load_properties(text: str | bytes) -> PropertySet:
    """The property set or list that a text holds.

    Raises:
        InvalidParameterError: the text is no JSON, or JSON that is no property set; the message has the
            place.
    """
    try:
        loaded = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
        )
        if not isinstance(loaded, dict):
            _refuse("the text", f"expected an object of names and values, saw {_shown(loaded)}")
        return _to_set("", loaded)
    except (ValueError, RecursionError) as error:
        what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise pex.InvalidParameterError(f"cannot read a property set from JSON: {what}") from None


# --- writing


def _from_set(properties: Any) -> dict[str, Any]:
    if properties._flat:
        comments = properties._comments
        rows = [[name, _from_entry(entry), comments.get(name)] for name, entry in properties._entries.items()]
        return {TYPE: LIST, VALUE: rows}
    return {_escaped(name): _from_entry(entry) for name, entry in properties._entries.items()}


def _from_entry(entry: Entry) -> Any:
    values = [_from_value(entry.kind, value) for value in entry.values]
    value = values if len(values) > 1 else values[0]
    if entry.kind in PLAIN and not _has_odd_float(entry) and classify("", entry.values) is entry.kind:
        return value
    return {TYPE: entry.kind.name, VALUE: value}


def _has_odd_float(entry: Entry) -> bool:
    return entry.kind in FLOATS and not all(map(math.isfinite, entry.values))


def _from_value(kind: PropertyType, value: Any) -> Any:
    if kind is PropertyType.PropertySet:
        return _from_set(value)
    if kind is PropertyType.DateTime:
        return value.nsecs()
    return str(value) if kind in FLOATS and not math.isfinite(value) else value


def _escaped(name: str) -> str:
    return f"${name}" if name.startswith("$") else name


# --- reading


def _to_set(place: str, items: dict[str, Any]) -> PropertySet:
    from harness.properties.property_set import PropertySet

    if items.get(TYPE) == LIST:
        return _to_list(place, items.get(VALUE))
    properties = PropertySet()
    for key, value in items.items():
        name = key[1:] if key.startswith("$$") else key
        if name.startswith("$") and name == key:
            _refuse(place or "the text", f"the name {key!r} is reserved; a name that starts with $ has two")
        properties._entries[name] = _to_entry(f"{place}.{name}" if place else name, value)
    return properties


def _to_list(place: str, rows: Any) -> PropertySet:
    from harness.properties.property_list import PropertyList

    properties = PropertyList()
    for row in rows if isinstance(rows, list) else _refuse(place or "the list", "expected rows"):
        if not (isinstance(row, list) and len(row) == 3 and isinstance(row[0], str)):
            _refuse(place or "the list", f"expected [name, value, comment or null], saw {_shown(row)}")
        name, value, comment = row
        entry = _to_entry(name, value)
        if entry.kind is PropertyType.PropertySet:
            _refuse(name, "a property list holds no sets")
        properties._entries[name] = entry
        properties._comment(name, comment)
    return properties


def _to_entry(place: str, value: Any) -> Entry:
    if isinstance(value, dict) and TYPE in value and value[TYPE] != LIST:
        return _to_typed_entry(place, value)
    values = value if isinstance(value, list) else [value]
    if not values:
        _refuse(place, "an array has one value or more")
    found = [_to_value(place, item) for item in values]
    kind = classify(place, found)
    kinds = {classify(place, [item]) for item in found}
    if kind is PropertyType.LongLong:
        kinds.discard(PropertyType.Int)
    if kinds != {kind}:
        names = ", ".join(sorted(one.value for one in kinds))
        _refuse(place, f"expected values of one type, saw {names}")
    return _checked(place, kind, found)


def _to_typed_entry(place: str, value: dict[str, Any]) -> Entry:
    if value.keys() != {TYPE, VALUE} or value[TYPE] not in PropertyType.__members__:
        names = ", ".join(PropertyType.__members__)
        _refuse(place, f'expected {{"{TYPE}": T, "{VALUE}": v}} with T one of {names}, saw {_shown(value)}')
    kind = PropertyType[value[TYPE]]
    values = value[VALUE] if isinstance(value[VALUE], list) else [value[VALUE]]
    if not values:
        _refuse(place, "an array has one value or more")
    if kind is PropertyType.DateTime:
        if not all(type(item) is int for item in values):
            _refuse(place, f"expected nanoseconds of TAI as integers, saw {_shown(values)}")
        values = [DateTime(item, DateTime.TAI) for item in values]
    elif kind in FLOATS:
        odd = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
        values = [odd.get(item, item) if isinstance(item, str) else item for item in values]
    elif kind is PropertyType.PropertySet:
        values = [_to_value(place, item) for item in values]
    return _checked(place, kind, values)


def _to_value(place: str, item: Any) -> Any:
    if isinstance(item, dict):
        return _to_set(place, item)
    if item is None or isinstance(item, list):
        _refuse(place, f"expected a boolean, number, string or object, saw {_shown(item)}")
    return item


def _checked(place: str, kind: PropertyType, values: list[Any]) -> Entry:
    from harness.properties.values import convert

    try:
        return Entry(kind, [convert(kind, place, value) for value in values])
    except pex.TypeError as error:
        raise pex.InvalidParameterError(f"cannot read a property set from JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r} stands twice in one object")
    return found


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text} is out of range")
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f'{text} is no JSON; expected {{"$type": "Double", "$value": "nan"}} or the like')


def _refuse(place: str, what: str) -> NoReturn:
    raise ValueError(f"{place}: {what}")


def _shown(value: Any) -> str:
    return repr(value)[:80]
