# SPDX-License-Identifier: BSD-3-Clause
"""A policy as PAF text in which every value is followed by the place it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness._core import PAFWriter, Policy
from harness.policy.errors import Located

__all__ = ["listing"]

INDENT = "    "
DEEPEST_INDENT = 20
WIDEST = 60


@dataclass
class _Level:
    """A policy that is being listed, what it was before defaults were merged, and what is left to list."""

    merged: Policy
    own: Policy | None
    left: list[_Item]


@dataclass
class _Item:
    """Plain values, or one of the blocks under a name."""

    name: str
    index: int = 0
    block: Policy | None = None
    own_block: Policy | None = None


def listing(merged: Policy, own: Policy) -> str:
    """The text; values that only the merged policy has are marked as defaults.

    Parameters
    ----------
    merged : `Policy`
        What is listed; its includes are resolved.
    own : `Policy`
        The same before defaults were merged.
    """
    rows: list[tuple[str, str]] = []
    levels = [_Level(merged, own, _items(merged, own))]
    while levels:
        level = levels[-1]
        if not level.left:
            levels.pop()
            if levels:
                rows.append((f"{_indent(len(levels) - 1)}}}", ""))
            continue
        item = level.left.pop()
        indent = _indent(len(levels) - 1)
        origin = _origin(level, item)
        if item.block is None:
            rows += [(indent + line, origin) for line in _value_lines(level.merged, item.name)]
            continue
        rows.append((f"{indent}{item.name}: {{", origin))
        levels.append(_Level(item.block, item.own_block, _items(item.block, item.own_block)))
    width = min(WIDEST, max((len(text) for text, origin in rows if origin), default=0))
    return "".join(f"{text:<{width}}  # {origin}\n" if origin else f"{text}\n" for text, origin in rows)


def _indent(depth: int) -> str:
    return INDENT * min(depth, DEEPEST_INDENT)


def _items(policy: Policy, own: Policy | None) -> list[_Item]:
    """What a policy holds, last first."""
    found = []
    for name in policy.names(True):
        if not policy.isPolicy(name):
            found.append(_Item(name))
            continue
        own_blocks = own.getPolicyArray(name) if own is not None and own.isPolicy(name) else []
        for index, block in enumerate(policy.getPolicyArray(name)):
            found.append(_Item(name, index, block, own_blocks[index] if index < len(own_blocks) else None))
    return found[::-1]


def _origin(level: _Level, item: _Item) -> str:
    is_default = item.own_block is None if item.block is not None else not _has(level.own, item.name)
    place = level.merged.place(item.name, item.index)
    if place is None:
        return "default" if is_default else ""
    line = f":{place['line']}" if "line" in place else ""
    return f"default ({Path(place['file']).name}{line})" if is_default else f"{place['file']}{line}"


def _has(policy: Policy | None, name: str) -> bool:
    return policy is not None and policy.exists(name)


def _value_lines(policy: Policy, name: str) -> list[str]:
    values = policy.getArray(name)
    only = Policy()
    only.set(name, values)
    writer = PAFWriter()
    try:
        writer.write(only)
    except Located:
        # A string with both kinds of quotes cannot be written in PAF; it can be shown.
        return [f"{name}: {' '.join(map(repr, values))}"]
    return writer.toString().splitlines()
