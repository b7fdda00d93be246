# SPDX-License-Identifier: BSD-3-Clause
"""Where a run is right now: a page of the run directory that the master writes to at every stage.

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
_NOTE = struct.Struct("=8sQQQ")
_MAGIC = b"pexprog1"


class Progress:
    """The master's end. `stage` is from 1; 0 stands for the time between visits."""

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
            _NOTE.pack_into(self._page, 0, _MAGIC, self._pid, 0, 0)
            self.words = ProgressPage(self._page)
            self.note = self.words.note
        except OSError:
            self._page = None
        finally:
            os.close(descriptor)

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


def read_progress(directory: Path, pid: int) -> tuple[int, int] | None:
    """Visit and stage that the run of process `pid` is at; `None` where nothing is known."""
    try:
        data = (directory / PROGRESS_NAME).read_bytes()[: _NOTE.size]
    except OSError:
        return None
    if len(data) < _NOTE.size:
        return None
    magic, writer, visit, stage = _NOTE.unpack(data)
    if magic != _MAGIC or (pid > 0 and writer != pid):
        return None
    return visit, stage
