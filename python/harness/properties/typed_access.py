# SPDX-License-Identifier: BSD-3-Clause
"""The accessors of PropertySet that name a type: setInt, addInt, getInt, getArrayInt and so on."""

from functools import partialmethod
from typing import Any

import harness.exceptions as pex
from harness.properties.values import INTEGER_BITS, Entry, PropertyType

__all__ = ["TypedAccess"]

NO_DEFAULT: Any = object()
NARROW = (PropertyType.Bool, PropertyType.Short, PropertyType.Int)
INTEGERS = (PropertyType.Bool, *INTEGER_BITS)
NUMBERS = (*INTEGERS, PropertyType.Float, PropertyType.Double)


class TypedAccess:
    """Mix-in over _entry(), _set_as() and _add_as().

    ``setT(name, value)`` and ``addT(name, value)`` store one value or a list of them as T and raise
    TypeError if that loses something. ``getT(name[, default])`` returns the last value,
    ``getArrayT(name)`` all; both raise TypeError unless the stored type is exactly T, and
    NotFoundError for an absent name (without a default).
    """

    def _entry(self, name: str) -> Entry:
        """The entry of a name; raises NotFoundError."""
        raise NotImplementedError

    def _set_as(self, kind: PropertyType, name: str, value: Any, *comment: str) -> None:
        """Replace the values of a name."""
        raise NotImplementedError

    def _add_as(self, kind: PropertyType, name: str, value: Any, *comment: str) -> None:
        """Append to the values of a name."""
        raise NotImplementedError

    # partialmethod keeps the function it is given; these two find the subclass's override.
    def _set_typed(self, kind: PropertyType, name: str, value: Any, *comment: str) -> None:
        self._set_as(kind, name, value, *comment)

    def _add_typed(self, kind: PropertyType, name: str, value: Any, *comment: str) -> None:
        self._add_as(kind, name, value, *comment)

    def exists(self, name: str) -> bool:
        """Whether the name has values."""
        raise NotImplementedError

    def _values_of_kind(self, kinds: tuple[PropertyType, ...], name: str) -> list[Any]:
        entry = self._entry(name)
        if entry.kind not in kinds:
            wanted = " or ".join(kind.value for kind in kinds)
            raise pex.TypeError(
                f"cannot get {name} as {kinds[-1].value}: it holds {entry.kind.value}, expected {wanted}"
            )
        return entry.values

    def _get_as(self, kind: PropertyType, name: str, default: Any = NO_DEFAULT) -> Any:
        if default is not NO_DEFAULT and not self.exists(name):
            return default
        return self._values_of_kind((kind,), name)[-1]

    def _get_array_as(self, kind: PropertyType, name: str) -> list[Any]:
        return list(self._values_of_kind((kind,), name))

    def getAsBool(self, name: str) -> bool:
        """The last value; it must be a bool."""
        return self._values_of_kind((PropertyType.Bool,), name)[-1]

    def getAsString(self, name: str) -> str:
        """The last value; it must be a string."""
        return self._values_of_kind((PropertyType.String,), name)[-1]

    def getAsInt(self, name: str) -> int:
        """The last value of a bool, short or int property."""
        return int(self._values_of_kind(NARROW, name)[-1])

    def getAsInt64(self, name: str) -> int:
        """The last value of a bool or integer property."""
        return int(self._values_of_kind(INTEGERS, name)[-1])

    def getAsDouble(self, name: str) -> float:
        """The last value of a bool, integer or floating-point property."""
        return float(self._values_of_kind(NUMBERS, name)[-1])

    def getAsPropertySetPtr(self, name: str) -> Any:
        """The last sub-set itself, not a copy."""
        return self._values_of_kind((PropertyType.PropertySet,), name)[-1]

    TYPE_Bool = PropertyType.Bool
    TYPE_Short = PropertyType.Short
    TYPE_Int = PropertyType.Int
    TYPE_Long = PropertyType.Long
    TYPE_LongLong = PropertyType.LongLong
    TYPE_Float = PropertyType.Float
    TYPE_Double = PropertyType.Double
    TYPE_String = PropertyType.String
    TYPE_DateTime = PropertyType.DateTime
    TYPE_PropertySet = PropertyType.PropertySet

    setBool = partialmethod(_set_typed, PropertyType.Bool)
    setShort = partialmethod(_set_typed, PropertyType.Short)
    setInt = partialmethod(_set_typed, PropertyType.Int)
    setLong = partialmethod(_set_typed, PropertyType.Long)
    setLongLong = partialmethod(_set_typed, PropertyType.LongLong)
    setFloat = partialmethod(_set_typed, PropertyType.Float)
    setDouble = partialmethod(_set_typed, PropertyType.Double)
    setString = partialmethod(_set_typed, PropertyType.String)
    setDateTime = partialmethod(_set_typed, PropertyType.DateTime)
    setPropertySet = partialmethod(_set_typed, PropertyType.PropertySet)

    addBool = partialmethod(_add_typed, PropertyType.Bool)
    addShort = partialmethod(_add_typed, PropertyType.Short)
    addInt = partialmethod(_add_typed, PropertyType.Int)
    addLong = partialmethod(_add_typed, PropertyType.Long)
    addLongLong = partialmethod(_add_typed, PropertyType.LongLong)
    addFloat = partialmethod(_add_typed, PropertyType.Float)
    addDouble = partialmethod(_add_typed, PropertyType.Double)
    addString = partialmethod(_add_typed, PropertyType.String)
    addDateTime = partialmethod(_add_typed, PropertyType.DateTime)
    addPropertySet = partialmethod(_add_typed, PropertyType.PropertySet)

    getBool = partialmethod(_get_as, PropertyType.Bool)
    getShort = partialmethod(_get_as, PropertyType.Short)
    getInt = partialmethod(_get_as, PropertyType.Int)
    getLong = partialmethod(_get_as, PropertyType.Long)
    getLongLong = partialmethod(_get_as, PropertyType.LongLong)
    getFloat = partialmethod(_get_as, PropertyType.Float)
    getDouble = partialmethod(_get_as, PropertyType.Double)
    getString = partialmethod(_get_as, PropertyType.String)
    getDateTime = partialmethod(_get_as, PropertyType.DateTime)
    getPropertySet = partialmethod(_get_as, PropertyType.PropertySet)

    getArrayBool = partialmethod(_get_array_as, PropertyType.Bool)
    getArrayShort = partialmethod(_get_array_as, PropertyType.Short)
    getArrayInt = partialmethod(_get_array_as, PropertyType.Int)
    getArrayLong = partialmethod(_get_array_as, PropertyType.Long)
    getArrayLongLong = partialmethod(_get_array_as, PropertyType.LongLong)
    getArrayFloat = partialmethod(_get_array_as, PropertyType.Float)
    getArrayDouble = partialmethod(_get_array_as, PropertyType.Double)
    getArrayString = partialmethod(_get_array_as, PropertyType.String)
    getArrayDateTime = partialmethod(_get_array_as, PropertyType.DateTime)
    getArrayPropertySet = partialmethod(_get_array_as, PropertyType.PropertySet)
