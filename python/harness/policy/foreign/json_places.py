# SPDX-License-Identifier: BSD-3-Clause
"""Where the keys and values of JSON text stand; the text is known to be JSON."""

from __future__ import annotations

import json
import re

from harness.policy.foreign.places import MAX_NESTING, PlacesDisagree, Refusal, Spot, deeper, quoted

__all__ = ["json_places"]

_TOKEN = re.compile(rb'[{}\[\]]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\s\[\]{}:,"]+', re.DOTALL)
_OPEN_OBJECT, _OPEN_ARRAY, _QUOTE = b'{["'
_CLOSE = b"}]"


def json_places(data: bytes, start: int) -> Spot:
    """The spots of the value that starts at or behind an offset.

    Raises
    ------
    Refusal
        An object has a key twice, or values nest deeper than MAX_NESTING.
    """
    root: list[Spot | int] = []
    open_: list[dict[str, Spot] | list[Spot | int]] = [root]
    container = open_[-1]
    keyed: Spot | None = None  # the spot of a key whose value comes next
    for match in _TOKEN.finditer(data, start):
        at = match.start()
        first = data[at]
        if first in _CLOSE:
            open_.pop()
            if not open_:
                raise PlacesDisagree
            container = open_[-1]
            continue
        if keyed is not None:
            keyed.value = at
            if first != _OPEN_OBJECT and first != _OPEN_ARRAY:
                keyed = None
                continue
            spot, keyed = keyed, None
        elif isinstance(container, list):
            if first not in (_OPEN_OBJECT, _OPEN_ARRAY):
                container.append(at)
                continue
            spot = Spot(at, at)
            container.append(spot)
        elif first == _QUOTE:
            keyed = _take_key(container, match.group(), at, data)
            continue
        else:
            raise PlacesDisagree
        if len(open_) > MAX_NESTING:
            raise deeper(at)
        container = spot.below = {} if first == _OPEN_OBJECT else []
        open_.append(container)
    if len(open_) != 1 or len(root) != 1:
        raise PlacesDisagree
    only = root[0]
    return Spot(only, only) if isinstance(only, int) else only


def _take_key(members: dict[str, Spot], token: bytes, at: int, data: bytes) -> Spot:
    key = json.loads(token) if b"\\" in token else token[1:-1].decode()
    if key in members:
        line = data.count(b"\n", 0, members[key].name) + 1
        raise Refusal(
            f"the key {quoted(key)} stands twice in one object",
            at,
            "each key once; several values of a parameter are an array",
            f"the key of line {line} again",
        )
    members[key] = spot = Spot(at, at)
    return spot
