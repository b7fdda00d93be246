# SPDX-License-Identifier: BSD-3-Clause
"""The directories that a pattern leads through, and what has appeared in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.events.file_states import is_temporary
from harness.inotify import (
    ATTRIBUTES,
    CLOSED_AFTER_WRITING,
    CREATED,
    GONE,
    IS_DIRECTORY,
    LEAVING,
    MOVED_HERE,
    ONLY_DIRECTORIES,
    OVERFLOW,
    Inotify,
)
from harness.name_patterns import NamePattern

__all__ = ["Found", "WatchedTree"]

FILES = CLOSED_AFTER_WRITING | MOVED_HERE | ATTRIBUTES
DIRECTORIES = CREATED | MOVED_HERE


@dataclass(frozen=True)
class Found:
    """A file whose name fits.

    Attributes:
        path: where it is.
        properties: what the pattern has read from its path.
        is_closed: a writer has just let go of it, or it was moved here.
        attributes_only: only its owner, mode or times have changed.
    """

    path: str
    properties: dict[str, Any] = field(hash=False)
    is_closed: bool
    attributes_only: bool = False


@dataclass
class _Place:
    path: str
    depth: int
    properties: dict[str, Any]


class WatchedTree:
    """A directory, and those below it whose names fit the first levels of a pattern.

    Without inotify (`watches` false) only `scan` finds anything. Raises OSError, from `scan` and `changes`,
    where the directory itself cannot be read or watched.
    """

    def __init__(self, root: str, levels: Sequence[NamePattern], *, watches: bool) -> None:
        self.root = root
        self._levels = levels
        self._places: dict[int, _Place] = {}
        self._inotify = Inotify() if watches else None
        self.complaints: list[str] = []
        """What could not be looked at, for the log; whoever reads it empties it."""

    def fileno(self) -> int:
        """A descriptor that is readable when something has happened; -1 without inotify."""
        return self._inotify.fileno() if self._inotify is not None else -1

    def close(self) -> None:
        """Ends watching."""
        if self._inotify is not None:
            self._inotify.close()

    def scan(self) -> Iterator[Found]:
        """All files there are; directories that are new are watched from now on."""
        yield from self._enter(_Place(self.root, 0, {}))

    def changes(self) -> Iterator[Found] | None:
        """What has appeared since the last time. None: some was lost, or the root is gone; `scan` then."""
        assert self._inotify is not None
        found: list[Found] = []
        is_lost = False
        for change in self._inotify.read():
            if change.bits & OVERFLOW:
                is_lost = True
                continue
            place = self._places.get(change.watch)
            if place is None:
                continue
            if change.bits & GONE:
                del self._places[change.watch]
                self._inotify.unwatch(change.watch)
                is_lost = is_lost or place.depth == 0
            elif change.name:
                closed = bool(change.bits & (CLOSED_AFTER_WRITING | MOVED_HERE))
                found += self._named(place, change.name, bool(change.bits & IS_DIRECTORY), closed, not closed)
        return None if is_lost else iter(found)

    def _named(
        self, place: _Place, name: str, is_directory: bool, is_closed: bool, attributes_only: bool = False
    ) -> Iterator[Found]:
        """What a name in a directory stands for."""
        properties = self._levels[place.depth].match(name)
        if properties is None or is_temporary(name):
            return
        if any(place.properties.get(key, value) != value for key, value in properties.items()):
            return
        path, properties = os.path.join(place.path, name), {**place.properties, **properties}
        if place.depth == len(self._levels) - 1:
            if not is_directory:
                yield Found(path, properties, is_closed, attributes_only)
        elif is_directory or os.path.isdir(path):
            yield from self._enter(_Place(path, place.depth + 1, properties))

    def _enter(self, place: _Place) -> Iterator[Found]:
        """Watches a directory, then lists it: what comes meanwhile is seen twice, and not missed."""
        is_last = place.depth == len(self._levels) - 1
        try:
            if self._inotify is not None:
                bits = (FILES if is_last else DIRECTORIES) | LEAVING | ONLY_DIRECTORIES
                self._places[self._inotify.watch(place.path, bits)] = place
            with os.scandir(place.path) as entries:
                names = [(entry.name, entry.is_dir()) for entry in entries]
        except OSError as error:
            if place.depth == 0:
                raise
            if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                self.complaints.append(f"directory {place.path} cannot be watched: {error.strerror}")
            return
        for name, is_directory in sorted(names):
            yield from self._named(place, name, is_directory, False)
