# SPDX-License-Identifier: BSD-3-Clause
"""RecordContext: properties that every log of a tree adds to its records, as they are at that moment."""

import copy
from typing import Any

from harness.properties import PropertySet

__all__ = ["RecordContext"]


class RecordContext:
    """Shared by a root log and everything derived from it, before and after.

    Each change puts a new set in place of the old one, so a thread that is building a record never
    sees a half-made change and no lock is needed.
    """

    def __init__(self) -> None:
        self._properties = PropertySet()

    def set(self, name: str, value: Any) -> None:
        """Set a property; TypeError for a value no property can hold."""
        changed = copy.copy(self._properties)
        changed.set(name, value)
        self._properties = changed

    def remove(self, name: str) -> None:
        """Forget a property; nothing happens if it is absent."""
        changed = copy.copy(self._properties)
        changed.remove(name)
        self._properties = changed

    def overlay(self, properties: PropertySet) -> None:
        """Write the current properties over those of the same name in another set."""
        current = self._properties
        for name in current:
            properties.copy(name, current, name)
