# SPDX-License-Identifier: BSD-3-Clause
"""PropertySet: names with one or more values of one type, in a hierarchy of dotted names."""

from __future__ import annotations

import copy
from collections.abc import Iterator, MutableMapping
from typing import Any, ClassVar

import harness.exceptions as pex
from harness.properties.mapping import MappingAccess
from harness.properties.typed_access import TypedAccess
from harness.properties.values import (
    INTEGER_BITS,
    Entry,
    PropertyType,
    classify,
    convert,
    format_value,
    listed,
)

__all__ = ["PropertySet"]

SUBSET = PropertyType.PropertySet


class PropertySet(TypedAccess, MappingAccess):
    """Names mapped to non-empty arrays of one type each, in the order of insertion.

    A dotted name ``a.b`` is the name ``b`` in the last set stored as ``a``; ``set`` and ``add``
    create the sets on the way. Errors (of lsst.pex.exceptions): NotFoundError for an absent name,
    TypeError for a wrong type, InvalidParameterError for a name below a plain value and for a set
    that would contain itself.
    """

    # A flat set takes dots as part of the name and has no sub-sets.
    _flat: ClassVar[bool] = False

    def __init__(self) -> None:
        # A subclass may keep its entries elsewhere and make them when they are asked for.
        self._entries: MutableMapping[str, Entry] = {}

    # Looking up.

    def _find(self, name: str) -> Entry | None:
        holder, rest = self, name
        while True:
            head, dot, tail = (rest, "", "") if holder._flat else rest.partition(".")
            entry = holder._entries.get(head)
            if not dot or entry is None:
                return entry
            if entry.kind is not SUBSET:
                return None
            holder, rest = entry.values[-1], tail

    def _entry(self, name: str) -> Entry:
        entry = self._find(name)
        if entry is None:
            raise pex.NotFoundError(
                f"no property {name}; the top-level names are {', '.join(self._entries) or 'none'}"
            )
        return entry

    def exists(self, name: str) -> bool:
        """Whether the name has values."""
        return self._find(name) is not None

    def valueCount(self, name: str) -> int:
        """The number of values; 0 for an absent name."""
        entry = self._find(name)
        return len(entry.values) if entry else 0

    def isArray(self, name: str) -> bool:
        """Whether the name has more than one value."""
        return self.valueCount(name) > 1

    def isPropertySetPtr(self, name: str) -> bool:
        """Whether the name holds sub-sets."""
        entry = self._find(name)
        return entry is not None and entry.kind is SUBSET

    def typeOf(self, name: str) -> PropertyType:
        """The type of the values, one of the TYPE_... constants; NotFoundError if absent."""
        return self._entry(name).kind

    def get(self, name: str, asArray: bool = False) -> Any:
        """The value if there is one, a list of all if there are several or asArray is true."""
        values = self._entry(name).values
        return list(values) if asArray or len(values) > 1 else values[0]

    def getArray(self, name: str) -> list[Any]:
        """All values."""
        return list(self._entry(name).values)

    def getScalar(self, name: str) -> Any:
        """The last value."""
        return self._entry(name).values[-1]

    # Names.

    def _walk(self) -> Iterator[tuple[str, Entry]]:
        """Every entry with its dotted name, a set before its contents; arrays of sets by their last."""
        stack = [("", iter(self._entries.items()))]
        while stack:
            prefix, items = stack[-1]
            for name, entry in items:
                yield prefix + name, entry
                if entry.kind is SUBSET:
                    stack.append((f"{prefix}{name}.", iter(entry.values[-1]._entries.items())))
                    break
            else:
                stack.pop()

    def _leaves(self) -> list[tuple[str, Entry]]:
        return [(name, entry) for name, entry in self._walk() if entry.kind is not SUBSET]

    def _listed(self, topLevelOnly: bool) -> Iterator[tuple[str, Entry]]:
        return iter(self._entries.items()) if topLevelOnly else self._walk()

    def names(self, topLevelOnly: bool = True) -> list[str]:
        """All names; with topLevelOnly false also the dotted names in sub-sets."""
        return list(self._entries) if topLevelOnly else [name for name, _ in self._walk()]

    def paramNames(self, topLevelOnly: bool = True) -> list[str]:
        """The names that hold plain values."""
        return [name for name, entry in self._listed(topLevelOnly) if entry.kind is not SUBSET]

    def propertySetNames(self, topLevelOnly: bool = True) -> list[str]:
        """The names that hold sub-sets."""
        return [name for name, entry in self._listed(topLevelOnly) if entry.kind is SUBSET]

    def nameCount(self, topLevelOnly: bool = True) -> int:
        """How many names names() lists."""
        return len(self.names(topLevelOnly))

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    # Changing.

    def set(self, name: str, value: Any) -> None:
        """Replace all values by a value or a list; an empty list changes nothing.

        The type follows from the value: bool, str, DateTime, PropertySet; int is Int within 32 bits,
        else LongLong; float is Double. TypeError for anything else.
        """
        values = listed(value)
        if values:
            self._set_as(classify(name, values), name, values)

    def add(self, name: str, value: Any) -> None:
        """Append a value or a list; TypeError unless the type is that of the values already there.

        Integers take the type of an existing integer property that can hold them.
        """
        values = listed(value)
        if not values:
            return
        kind = classify(name, values)
        entry = self._find(name)
        if entry is not None and kind in INTEGER_BITS and entry.kind in INTEGER_BITS:
            kind = entry.kind
        self._add_as(kind, name, values)

    def _set_as(self, kind: PropertyType, name: str, value: Any, *comment: str) -> None:
        values = [convert(kind, name, item) for item in listed(value)]
        if values:
            self._replace(name, Entry(kind, values))

    def _add_as(self, kind: PropertyType, name: str, value: Any, *comment: str) -> None:
        values = [convert(kind, name, item) for item in listed(value)]
        if values:
            self._append(name, Entry(kind, values))

    def _replace(self, name: str, entry: Entry) -> None:
        """Store an entry that the caller gives away."""
        holder, leaf = self._holder_for(name, entry)
        if holder is self:
            self._entries[leaf] = entry
        else:
            holder._replace(leaf, entry)

    def _append(self, name: str, entry: Entry) -> None:
        """Append the values of an entry, creating the name if it is absent."""
        holder, leaf = self._holder_for(name, entry)
        if holder is not self:
            holder._append(leaf, entry)
            return
        existing = self._entries.get(leaf)
        if existing is None:
            self._entries[leaf] = entry
        else:
            self._require_kind(name, existing, entry)
            existing.values.extend(entry.values)

    @staticmethod
    def _require_kind(name: str, existing: Entry, entry: Entry) -> None:
        if existing.kind is not entry.kind:
            raise pex.TypeError(f"cannot add {entry.kind.value} to {name}: it holds {existing.kind.value}")

    def _holder_for(self, name: str, entry: Entry) -> tuple[PropertySet, str]:
        """The set that holds the last part of a name, and that part; creates sets on the way.

        Raises InvalidParameterError below a plain value and for a cycle, before any change.
        """
        holder, rest = self, name
        while not holder._flat and "." in rest:
            head, _, tail = rest.partition(".")
            step = holder._entries.get(head)
            if step is None:
                break
            if step.kind is not SUBSET:
                raise pex.InvalidParameterError(
                    f"cannot store {name}: {head} holds {step.kind.value}, not a PropertySet"
                )
            holder, rest = step.values[-1], tail
        if entry.kind is SUBSET:
            for value in entry.values:
                _refuse_cycle(name, value, holder)
        while not holder._flat and "." in rest:
            head, _, rest = rest.partition(".")
            holder._entries[head] = Entry(SUBSET, [PropertySet()])
            # What was stored may be a copy.
            holder = holder._entries[head].values[-1]
        return holder, rest

    def remove(self, name: str) -> None:
        """Forget a name and its values; nothing happens if it is absent."""
        head, dot, tail = (name, "", "") if self._flat else name.partition(".")
        if not dot:
            self._entries.pop(head, None)
            return
        entry = self._entries.get(head)
        if entry is not None and entry.kind is SUBSET:
            entry.values[-1].remove(tail)

    def copy(self, dest: str, source: PropertySet, name: str) -> None:
        """Replace dest by all values of a name in another set, keeping their type.

        Sub-sets are shared, not copied. InvalidParameterError if the name is absent there.
        """
        entry = source._find(name)
        if entry is None:
            raise pex.InvalidParameterError(f"cannot copy {name} to {dest}: the source has no such name")
        self._replace(dest, Entry(entry.kind, list(entry.values)))

    def combine(self, source: PropertySet) -> None:
        """Append every plain value of another set to the same dotted name here.

        TypeError if a name has another type here, found before anything is changed.
        """
        leaves = source._leaves()
        for name, entry in leaves:
            existing = self._find(name)
            if existing is not None:
                self._require_kind(name, existing, entry)
        for name, entry in leaves:
            self._append(name, Entry(entry.kind, list(entry.values)))

    # Copying, comparing, printing.

    def deepCopy(self) -> PropertySet:
        """An independent copy, sub-sets included."""
        twin = copy.copy(self)
        for entry in twin._entries.values():
            if entry.kind is SUBSET:
                entry.values = [value.deepCopy() for value in entry.values]
        return twin

    def __copy__(self) -> PropertySet:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._entries = {n: Entry(e.kind, e.values.copy()) for n, e in self._entries.items()}
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> PropertySet:
        return self.deepCopy()

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def to_json(self, indent: int | None = None) -> str:
        """The set as JSON, from which `from_json` makes an equal one: types and order are kept.

        Args:
            indent: blanks per level; None writes one line.

        Raises:
            InvalidParameterError: sets are nested too deeply to be written.
        """
        from harness.properties.json_form import dump_properties

        return dump_properties(self, indent)

    @staticmethod
    def from_json(text: str | bytes) -> PropertySet:
        """The PropertySet or PropertyList that `to_json` wrote, or that another program did.

        Raises:
            InvalidParameterError: the text is no JSON, or JSON that is no property set.
        """
        from harness.properties.json_form import load_properties

        return load_properties(text)

    def toString(self, topLevelOnly: bool = False, indent: str = "") -> str:
        """One line ``name = value`` per name, names sorted; sub-sets in braces, their lines
        prefixed by ``..`` per level, or ``{ ... }`` with topLevelOnly."""
        lines = (indent + self._format(name, topLevelOnly, indent) for name in sorted(self._entries))
        return "".join(lines)

    def _format(self, name: str, topLevelOnly: bool, indent: str) -> str:
        entry = self._entries[name]
        if entry.kind is not SUBSET:
            texts = [format_value(entry.kind, value) for value in entry.values]
        elif topLevelOnly:
            texts = ["{ ... }"] * len(entry.values)
        else:
            texts = [f"{{\n{value.toString(False, indent + '..')}{indent}}}" for value in entry.values]
        text = ", ".join(texts)
        return f"{name} = {text if len(texts) == 1 else f'[ {text} ]'}\n"

    def __str__(self) -> str:
        return self.toString()


def _refuse_cycle(name: str, value: PropertySet, holder: PropertySet) -> None:
    """Raise InvalidParameterError if the holder is the value or lies anywhere inside it."""
    pending, seen = [value], set()
    while pending:
        current = pending.pop()
        if current is holder:
            raise pex.InvalidParameterError(f"cannot store {name}: the set would contain itself")
        if id(current) in seen:
            continue
        seen.add(id(current))
        for entry in current._entries.values():
            if entry.kind is SUBSET:
                pending.extend(entry.values)
