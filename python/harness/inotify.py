# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's inotify: what happens to files and in directories, without looking for it."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import NamedTuple

__all__ = [
    "ATTRIBUTES", "CLOSED_AFTER_WRITING", "CREATED", "GONE", "IS_DIRECTORY", "LEAVING", "MODIFIED",
    "MOVED_HERE", "ONLY_DIRECTORIES", "OVERFLOW", "Change", "Inotify", "open_watch",
]  # fmt: skip

# Bits of linux/inotify.h.
MODIFIED = 0x2
ATTRIBUTES = 0x4
CLOSED_AFTER_WRITING = 0x8
MOVED_HERE = 0x80
CREATED = 0x100
LEAVING = 0x400 | 0x800
"""What is watched is deleted or moved away."""
UNMOUNTED = 0x2000
OVERFLOW = 0x4000
IGNORED = 0x8000
ONLY_DIRECTORIES = 0x01000000
IS_DIRECTORY = 0x40000000
GONE = LEAVING | UNMOUNTED | IGNORED
"""What is watched is not there."""

READ_BYTES = 65536
HEADER = struct.Struct("iIII")
LONGEST = HEADER.size + 256
"""Of one change, in bytes."""

_HINTS = {
    errno.EMFILE: "; too many are watched: raise the sysctl fs.inotify.max_user_instances, or ulimit -n",
    errno.ENFILE: "; the machine has no file left to open",
    errno.ENOSPC: "; raise the sysctl fs.inotify.max_user_watches",
}


class Change(NamedTuple):
    """What has happened: the number of the watch (-1 for `OVERFLOW`), bits, the name in a directory."""

    watch: int
    bits: int
    name: str


class Inotify:
    """One inotify descriptor. Not for several threads at once.

    Raises OSError, with what to do, where the machine has none left.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._fd < 0:
            raise _error(None)

    def watch(self, path: str | os.PathLike[str], bits: int) -> int:
        """Watches a file or directory for `bits`; returns its number. Raises OSError."""
        number: int = self._libc.inotify_add_watch(self._fd, os.fsencode(path), ctypes.c_uint32(bits))
        if number < 0:
            raise _error(os.fspath(path))
        return number

    def fileno(self) -> int:
        """The descriptor: readable when something has happened."""
        return self._fd

    def read(self) -> list[Change]:
        """What has happened since the last time, in order; does not wait."""
        changes: list[Change] = []
        while True:
            try:
                data = os.read(self._fd, READ_BYTES)
            except BlockingIOError:
                return changes
            at = 0
            while at < len(data):
                watch, bits, _, length = HEADER.unpack_from(data, at)
                at += HEADER.size
                name = data[at : at + length].rstrip(b"\0")
                at += length
                changes.append(Change(watch, bits, os.fsdecode(name)))
            if len(data) < READ_BYTES - LONGEST:
                return changes

    def unwatch(self, number: int) -> None:
        """Ends a watch; one that has ended is left alone."""
        self._libc.inotify_rm_watch(self._fd, number)

    def detach(self) -> int:
        """The descriptor, which the caller closes from now on."""
        descriptor, self._fd = self._fd, -1
        return descriptor

    def close(self) -> None:
        """Closes the descriptor."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def open_watch(path: str | os.PathLike[str], bits: int) -> int:
    """A descriptor that is readable when one of `bits` happens to a file or directory. Raises OSError."""
    inotify = Inotify()
    try:
        inotify.watch(path, bits)
        return inotify.detach()
    finally:
        inotify.close()


def _error(path: str | None) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{os.strerror(number)}{_HINTS.get(number, '')}", path)
