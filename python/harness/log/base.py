# SPDX-License-Identifier: BSD-3-Clause
"""RecordBase: what the records of a log start with, shared by them until preamble or context change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.log.context import overlay
from harness.properties import PropertySet

__all__ = ["Preamble", "RecordBase"]

# A record puts these behind the preamble, unless the preamble has them: then they stay where they are.
OF_THE_RECORD = frozenset(("COMMENT", "LEVEL", "TIMESTAMP", "DATE"))


class Preamble:
    """The properties of a log, never changed once they are here, and their text as formats asked for it."""

    __slots__ = ("is_plain", "log_name", "names", "properties", "texts")

    def __init__(self, properties: PropertySet) -> None:
        self.properties = properties
        self.names = frozenset(properties.names())
        self.log_name = "".join(map(str, properties.getArray("LOG"))) if "LOG" in self.names else ""
        self.is_plain = self.names.isdisjoint(OF_THE_RECORD)
        self.texts: dict[object, Any] = {}

    def changed(self, change: Callable[[PropertySet], object]) -> Preamble:
        """Another preamble, with the change made to a copy."""
        properties = self.properties.deepCopy()
        change(properties)
        return Preamble(properties)


class RecordBase:
    """A preamble with the context of one moment over it."""

    __slots__ = ("is_plain", "preamble", "state")

    def __init__(self, preamble: Preamble, state: tuple[PropertySet, dict[str, int]]) -> None:
        self.preamble = preamble
        self.state = state
        others, numbers = state
        # Plain: the text is the preamble's, then the context's numbers, then what the record adds.
        self.is_plain = (
            preamble.is_plain
            and len(others) == 0
            and preamble.names.isdisjoint(numbers)
            and OF_THE_RECORD.isdisjoint(numbers)
        )

    def has(self, name: str) -> bool:
        """Whether a property of that name is here, or belongs to every record."""
        return name in self.preamble.names or name in self.state[1] or name in OF_THE_RECORD

    def properties(self) -> PropertySet:
        """A fresh set of all properties."""
        properties = self.preamble.properties.deepCopy()
        overlay(self.state, properties)
        return properties
