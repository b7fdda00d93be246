# SPDX-License-Identifier: BSD-3-Clause
"""PropertyList: a flat, ordered property set with a comment per name, as in image headers."""

from __future__ import annotations

from typing import Any, ClassVar

import harness.exceptions as pex
from harness.properties.property_set import SUBSET, PropertySet
from harness.properties.values import Entry, PropertyType

__all__ = ["PropertyList"]


class PropertyList(PropertySet):
    """A PropertySet in which dots are part of the name.

    Storing a set stores its plain values under dotted names. A name keeps its place when its value
    is replaced, and its comment unless a new one is given.
    """

    _flat: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._comments: dict[str, str] = {}

    def set(self, name: str, value: Any, comment: str | None = None) -> None:
        """Replace all values, and the comment if one is given; types as in PropertySet.set()."""
        super().set(name, value)
        self._comment(name, comment)

    def add(self, name: str, value: Any, comment: str | None = None) -> None:
        """Append values, and replace the comment if one is given; types as in PropertySet.add()."""
        super().add(name, value)
        self._comment(name, comment)

    def _set_as(self, kind: PropertyType, name: str, value: Any, *comment: str) -> None:
        super()._set_as(kind, name, value)
        self._comment(name, *comment)

    def _add_as(self, kind: PropertyType, name: str, value: Any, *comment: str) -> None:
        super()._add_as(kind, name, value)
        self._comment(name, *comment)

    def _comment(self, name: str, comment: str | None = None) -> None:
        if comment is None or name not in self._entries:
            return
        if not isinstance(comment, str):
            raise pex.TypeError(
                f"cannot comment {name}: expected text, got {type(comment).__name__} {comment!r}"
            )
        self._comments[name] = comment

    def _replace(self, name: str, entry: Entry) -> None:
        if entry.kind is not SUBSET:
            super()._replace(name, entry)
            return
        source = entry.values[-1]
        for leaf, values in source._leaves():
            self._entries[f"{name}.{leaf}"] = Entry(values.kind, list(values.values))
            self._take_comment(f"{name}.{leaf}", source, leaf)

    def _append(self, name: str, entry: Entry) -> None:
        if entry.kind is not SUBSET:
            super()._append(name, entry)
            return
        for source in entry.values:
            for leaf, values in source._leaves():
                super()._append(f"{name}.{leaf}", Entry(values.kind, list(values.values)))
                self._take_comment(f"{name}.{leaf}", source, leaf)

    def _take_comment(self, name: str, source: PropertySet, leaf: str) -> None:
        if isinstance(source, PropertyList) and leaf in source._comments:
            self._comments[name] = source._comments[leaf]

    def remove(self, name: str) -> None:
        """Forget a name, its values and its comment; nothing happens if it is absent."""
        super().remove(name)
        self._comments.pop(name, None)

    def copy(self, dest: str, source: PropertySet, name: str) -> None:
        """Replace dest by all values of a name in another set; a PropertyList's comment comes along."""
        super().copy(dest, source, name)
        self._take_comment(dest, source, name)

    def combine(self, source: PropertySet) -> None:
        """Append every plain value of another set; comments of a PropertyList come along."""
        super().combine(source)
        if isinstance(source, PropertyList):
            self._comments.update(source._comments)

    def __copy__(self) -> PropertyList:
        twin = super().__copy__()
        assert isinstance(twin, PropertyList)
        twin._comments = dict(self._comments)
        return twin

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PropertyList):
            return NotImplemented
        return self.toList() == other.toList() and self._entries == other._entries

    __hash__ = None  # type: ignore[assignment]

    def getComment(self, name: str) -> str:
        """The comment, empty if none was given; NotFoundError for an absent name."""
        self._entry(name)
        return self._comments.get(name, "")

    def getOrderedNames(self) -> list[str]:
        """The names in their order."""
        return list(self._entries)

    def toList(self) -> list[tuple[str, Any, str]]:
        """Tuples (name, value, comment) in order, one per value."""
        return [
            (name, value, self._comments.get(name, ""))
            for name, entry in self._entries.items()
            for value in entry.values
        ]

    def toString(self, topLevelOnly: bool = False, indent: str = "") -> str:
        """One line ``name = value`` per name in order, followed by ``// comment`` if there is one."""
        parts = []
        for name in self._entries:
            parts.append(indent + self._format(name, topLevelOnly, indent))
            if self._comments.get(name):
                parts.append(f"{indent}// {self._comments[name]}\n")
        return "".join(parts)
