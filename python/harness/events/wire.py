# SPDX-License-Identifier: BSD-3-Clause
"""Property sets as JSON: what publishers write, and all that receivers accept.

A bool, an int of 32 bits, a double, a string and a set within a set are what they are in JSON; several values
are a list. Every other type is an object with one key that names it: `{"$datetime": 1234}`. Nothing that is
read can make an object of another class, and what is read is limited in size, depth and digits.
"""

from __future__ import annotations

import json
import math
from typing import Any

import harness.exceptions as pex
from harness.events.errors import EventFormatError
from harness.properties import DateTime, PropertySet
from harness.properties.values import PropertyType

__all__ = ["MAX_BYTES", "decode", "encode", "from_plain", "parse"]

MAX_BYTES = 1 << 20
"""Of one event's properties, as they are written."""
MAX_DEPTH = 32
MAX_DIGITS = 20
MAX_NAME = 1000

TAGS = {
    PropertyType.Short: "$short",
    PropertyType.Long: "$long",
    PropertyType.LongLong: "$longlong",
    PropertyType.Float: "$float",
    PropertyType.Double: "$double",
    PropertyType.DateTime: "$datetime",
    PropertyType.PropertySet: "$set",
}
KINDS = {tag: kind for kind, tag in TAGS.items()}
ODD_NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def encode(properties: PropertySet) -> bytes:
    """The properties as UTF-8 JSON. Raises `EventFormatError` when they are too many or too deep."""
    plain = _set_to_plain(properties, 1)
    try:
        data = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise EventFormatError(
            f"an event holds text that is no Unicode ({error.object[error.start : error.end]!r}), and events"
            " are written in UTF-8"
        ) from None
    if len(data) > MAX_BYTES:
        raise EventFormatError(
            f"an event of {len(data)} bytes is too large: expected at most {MAX_BYTES}; put large data into a"
            " file and its name into the event"
        )
    return data


