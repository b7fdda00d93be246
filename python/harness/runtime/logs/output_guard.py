# SPDX-License-Identifier: BSD-3-Clause
"""OutputGuard: a bound on what the stages of one worker may leave in its output file.

A worker's standard output is the file itself, so that nothing stands between it and the disk, and nobody can
refuse a byte. The guard looks at the files again and again. Of one that has grown past the bound it keeps the
first half of the bound, and the latest quarter: how it began, and how things stand. What was between is
counted, and the count stands in its place. Writers need not know: they append.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["OutputGuard"]


class OutputGuard:
    """Watches files that others append to. Not for several threads at a time.

    Args:
        paths: the file of each worker; it need not be there.
        limit: bytes that a file may have; 0: any number.
        tell: gets a text when a file is shortened for the first time.
    """

    def __init__(self, paths: Sequence[Path], limit: int, tell: Callable[[str], object]) -> None:
        self._files = [_File(path, limit) for path in paths] if limit else []
        self._limit = limit
        self._tell = tell

    def look(self) -> None:
        """Shortens what has grown too long. What happens between two looks is not bounded."""
        for file in self._files:
            was = file.dropped
            file.look()
            if file.dropped and not was:
                self._tell(
                    f"{file.path} grew past outputLimit, {self._limit} bytes: its beginning and its end are"
                    " kept, what is dropped is counted"
                )

    def losses(self) -> list[str]:
        """A text for each file that lacks something."""
        return [
            f"{file.dropped} bytes of output are not in {file.path}: more than outputLimit, {self._limit}"
            for file in self._files if file.dropped
        ]  # fmt: skip


class _File:
    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.dropped = 0
        self._limit = limit
        self._head = 0
        """How much of the beginning is kept, once that has been decided."""
        self._notice = 0
        """How long the notice behind it is."""

    def look(self) -> None:
        try:
            if os.stat(self.path).st_size > self._limit + self._notice:
                self._shorten()
        except OSError:
            # Not there yet, taken away, or on a disk that has failed: there is nothing to bound.
            return

    def _shorten(self) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        try:
            head = self._head
            if not head:
                beginning = os.pread(descriptor, self._limit // 2, 0)
                head = self._head = beginning.rfind(b"\n") + 1 or len(beginning)
            size = os.fstat(descriptor).st_size
            kept = min(self._limit // 4, size - head - self._notice)
            tail = os.pread(descriptor, kept, size - kept)
            tail = tail[tail.find(b"\n") + 1 :]
            # Nobody holds the writers up: what they append before the cut is lost with the rest.
            size = os.fstat(descriptor).st_size
            os.ftruncate(descriptor, head)
            self.dropped += max(0, size - head - self._notice - len(tail))
            notice = b"--- %d bytes were dropped here: more than outputLimit, %d bytes ---\n" % (
                self.dropped, self._limit
            )  # fmt: skip
            self._notice = len(notice)
            os.write(descriptor, notice + tail)
        finally:
            os.close(descriptor)
