# SPDX-License-Identifier: BSD-3-Clause
"""The memory of thresholds by log name that all logs of one tree share."""

from typing import TextIO

from harness.log.levels import INHERIT

__all__ = ["ThresholdMemory"]

NAME_WIDTH = 20


class ThresholdMemory:
    """Thresholds of one tree; a name without its own uses the nearest ancestor's, finally the root's.

    ``version`` is another object after each change, so that logs may keep the threshold they found
    until then. It takes no lock: logs of forked processes and of threads read it freely.
    """

    def __init__(self, root_name: str, root_threshold: int) -> None:
        self.version = object()
        self._root_name = root_name
        self._initial = root_threshold
        self._root = root_threshold
        self._names: dict[str, int] = {}

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
        self.version = object()

    def remember_root(self, threshold: int) -> None:
        """Set the root's threshold; PASS_ALL lets everything pass."""
        self._root = threshold
        self.version = object()

    def forget(self) -> None:
        """Forget every name; the root goes back to its first threshold."""
        self._names.clear()
        self.remember_root(self._initial)

    def print(self, stream: TextIO) -> None:
        """One line per remembered name: the name, blanks, the threshold."""
        rows = [("(root)", self._root), *sorted(self._names.items())]
        stream.write("".join(f"{name:<{NAME_WIDTH}} {threshold:>3}\n" for name, threshold in rows))
