# SPDX-License-Identifier: BSD-3-Clause
"""Where the keys and values of TOML text stand; the text is known to be TOML."""

from __future__ import annotations

import re

from harness.policy.foreign.places import BYTE_ORDER_MARK, MAX_NESTING, PlacesDisagree, Spot, deeper
from harness.policy.foreign.toml_library import tomllib

__all__ = ["toml_places"]

_BETWEEN = re.compile(rb"(?:[ \t\r\n]+|#[^\n]*)*")
_BETWEEN_ELEMENTS = re.compile(rb"(?:[ \t\r\n,]+|#[^\n]*)*")
_BLANKS = re.compile(rb"[ \t]*")
_KEY = re.compile(rb"""[A-Za-z0-9_-]+|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\n]*'""")
_SCALAR = re.compile(
    rb'"""[^"\\]*(?:(?:\\.|"{1,2}(?!"))[^"\\]*)*"{3,5}'
    rb"|'''[^']*(?:'{1,2}(?!')[^']*)*'{3,5}"
    rb'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    rb"|'[^'\n]*'"
    rb"""|[^\s,\[\]{}#"'][^,\[\]{}#\r\n]*""",
    re.DOTALL,
)


def toml_places(data: bytes) -> Spot:
    """The spots of a document, as one table.

    Raises
    ------
    Refusal
        Arrays and inline tables nest deeper than MAX_NESTING.
    """
    return _TomlPlaces(data).found()


class _TomlPlaces:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0

    def found(self) -> Spot:
        root = table = Spot(0, 0, {})
        while True:
            self._skip(_BETWEEN)
            if self._at == len(self._data):
                return root
            if self._peek() == b"[":
                table = self._header(root)
            else:
                self._value(self._key_value(table))

    # --- pieces of text

    def _peek(self) -> bytes:
        return self._data[self._at : self._at + 1]

    def _skip(self, pattern: re.Pattern[bytes]) -> None:
        match = pattern.match(self._data, self._at)
        if match is not None:
            self._at = match.end()

    def _take(self, pattern: re.Pattern[bytes]) -> bytes:
        match = pattern.match(self._data, self._at)
        if match is None:
            raise PlacesDisagree
        self._at = match.end()
        return match.group()

    def _expect(self, token: bytes) -> None:
        self._skip(_BLANKS)
        if not self._data.startswith(token, self._at):
            raise PlacesDisagree
        self._at += len(token)

    def _key(self) -> list[tuple[str, int]]:
        """The parts of a dotted key, each with its offset."""
        parts = []
        while True:
            self._skip(_BLANKS)
            at = self._at
            parts.append((_plain_key(self._take(_KEY)), at))
            self._skip(_BLANKS)
            if self._peek() != b".":
                return parts
            self._at += 1

    # --- tables

    def _header(self, root: Spot) -> Spot:
        at = self._at
        is_array = self._data.startswith(b"[[", at)
        self._at += 2 if is_array else 1
        *outer, (name, offset) = self._key()
        self._expect(b"]]" if is_array else b"]")
        members = _members(_table_below(root, outer))
        if not is_array:
            table = members.setdefault(name, Spot(offset, at, {}))
            # Tables below it may have come first; here is where it says that it opens.
            table.name, table.value = offset, at
            return table
        array = members.setdefault(name, Spot(offset, at, []))
        if not isinstance(array.below, list):
            raise PlacesDisagree
        table = Spot(offset, at, {})
        array.below.append(table)
        return table

    def _key_value(self, table: Spot) -> Spot:
        """The fresh spot of a key, up to the value behind its equals sign."""
        *outer, (name, offset) = self._key()
        self._expect(b"=")
        self._skip(_BLANKS)
        members = _members(_table_below(table, outer))
        if name in members:
            raise PlacesDisagree
        members[name] = spot = Spot(offset, self._at)
        return spot

    # --- values

    def _value(self, spot: Spot) -> None:
        """Fill a spot from the value that starts here; a list of its own keeps the open brackets."""
        open_: list[Spot] = []
        following: Spot | None = spot
        while following is not None:
            following.value = self._at
            opening = self._peek()
            if opening in (b"[", b"{"):
                if len(open_) == MAX_NESTING:
                    raise deeper(self._at)
                following.below = [] if opening == b"[" else {}
                open_.append(following)
                self._at += 1
            else:
                self._take(_SCALAR)
                if open_ and isinstance(open_[-1].below, list):
                    open_[-1].below[-1] = following.value
            following = self._next_in(open_)

    def _next_in(self, open_: list[Spot]) -> Spot | None:
        """The spot of the next element of the innermost bracket that has one."""
        while open_:
            self._skip(_BETWEEN_ELEMENTS)
            container = open_[-1].below
            if self._peek() in (b"]", b"}"):
                self._at += 1
                open_.pop()
            elif isinstance(container, list):
                spot = Spot(self._at, self._at)
                container.append(spot)
                return spot
            else:
                return self._key_value(open_[-1])
        return None


def _plain_key(token: bytes) -> str:
    if token[:1] not in b"\"'":
        return token.decode()
    if b"\\" in token and token[:1] == b'"':
        return str(tomllib.loads(f"key = {token.decode()}")["key"])
    return token[1:-1].decode()


def _members(table: Spot) -> dict[str, Spot]:
    if not isinstance(table.below, dict):
        raise PlacesDisagree
    return table.below


def _table_below(table: Spot, outer: list[tuple[str, int]]) -> Spot:
    """The table that a dotted key leads to, made where it is not there; of an array the last one."""
    for name, offset in outer:
        table = _members(table).setdefault(name, Spot(offset, offset, {}))
        if isinstance(table.below, list):
            last = table.below[-1] if table.below else None
            if not isinstance(last, Spot):
                raise PlacesDisagree
            table = last
    return table