def _set_to_plain(properties: PropertySet, depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise EventFormatError(f"an event nests property sets deeper than {MAX_DEPTH} levels")
    return {
        name: _values_to_plain(properties.typeOf(name), properties.getArray(name), depth)
        for name in properties.names()
    }


def _values_to_plain(kind: PropertyType, values: list[Any], depth: int) -> Any:
    if kind is PropertyType.PropertySet:
        sets = [_set_to_plain(value, depth + 1) for value in values]
        texts: list[Any] = [{"$set": one} if _looks_tagged(one) else one for one in sets]
        return texts[0] if len(texts) == 1 else texts
    plain = [_scalar_to_plain(kind, value) for value in values]
    written = plain[0] if len(plain) == 1 else plain
    if kind in (PropertyType.Bool, PropertyType.Int, PropertyType.String):
        return written
    if kind is PropertyType.Double and not any(isinstance(value, str) for value in plain):
        return written
    if kind is PropertyType.LongLong and not all(map(_fits_int, values)):
        return written
    return {TAGS[kind]: written}


def _scalar_to_plain(kind: PropertyType, value: Any) -> Any:
    if kind is PropertyType.DateTime:
        return value.nsecs()
    if kind in (PropertyType.Float, PropertyType.Double) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def _fits_int(value: int) -> bool:
    return -(2**31) <= value < 2**31


def _looks_tagged(plain: dict[str, Any]) -> bool:
    return len(plain) == 1 and next(iter(plain)).startswith("$")


def decode(data: bytes) -> PropertySet:
    """The properties that `encode` wrote, or that somebody wrote by hand. Raises `EventFormatError`."""
    return from_plain(parse(data))


def parse(data: bytes, most: int = MAX_BYTES) -> dict[str, Any]:
    """The JSON object in `data`, checked for size, encoding and digits. Raises `EventFormatError`."""
    if len(data) > most:
        raise EventFormatError(f"event data: expected at most {most} bytes, saw {len(data)}")
    try:
        plain = json.loads(
            data.decode("utf-8"), object_pairs_hook=_pairs, parse_int=_integer, parse_float=_number,
            parse_constant=_constant,
        )  # fmt: skip
    except UnicodeDecodeError as error:
        raise EventFormatError(f"event data: byte {error.start} is no UTF-8") from None
    except json.JSONDecodeError as error:
        raise EventFormatError(
            f"event data: line {error.lineno}, column {error.colno}: no JSON: {error.msg}"
        ) from None
    except RecursionError:
        raise EventFormatError(f"event data: nested deeper than {MAX_DEPTH} levels") from None
    if not isinstance(plain, dict):
        raise EventFormatError(f"event data: expected a JSON object, saw {_shown(plain)}")
    return plain


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise EventFormatError(f"event data: the name {_shown(twice)} occurs twice in one object")
    return plain


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise EventFormatError(f"event data: {digits[:MAX_DIGITS]}... does not fit 64 bits with sign")
    return int(digits)


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise EventFormatError(f"event data: {text[:40]} is out of the range of a double")
    return value


def _constant(text: str) -> Any:
    raise EventFormatError(
        f'event data: {text} is no JSON; write {{"$double": "{text.lower().replace("infinity", "inf")}"}}'
    )


def from_plain(plain: dict[str, Any], where: str = "event data") -> PropertySet:
    """A property set from a parsed JSON object. Raises `EventFormatError` naming the property."""
    return _fill(plain, where, 1)


def _fill(plain: dict[str, Any], where: str, depth: int) -> PropertySet:
    if depth > MAX_DEPTH:
        raise EventFormatError(f"{where}: nested deeper than {MAX_DEPTH} levels")
    properties = PropertySet()
    for name, value in plain.items():
        place = f"{where}: {_shown(name)}"
        if not name or len(name) > MAX_NAME or not _is_text(name) or not all(name.split(".")):
            raise EventFormatError(f"{place}: expected a name of 1 to {MAX_NAME} characters, or dotted names")
        try:
            _store(properties, name, value, place, depth)
        except (pex.TypeError, pex.DomainError, pex.InvalidParameterError) as error:
            raise EventFormatError(f"{place}: {error}") from None
    return properties


def _store(properties: PropertySet, name: str, value: Any, where: str, depth: int) -> None:
    if isinstance(value, dict) and _looks_tagged(value):
        _store_tagged(properties, name, value, where, depth)
        return
    values = value if isinstance(value, list) else [value]
    if not values:
        raise EventFormatError(f"{where}: an array needs at least one value")
    if any(isinstance(item, dict) for item in values):
        properties.set(name, [_subset(item, where, depth) for item in values])
        return
    for item in values:
        if item is None or isinstance(item, list):
            raise EventFormatError(
                f"{where}: expected true, false, a number, a string, an object or a list of one of these,"
                f" saw {_shown(item)}"
            )
        if isinstance(item, str) and not _is_text(item):
            raise EventFormatError(f"{where}: {_shown(item)} is no Unicode text")
    if {type(item) for item in values} == {int, float}:
        values = [float(item) for item in values]
    properties.set(name, values)


def _subset(item: Any, where: str, depth: int) -> PropertySet:
    if not isinstance(item, dict):
        raise EventFormatError(f"{where}: expected objects only, as the list holds one, saw {_shown(item)}")
    if _looks_tagged(item):
        item = item.get("$set")
        if not isinstance(item, dict):
            raise EventFormatError(f'{where}: expected {{"$set": ...}} with an object in it')
    return _fill(item, where, depth + 1)


def _store_tagged(
    properties: PropertySet, name: str, value: dict[str, Any], where: str, depth: int
) -> None:
    tag, content = next(iter(value.items()))
    kind = KINDS.get(tag)
    if kind is None:
        raise EventFormatError(f"{where}: expected one of {', '.join(sorted(KINDS))}, saw {_shown(tag)}")
    if kind is PropertyType.PropertySet:
        properties.set(name, _subset(value, where, depth))
        return
    values = content if isinstance(content, list) else [content]
    if not values:
        raise EventFormatError(f"{where}: an array needs at least one value")
    properties._set_as(kind, name, [_tagged_scalar(kind, item, where) for item in values])


def _tagged_scalar(kind: PropertyType, value: Any, where: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise EventFormatError(f"{where}: expected a {kind.value}, saw {_shown(value)}")
    if kind is PropertyType.DateTime:
        return DateTime(value)
    if isinstance(value, str):
        if kind not in (PropertyType.Float, PropertyType.Double) or value not in ODD_NUMBERS:
            raise EventFormatError(f"{where}: expected a {kind.value}, saw {_shown(value)}")
        return ODD_NUMBERS[value]
    return value


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
