# SPDX-License-Identifier: BSD-3-Clause
"""AppendFile: whole records at the end of a file, whatever else writes there, and a count of those lost."""

from __future__ import annotations

import os

__all__ = ["AppendFile"]

STANDARD_ERROR = 2
FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class AppendFile:
    """Opened for each append: a file that was renamed or removed is followed by a new one of the same name.

    One append is one write call, so records of several threads and processes do not mix. Nothing raises
    while records are appended: what cannot be written is told once on standard error, counted, and the
    count stands in front of the first record that gets through again.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self.lost = 0
        self._torn = False

    def open(self, truncate: bool) -> None:
        """See whether the file can be opened; empty it if asked. Raises OSError."""
        os.close(os.open(self.path, FLAGS | (os.O_TRUNC if truncate else 0), 0o666))

    def append(self, data: bytes, n_records: int) -> bool:
        """Append whole records; whether they were written."""
        if self.lost:
            note = f"harness.log: {self.lost} records before this one could not be written\n"
            # A record that was cut by a full disk ends before the next one starts.
            data = (b"\n" if self._torn else b"") + note.encode() + data
        try:
            self._write(data)
        except OSError as error:
            self._note_loss(error, n_records)
            return False
        self.lost = 0
        self._torn = False
        return True

    def append_missing(self, data: bytes) -> None:
        """Append what the end of the file does not have yet: its writer died, nobody knows how far it came.

        Raises OSError.
        """
        with open(self.path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - len(data)))
            tail = file.read()
        there = next((n for n in range(min(len(data), len(tail)), 0, -1) if tail.endswith(data[:n])), 0)
        if there < len(data):
            self._write(data[there:])

    def _write(self, data: bytes) -> None:
        descriptor = os.open(self.path, FLAGS, 0o666)
        try:
            written = 0
            while written < len(data):
                try:
                    written += os.write(descriptor, data[written:])
                except OSError:
                    self._torn = self._torn or written > 0
                    raise
        finally:
            os.close(descriptor)

    def _note_loss(self, error: OSError, n_records: int) -> None:
        first = self.lost == 0
        self.lost += n_records
        if not first:
            return
        note = f"harness.log: cannot write log records to {self.path}: {error.strerror}; going on without\n"
        try:
            os.write(STANDARD_ERROR, note.encode("utf-8", "backslashreplace"))
        except OSError:
            # Standard error is closed or full, too: nobody is left to be told.
            pass
