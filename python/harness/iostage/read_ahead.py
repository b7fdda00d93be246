# SPDX-License-Identifier: BSD-3-Clause
"""Items of the next visits, read while the stages of this one compute."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable
from dataclasses import replace
from typing import Any

from harness import arrays
from harness.iostage.reader import Job, process_reader
from harness.iostage.reading import Reading

__all__ = ["ReadAhead"]

_PACKED = 4
"""How many times larger than its file an object of unknown size may be."""


class ReadAhead:
    """What one stage has read before its time.

    A file that cannot be read before its time, or changes afterwards, is read at its time: what `take` gives
    is what reading then would give, and all errors come then.

    Attributes:
        taken: how often something was given that was read before.
        lost: how often it was not wanted, or not to be had.
    """

    def __init__(self) -> None:
        self._jobs: dict[Hashable, Job] = {}
        self._sizes: dict[Hashable, int] = {}
        self.taken = 0
        self.lost = 0

    def take(self, reading: Reading) -> tuple[bool, Any]:
        """Whether it was read before and the file is the same still, and the object. It is given once."""
        job = self._jobs.pop(reading.key, None)
        if job is None:
            return False, None
        found, result = process_reader().result(job)
        self.taken += found
        self.lost += not found
        return found, result

    def note_size(self, reading: Reading, found: Any) -> None:
        """Remember how much memory an item takes, to know whether there is room for the next one."""
        self._sizes[reading.item, reading.spec] = _bytes_of(found)

    def want(self, readings: Iterable[Reading]) -> None:
        """These, in their order, will be asked for next; whatever else was wanted is not any more."""
        wanted = {reading.key: reading for reading in readings}
        for key in [key for key in self._jobs if key not in wanted]:
            process_reader().cancel(self._jobs.pop(key))
            self.lost += 1
        for key, reading in wanted.items():
            if key not in self._jobs:
                self._jobs[key] = self._job(reading)
                process_reader().add(self._jobs[key])

    def close(self) -> None:
        """Nothing is wanted any more."""
        self.want([])

    def _job(self, reading: Reading) -> Job:
        path = os.path.abspath(reading.path)
        return Job(path, replace(reading, path=path).read, lambda size: self._has_room(reading, size))

    def _has_room(self, reading: Reading, file_size: int) -> bool:
        """Whether the arena would be at most half full; the rest is for what the stages compute."""
        size = self._sizes.get((reading.item, reading.spec)) or _PACKED * file_size
        room = arrays.room()
        return room is None or size <= room[0] - room[1] // 2


def _bytes_of(found: Any) -> int:
    """Memory of what was read: of an array or an Image, of a CCDData with what belongs to it, of several."""
    if isinstance(found, dict):
        return sum(map(_bytes_of, found.values()))
    if isinstance(getattr(found, "nbytes", None), int):
        return int(found.nbytes)
    parts = (getattr(found, name, None) for name in ("data", "mask", "uncertainty", "array"))
    return sum(getattr(part, "nbytes", 0) for part in parts if not callable(part))
