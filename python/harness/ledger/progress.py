# SPDX-License-Identifier: BSD-3-Clause
"""Where a run is right now: a page of the run directory that the master writes to at every stage of a visit.

It is mapped, so that a note costs a fraction of a microsecond. It is a hint for `pex-harness status`; nothing
else depends on it.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable
from pathlib import Path

from harness._steps import ProgressPage

PROGRESS_NAME = "ledger.progress"
_HEAD = struct.Struct("=8sQ")
_PLACE = struct.Struct("=QQ")
_MAGIC = b"pexprog2"


class Progress:
    """The master's end. `stage` is from 1; 0 says that the visit has ended."""

    def __init__(self, directory: Path) -> None:
        """Makes the file anew. Where it cannot be mapped, notes go nowhere."""
        self._pid = os.getpid()
        self._page: mmap.mmap | None = None
        self.words: ProgressPage | None = None
        """The page, where it is mapped."""
        self.note: Callable[[int, int], object] = _nowhere
        """`note(visit, stage)` notes that the master is at a stage of a visit."""
        path = directory / PROGRESS_NAME
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError:
            return
        try:
            # Without room on the disk, writing to a mapped page would be a bus error.
            os.posix_fallocate(descriptor, 0, mmap.PAGESIZE)
            self._page = mmap.mmap(descriptor, mmap.PAGESIZE)
            self._page[:] = bytes(mmap.PAGESIZE)
            _HEAD.pack_into(self._page, 0, _MAGIC, self._pid)
            self.words = ProgressPage(self._page)
            self.note = self.words.note
        except OSError:
            self._page = None
        finally:
            os.close(descriptor)

    def turn_to(self, slot: int) -> None:
        """What is noted from here on belongs to the visit of another slot, from 0."""
        if self.words is not None:
            self.words.turn_to(slot)

    def close(self) -> None:
        """Lets go of the page; the file stays."""
        if self.words is not None:
            self.words.release()
            self.words = None
        if self._page is not None:
            self._page.close()
            self._page = None


def _nowhere(visit: int, stage: int) -> None:
    """There is no page."""


def read_progress(directory: Path, pid: int) -> list[tuple[int, int]] | None:
    """Visit and stage of each visit that the run of process `pid` is at, the oldest first; `None`: unknown.

    Between two visits it is the one that has ended last, with stage 0; before the first there is none.
    """
    try:
        data = (directory / PROGRESS_NAME).read_bytes()
    except OSError:
        return None
    if len(data) < _HEAD.size:
        return None
    magic, writer = _HEAD.unpack_from(data)
    if magic != _MAGIC or (pid > 0 and writer != pid):
        return None
    whole = len(data) - (len(data) - _HEAD.size) % _PLACE.size
    places = sorted(place for place in _PLACE.iter_unpack(data[_HEAD.size : whole]) if place[0])
    return [place for place in places if place[1]] or places[-1:]
