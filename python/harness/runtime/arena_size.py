# SPDX-License-Identifier: BSD-3-Clause
"""How large the arena is: `arenaSize` of the policy, or what the machine has left."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness import _core

if TYPE_CHECKING:
    from harness.policy import Policy

SMALLEST_ARENA = 1 << 20
UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
         "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class ArenaSizeError(ValueError):
    """No size. Attributes: `expected` and `seen`."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}, saw {seen}")
        self.expected = expected
        self.seen = seen


def arena_bytes(policy: Policy) -> int:
    """The bytes of `arenaSize`; where it is absent, half of what the machine or the control group has left.

    Raises:
        ArenaSizeError: the value is no size, or less than 1 MiB.
    """
    if not policy.exists("arenaSize"):
        return max(SMALLEST_ARENA, _core.default_arena_bytes())
    if policy.isInt("arenaSize"):
        size = policy.getInt("arenaSize")
    elif policy.isString("arenaSize"):
        size = _size_from_text(policy.getString("arenaSize"))
    else:
        seen = f"{policy.getTypeName('arenaSize')} {policy.str('arenaSize')}"
        raise ArenaSizeError('bytes or a size such as "4 GiB"', seen)
    if size < SMALLEST_ARENA:
        raise ArenaSizeError("at least 1 MiB, for a few images must fit", f"{size} bytes")
    return size


def _size_from_text(text: str) -> int:
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match.group(2) not in UNITS:
        raise ArenaSizeError('a size such as "4 GiB" or "512 MiB"', repr(text))
    return int(float(match.group(1)) * UNITS[match.group(2)])
