# SPDX-License-Identifier: BSD-3-Clause
"""Sizes in a pipeline policy: a number of bytes, or a text such as "4 GiB"."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness import _core
from harness.arrays import SMALLEST_SHARED_BYTES

if TYPE_CHECKING:
    from harness.policy import Policy

SMALLEST_ARENA = 1 << 20
LARGEST_ARENA = 512 << 30
"""The most that the core can map: `MAX_ARENA_BYTES`."""
LARGEST_SIZE = 1 << 60
DEFAULT_OUTPUT_LIMIT = 64 << 20
UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
         "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
LEAST = {
    "arenaSize": (SMALLEST_ARENA, "at least 1 MiB, for a few images must fit"),
    "arenaThreshold": (SMALLEST_SHARED_BYTES, "at least 64 KiB, the smallest block"),
    "arenaWarm": (0, "0 bytes or more"),
    "outputLimit": (0, "0 bytes or more"),
    "eventSpoolSize": (1 << 20, "at least 1 MiB"),
}
"""The keys that hold sizes, with the least number of bytes and what to say of fewer."""
MOST = {"arenaSize": (LARGEST_ARENA, "at most 512 GiB, the largest arena there is")}
"""The same for more bytes; for other keys `LARGEST_SIZE` is the most."""


class SizeError(ValueError):
    """No size, or one that is too small or too large. Attributes: `expected` and `seen`."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}, saw {seen}")
        self.expected = expected
        self.seen = seen


def size_of(policy: Policy, key: str) -> int | None:
    """The bytes that one of the keys in `LEAST` says; `None` where it is absent.

    Raises:
        SizeError: the value is no size, too small, or too large.
    """
    if not policy.exists(key):
        return None
    if policy.isInt(key):
        size = policy.getInt(key)
    elif policy.isString(key):
        size = _size_from_text(policy.getString(key))
    else:
        raise SizeError('bytes or a size such as "4 GiB"', f"{policy.getTypeName(key)} {policy.str(key)}")
    least, expected = LEAST[key]
    if size < least:
        raise SizeError(expected, f"{size} bytes")
    most, expected = MOST.get(key, (LARGEST_SIZE, "at most 1 EiB"))
    if size > most:
        raise SizeError(expected, policy.str(key))
    return size


def arena_bytes(policy: Policy) -> int:
    """`arenaSize`; where it is absent, half of what the machine or the control group has left."""
    size = size_of(policy, "arenaSize")
    return size if size is not None else max(SMALLEST_ARENA, _core.default_arena_bytes())


def arena_threshold(policy: Policy) -> int:
    """`arenaThreshold`; where it is absent, the smallest size there is."""
    size = size_of(policy, "arenaThreshold")
    return size if size is not None else SMALLEST_SHARED_BYTES


def arena_warm(policy: Policy) -> int | None:
    """`arenaWarm`; `None` where it is absent: then free memory is given back only when something needs it."""
    return size_of(policy, "arenaWarm")


def output_limit(policy: Policy) -> int:
    """`outputLimit`, 64 MiB where it is absent; 0: no bound."""
    size = size_of(policy, "outputLimit")
    return size if size is not None else DEFAULT_OUTPUT_LIMIT


def _size_from_text(text: str) -> int:
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match.group(2) not in UNITS:
        raise SizeError('a size such as "4 GiB" or "512 MiB"', repr(text))
    # In integers: the bytes of 512 GiB and a fraction are more digits than a float holds.
    whole, _, fraction = match.group(1).partition(".")
    return int(whole + fraction) * UNITS[match.group(2)] // 10 ** len(fraction)
