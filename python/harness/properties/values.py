# SPDX-License-Identifier: BSD-3-Clause
"""The value types of a property: how a Python value is classified, checked and printed."""

import enum
import numbers
import operator
import struct
from typing import Any

import harness.exceptions as pex
from harness.properties.date_time import DateTime

__all__ = ["Container", "Entry", "PropertyType", "classify", "convert", "format_value", "listed"]


class PropertyType(enum.Enum):
    """The type shared by all values of one name; members are named as in the accessors."""

    Bool = "bool"
    Short = "short"
    Int = "int"
    Long = "long"
    LongLong = "long long"
    Float = "float"
    Double = "double"
    String = "string"
    DateTime = "DateTime"
    PropertySet = "PropertySet"


INTEGER_BITS = {
    PropertyType.Short: 16,
    PropertyType.Int: 32,
    PropertyType.Long: 64,
    PropertyType.LongLong: 64,
}


class Container:
    """Base of PropertySet, so that values can be recognised without importing it here."""


class Entry:
    """All values of one name: never empty, all of the same type."""

    __slots__ = ("kind", "values")

    def __init__(self, kind: PropertyType, values: list[Any]) -> None:
        self.kind = kind
        self.values = values

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entry):
            return NotImplemented
        return self.kind is other.kind and self.values == other.values

    __hash__ = None  # type: ignore[assignment]


def listed(value: Any) -> list[Any]:
    """The values of a list, tuple or one-dimensional NumPy array; anything else is one value."""
    if isinstance(value, (list, tuple)):
        return list(value)
    if getattr(value, "ndim", None) == 1 and hasattr(value, "tolist"):
        return list(value.tolist())
    return [value]


def classify(name: str, values: list[Any]) -> PropertyType:
    """The type of new values, taken from the first one; integers widen if any of them needs it.

    Raises TypeError for a value no property can hold.
    """
    kind = _classify_one(name, values[0])
    if kind is PropertyType.Int and not all(map(_fits_int, values)):
        return PropertyType.LongLong
    return kind


def _classify_one(name: str, value: Any) -> PropertyType:
    if _is_bool(value):
        return PropertyType.Bool
    if isinstance(value, str):
        return PropertyType.String
    if isinstance(value, numbers.Integral):
        return PropertyType.Int
    if isinstance(value, numbers.Real):
        return PropertyType.Double
    if isinstance(value, DateTime):
        return PropertyType.DateTime
    if isinstance(value, Container):
        return PropertyType.PropertySet
    raise pex.TypeError(
        f"cannot store {name}: expected bool, int, float, str, DateTime, PropertySet or a list of"
        f" one of these, got {type(value).__name__} {value!r}"
    )


def _is_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return True
    # numpy.bool_ is not a number to the numbers module; asking for its kind avoids importing NumPy.
    dtype = getattr(value, "dtype", None)
    return getattr(dtype, "kind", "") == "b" and getattr(value, "ndim", None) == 0


def _fits_int(value: Any) -> bool:
    return not isinstance(value, numbers.Integral) or -(2**31) <= operator.index(value) < 2**31


def convert(kind: PropertyType, name: str, value: Any) -> Any:
    """The value as it is stored under that type: a plain Python object; floats lose what a C float
    cannot hold. Raises TypeError for a value of another type or an integer that does not fit."""
    if kind is PropertyType.String and isinstance(value, str):
        return str(value)
    if kind is PropertyType.Bool and _is_bool(value):
        return bool(value)
    if kind in INTEGER_BITS and (isinstance(value, numbers.Integral) or _is_bool(value)):
        return _integer(kind, name, int(value))
    if kind is PropertyType.Double and isinstance(value, numbers.Real):
        return _double(name, value)
    if kind is PropertyType.Float and isinstance(value, numbers.Real):
        return _single(name, _double(name, value))
    if kind is PropertyType.DateTime and isinstance(value, DateTime):
        return value
    if kind is PropertyType.PropertySet and isinstance(value, Container):
        return value
    raise pex.TypeError(f"cannot store {name} as {kind.value}: got {type(value).__name__} {value!r}")


def _integer(kind: PropertyType, name: str, value: int) -> int:
    bits = INTEGER_BITS[kind]
    if -(1 << bits - 1) <= value < 1 << bits - 1:
        return value
    raise pex.TypeError(f"cannot store {name} as {kind.value}: {value} does not fit {bits} bits with sign")


def _double(name: str, value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        raise pex.TypeError(f"cannot store {name} as double: {value} is out of range") from None


def _single(name: str, value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        raise pex.TypeError(f"cannot store {name} as float: {value} is out of range") from None


def format_value(kind: PropertyType, value: Any) -> str:
    """One plain value as toString() prints it: booleans as 1 and 0, floats with 7 and doubles with
    14 significant digits, strings in double quotes."""
    if kind is PropertyType.Float:
        return f"{value:#.7g}"
    if kind is PropertyType.Double:
        return f"{value:#.14g}"
    if kind is PropertyType.String:
        return f'"{value}"'
    if kind is PropertyType.Bool:
        return "1" if value else "0"
    return str(value)
