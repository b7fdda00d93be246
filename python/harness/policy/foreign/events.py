# SPDX-License-Identifier: BSD-3-Clause
"""What a JSON object or a TOML document means as a policy: a flat list of events, each with its places.

Three kinds of events: ``(name, name_offset, value_offset)`` opens a sub-policy and `None` closes it;
``(name, name_offset, values, offsets, are_includes)`` gives one or more values of one type. Offsets count
bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from harness.policy.foreign.names import TableNames
from harness.policy.foreign.places import (
    MAX_NESTING,
    PlacesDisagree,
    Refusal,
    Spot,
    deeper,
    offset_of,
    quoted,
    seen_at,
)

__all__ = ["Event", "Unfit", "events_of"]

Event = tuple[Any, ...] | None

NAME = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")
_INFINITY = re.compile(rb"[+-]?inf")
_PLAIN = {bool: "a boolean", int: "an integer", float: "a double", str: "a string"}
_INCLUDE = "an include"
_TABLE = "a table"
_ALIKE = "as the elements before it"
_NUMBERS = {"an integer", "a double"}
_HOLDS = "booleans, integers, doubles, strings or includes, all of one kind, or sub-policies"


class Unfit(NamedTuple):
    """A value that the library would have made of the text, but that no policy can hold."""

    problem: str
    expected: str
    seen: str
    kind: str

    @classmethod
    def integer(cls, digits: str) -> Unfit:
        """An integer outside 32 bits."""
        shown = digits if len(digits) <= 40 else f"{digits[:20]} ... {digits[-10:]}"
        return cls("this number is out of range", "an integer of 32 bits", f'"{shown}"', "UnsupportedSyntax")


def events_of(data: dict[str, Any], root: Spot, text: bytes) -> list[Event]:
    """The events of a table; ``root`` holds the spots of the same table in the text.

    Raises
    ------
    Refusal
        A name is illegal, or a value is none that a policy can hold.
    PlacesDisagree
        Table and spots have different keys or kinds of values.
    """
    return _Walk(text).run(data, root)


class _Member(NamedTuple):
    name: str
    value: Any
    spot: Spot
    name_offset: int
    subscript: str  # "[2]" for an element of an array of tables


class _Walk:
    def __init__(self, text: bytes) -> None:
        self._text = text
        self._events: list[Event] = []
        self._crumbs: list[str] = []

    def run(self, data: dict[str, Any], root: Spot) -> list[Event]:
        levels = [self._members(data, root)]
        while levels:
            member = next(levels[-1], None)
            if member is None:
                levels.pop()
                if levels:
                    self._events.append(None)
                    self._crumbs.pop()
            elif type(member.value) is dict:
                if len(levels) >= MAX_NESTING:
                    raise deeper(member.spot.value)
                self._events.append((member.name, member.name_offset, member.spot.value))
                self._crumbs.append(member.name + member.subscript)
                levels.append(self._members(member.value, member.spot))
            else:
                self._add_values(member)
        return self._events

    def _members(self, data: dict[str, Any], spot: Spot) -> Iterator[_Member]:
        """The members of a table, each element of an array of tables by itself."""
        spots = spot.below
        if not isinstance(spots, dict) or spots.keys() != data.keys():
            raise PlacesDisagree
        names = TableNames(self._text)
        for name, value in data.items():
            own = spots[name]
            try:
                names.take(name, own.name)
            except Refusal as refusal:
                refusal.breadcrumb = ".".join([*self._crumbs, quoted(name)[1:-1]])
                raise
            if type(value) is list and value and type(value[0]) is dict:
                yield from self._blocks(name, value, own)
            else:
                yield _Member(name, value, own, own.name, "")

    def _blocks(self, name: str, elements: list[Any], spot: Spot) -> Iterator[_Member]:
        spots = self._spots_of(elements, spot)
        for i, (element, own) in enumerate(zip(elements, spots, strict=True)):
            index = f"[{i}]" if len(elements) > 1 else ""
            if type(element) is not dict:
                raise self._mixed(name + index, own, _TABLE, self._kind(name + index, element, own))
            if isinstance(own, int):
                raise PlacesDisagree
            yield _Member(name, element, own, spot.name, index)

    @staticmethod
    def _spots_of(elements: list[Any], spot: Spot) -> Sequence[Spot | int]:
        if not isinstance(spot.below, list) or len(spot.below) != len(elements):
            raise PlacesDisagree
        return spot.below

    def _add_values(self, member: _Member) -> None:
        name, value, spot, name_offset, _ = member
        if spot.below is None and _is_plain(value):
            self._events.append((name, name_offset, [value], [spot.value], False))
            return
        is_list = type(member.value) is list
        values = member.value if is_list else [member.value]
        spots = self._spots_of(values, member.spot) if is_list else [member.spot]
        if not values:
            return
        includes = False
        if not _plainly_alike(values) or set(map(type, spots)) - {int}:
            includes = self._require_one_kind(member.name, values, spots) == _INCLUDE
        if includes:
            values = [value[1:].strip(" \t") for value in values]
        offsets = list(map(offset_of, spots))
        self._events.append((member.name, member.name_offset, values, offsets, includes))

    def _require_one_kind(self, name: str, values: list[Any], spots: Sequence[Spot | int]) -> str:
        first = ""
        for i, (value, spot) in enumerate(zip(values, spots, strict=True)):
            crumb = f"{name}[{i}]" if len(values) > 1 else name
            kind = self._kind(crumb, value, spot)
            first = first or kind
            if kind != first:
                raise self._mixed(crumb, spot, first, kind)
        return first

    def _kind(self, crumb: str, value: Any, spot: Spot | int) -> str:
        if type(value) is dict:
            return _TABLE
        kind = _PLAIN.get(type(value))
        if kind is None:
            raise self._unfit(crumb, value, spot)
        if isinstance(spot, Spot) and spot.below is not None:
            raise PlacesDisagree
        at = offset_of(spot)
        if type(value) is int and not -(2**31) <= value < 2**31:
            raise self._refusal(crumb, at, Unfit.integer(str(value)))
        if type(value) is float and math.isinf(value) and not _INFINITY.match(self._text, at):
            seen = seen_at(self._text, at)
            unfit = Unfit("this number is out of range", "a double of 64 bits", seen, "UnsupportedSyntax")
            raise self._refusal(crumb, at, unfit)
        if type(value) is str:
            return self._kind_of_string(crumb, value, at)
        return kind

    def _kind_of_string(self, crumb: str, value: str, at: int) -> str:
        if not _is_unicode(value):
            fault = "a string holds half of a surrogate pair"
            unfit = Unfit(fault, "\\u escapes of whole characters", "a lone surrogate", "FormatSyntaxError")
            raise self._refusal(crumb, at, unfit)
        if not value.startswith("@"):
            return "a string"
        if not value[1:].strip(" \t"):
            unfit = Unfit("this include names no file", "a path behind the '@'", '"@"', "FormatSyntaxError")
            raise self._refusal(crumb, at, unfit)
        return _INCLUDE

    def _unfit(self, crumb: str, value: Any, spot: Spot | int) -> Refusal:
        if isinstance(value, Unfit):
            return self._refusal(crumb, offset_of(spot), value)
        if value is None:
            problem, seen = "null is no value of a policy", "null"
            expected = "a value; leave the name out where there is none"
        elif isinstance(value, list):
            problem, seen = "an array cannot hold arrays", "an array"
            expected = f"{_HOLDS}; give the inner arrays names of their own"
        else:
            problem, seen = "a policy holds no dates and times", f'"{value}"'
            expected = "a string: put the value in quotes"
        return self._refusal(crumb, offset_of(spot), Unfit(problem, expected, seen, "FormatSyntaxError"))

    def _mixed(self, crumb: str, spot: Spot | int, expected: str, seen: str) -> Refusal:
        hint = "; nothing is converted: write 1.0 for a double" if {expected, seen} == _NUMBERS else ""
        problem = "the elements of an array differ in kind"
        unfit = Unfit(problem, f"{expected}, {_ALIKE}{hint}", seen, "FormatSyntaxError")
        return self._refusal(crumb, offset_of(spot), unfit)

    def _refusal(self, crumb: str, at: int, unfit: Unfit) -> Refusal:
        breadcrumb = ".".join([*self._crumbs, crumb])
        return Refusal(unfit.problem, at, unfit.expected, unfit.seen, unfit.kind, breadcrumb)


def _is_plain(value: Any) -> bool:
    """Whether a value is one that needs no second look: the check of most."""
    kind = type(value)
    if kind is str:
        return value.isascii() and not value.startswith("@")
    if kind is int:
        return -(2**31) <= value < 2**31
    return kind is bool or (kind is float and not math.isinf(value))


def _plainly_alike(values: list[Any]) -> bool:
    """Whether values are of one kind that needs no second look: the check of long arrays."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return -(2**31) <= min(values) and max(values) < 2**31
    if kinds == {float}:
        return not any(map(math.isinf, values))
    return kinds == {bool}


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
