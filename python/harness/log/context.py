# SPDX-License-Identifier: BSD-3-Clause
"""RecordContext: properties that every log of a tree adds to its records, as they are at that moment."""

import copy
from typing import Any

from harness._records import ContextNumbers
from harness.properties import PropertySet

__all__ = ["RecordContext", "overlay"]


INT_LIMIT = 1 << 31


class RecordContext(ContextNumbers):
    """Shared by a root log and everything derived from it, before and after.

    Each change puts a new state in place of the old one, so a thread that is building a record never
    sees a half-made change and no lock is needed. Plain numbers are kept apart from the set of the others:
    the numbers of visit and stage change with every step of a run, and most of them reach no record.
    """

    def __init__(self) -> None:
        super().__init__(PropertySet())

    def set(self, name: str, value: Any) -> None:
        """Set a property; TypeError for a value no property can hold."""
        others, numbers = self.state
        if numbers.get(name) == value and type(value) is int:
            return
        is_number = type(value) is int and -INT_LIMIT <= value < INT_LIMIT
        if is_number and name in numbers:
            self.note(name, value)
            return
        if is_number and len(others) == 0 and "." not in name:
            self._replace(others, {**numbers, name: value})
            return
        whole = self._whole()
        whole.set(name, value)
        if is_number and "." not in name:
            numbers = {**numbers, name: value}
        else:
            numbers = _without(numbers, name)
        self._keep(whole, numbers)

    def remove(self, name: str) -> None:
        """Forget a property; nothing happens if it is absent."""
        whole = self._whole()
        whole.remove(name)
        self._keep(whole, _without(self.state[1], name))

    def _whole(self) -> PropertySet:
        others, numbers = self.state
        whole = copy.copy(others)
        for name, number in numbers.items():
            whole.set(name, number)
        return whole

    def _keep(self, whole: PropertySet, numbers: dict[str, int]) -> None:
        for name in numbers:
            whole.remove(name)
        self._replace(whole, numbers)


def overlay(state: tuple[PropertySet, dict[str, int]], properties: PropertySet) -> None:
    """Write the properties of a context's state over those of the same name in another set."""
    others, numbers = state
    for name in others:
        properties.copy(name, others, name)
    for name, number in numbers.items():
        properties.set(name, number)


def _without(numbers: dict[str, int], name: str) -> dict[str, int]:
    top = name.partition(".")[0]
    return {key: number for key, number in numbers.items() if key != top}
