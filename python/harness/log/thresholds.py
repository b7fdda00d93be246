# SPDX-License-Identifier: BSD-3-Clause
"""The memory of thresholds by log name that all logs of one tree share."""

from __future__ import annotations

import weakref
from typing import Protocol, TextIO

from harness.log.levels import INHERIT

__all__ = ["ThresholdMemory"]

NAME_WIDTH = 20


class HasThreshold(Protocol):
    """What follows a memory."""

    def take_threshold(self) -> None:
        """Look the own threshold up."""


class ThresholdMemory:
    """Thresholds of one tree; a name without its own uses the nearest ancestor's, finally the root's.

    Logs keep the threshold they have, and are told of every change, so that a call that does not pass costs
    one comparison. There is no lock: forked processes and threads read and change it freely.
    """

    def __init__(self, root_name: str, root_threshold: int) -> None:
        self._version = object()
        self._logs: weakref.WeakSet[HasThreshold] = weakref.WeakSet()
        self._root_name = root_name
        self._initial = root_threshold
        self._root = root_threshold
        self._names: dict[str, int] = {}

    def follow(self, log: HasThreshold) -> None:
        """Keep the threshold of a log up to date from now on, as long as it lives."""
        self._logs.add(log)
        log.take_threshold()

    def _tell(self) -> None:
        version = None
        # A change that another thread makes meanwhile is told by it, and here, whoever comes last.
        while version is not self._version:
            version = self._version = object()
            for log in self._listening():
                log.take_threshold()

    def _listening(self) -> list[HasThreshold]:
        while True:
            try:
                return list(self._logs)
            except RuntimeError:
                # Another thread has just made a log.
                continue

    def is_root(self, name: str) -> bool:
        """Whether the name is the root's."""
        return name == self._root_name

    def find(self, name: str) -> int:
        """The threshold in force for a full name."""
        names = self._names
        while name:
            if name in names:
                return names[name]
            name = name.rpartition(".")[0]
        return self._root

    def remember(self, name: str, threshold: int) -> None:
        """Set the threshold of a full name; INHERIT forgets it (the root: back to its first one)."""
        if self.is_root(name) or not name:
            self.remember_root(self._initial if threshold == INHERIT else threshold)
            return
        if threshold == INHERIT:
            self._names.pop(name, None)
        else:
            self._names[name] = threshold
        self._tell()

    def remember_root(self, threshold: int) -> None:
        """Set the root's threshold; PASS_ALL lets everything pass."""
        self._root = threshold
        self._tell()

    def forget(self) -> None:
        """Forget every name; the root goes back to its first threshold."""
        self._names.clear()
        self.remember_root(self._initial)

    def print(self, stream: TextIO) -> None:
        """One line per remembered name: the name, blanks, the threshold."""
        rows = [("(root)", self._root), *sorted(self._names.items())]
        stream.write("".join(f"{name:<{NAME_WIDTH}} {threshold:>3}\n" for name, threshold in rows))
