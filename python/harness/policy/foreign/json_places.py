# SPDX-License-Identifier: BSD-3-Clause
"""Where the keys and values of JSON text stand; the text is known to be JSON."""

from __future__ import annotations

import json
import re

from harness.policy.foreign.places import MAX_NESTING, PlacesDisagree, Refusal, Spot, deeper, quoted

__all__ = ["json_places"]

_TOKEN = re.compile(
    rb'(?P<open>[{\[])|(?P<close>[}\]])|(?P<string>"[^"\\]*(?:\\.[^"\\]*)*")|(?P<plain>[^\s\[\]{}:,"]+)',
    re.DOTALL,
)


def json_places(data: bytes, start: int) -> Spot:
    """The spots of the value that starts at or behind an offset.

    Raises
    ------
    Refusal
        An object has a key twice, or values nest deeper than MAX_NESTING.
    """
    return _JsonPlaces(data).found_from(start)


class _JsonPlaces:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._open: list[Spot] = []
        self._root: Spot | None = None
        self._keyed: Spot | None = None
        """The spot of a key whose value comes next."""

    def found_from(self, start: int) -> Spot:
        for match in _TOKEN.finditer(self._data, start):
            at = match.start()
            if match.lastgroup == "close":
                self._close()
            elif match.lastgroup == "string" and self._expects_key():
                self._take_key(match.group(), at)
            else:
                spot = self._spot_for_value(at)
                if match.lastgroup == "open":
                    self._open_at(spot)
        if self._root is None or self._open:
            raise PlacesDisagree
        return self._root

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].below, dict) and self._keyed is None

    def _take_key(self, token: bytes, at: int) -> None:
        key = json.loads(token) if b"\\" in token else token[1:-1].decode()
        members = self._open[-1].below
        if not isinstance(members, dict):
            raise PlacesDisagree
        if key in members:
            line = self._data.count(b"\n", 0, members[key].name) + 1
            raise Refusal(
                f"the key {quoted(key)} stands twice in one object",
                at,
                "each key once; several values of a parameter are an array",
                f"the key of line {line} again",
            )
        self._keyed = members[key] = Spot(at, at)

    def _spot_for_value(self, at: int) -> Spot:
        if self._keyed is not None:
            spot, self._keyed = self._keyed, None
            spot.value = at
            return spot
        spot = Spot(at, at)
        if self._open:
            elements = self._open[-1].below
            if not isinstance(elements, list):
                raise PlacesDisagree
            elements.append(spot)
        elif self._root is None:
            self._root = spot
        else:
            raise PlacesDisagree
        return spot

    def _open_at(self, spot: Spot) -> None:
        if len(self._open) == MAX_NESTING:
            raise deeper(spot.value)
        spot.below = {} if self._data[spot.value : spot.value + 1] == b"{" else []
        self._open.append(spot)

    def _close(self) -> None:
        if not self._open:
            raise PlacesDisagree
        self._open.pop()
