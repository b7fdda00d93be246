# SPDX-License-Identifier: BSD-3-Clause
"""What tells one file, and one state of it, from another, and whether somebody still writes it."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import signal
import stat
import struct
from dataclasses import dataclass

__all__ = ["FileState", "Unusable", "Writers", "is_temporary", "look_at"]

_TEMPORARY = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".swp", "~")

# statx of the kernel (linux/stat.h): arguments, and places in its result.
EMPTY_PATH = 0x1000
BIRTH = 0x800
RESULT_BYTES = 256
BIRTH_PLACE = struct.Struct("=qI"), 80


class Unusable(Exception):
    """Something that is no readable regular file; the message says what it is."""


@dataclass(frozen=True)
class FileState:
    """What a file is like at a moment.

    Attributes:
        size: in bytes.
        mtime_ns: when its content was changed, or is said to have been: programs that copy set it.
        born_ns: when it was made, which nobody can set; None where the file system does not keep it.
    """

    size: int
    mtime_ns: int
    born_ns: int | None

    @property
    def identity(self) -> tuple[str, int, int]:
        """What makes it the same file: size and birth, else size and time of change."""
        if self.born_ns is not None:
            return ("born", self.size, self.born_ns)
        return ("changed", self.size, self.mtime_ns)

    def ident(self, path: str) -> str:
        """An identity of the file `path` for an event."""
        text = "\0".join([path, *map(str, self.identity)])
        return "file-" + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


class Writers:
    """Whether a process has a file open for writing. UNKNOWN: the kernel does not tell."""

    NONE = "none"
    SOME = "some"
    UNKNOWN = "unknown"


def is_temporary(name: str) -> bool:
    """Whether a name is that of a file that is not ready: hidden, or temporary by its ending."""
    return name.startswith(".") or name.lower().endswith(_TEMPORARY)


def look_at(path: str) -> tuple[FileState, str]:
    """The state of a file, and one of `Writers`.

    Raises:
        FileNotFoundError: it has vanished.
        Unusable: it is no regular file, or cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise Unusable("it is no regular file")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unusable(f"it cannot be read: {error.strerror}") from error
    try:
        writers = _writers(descriptor)
        facts = os.fstat(descriptor)
        born_ns = _born_ns(descriptor)
    finally:
        os.close(descriptor)
    return FileState(facts.st_size, facts.st_mtime_ns, born_ns), writers


def _writers(descriptor: int) -> str:
    """Asks for a lease for reading, which is given only while nobody has the file open for writing."""
    try:
        # Whoever opens the file for writing before the lease is given back has the kernel signal this
        # process: not with SIGIO, which would end it, but with a signal that is ignored unless it is wanted.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return Writers.SOME if error.errno == errno.EAGAIN else Writers.UNKNOWN
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return Writers.NONE


def _born_ns(descriptor: int) -> int | None:
    """The time of birth, which Python's stat does not have."""
    statx = getattr(ctypes.CDLL(None), "statx", None)
    result = ctypes.create_string_buffer(RESULT_BYTES)
    if statx is None or statx(descriptor, b"", EMPTY_PATH, BIRTH, result) != 0:
        return None
    (has,) = struct.unpack_from("=I", result)
    if not has & BIRTH:
        return None
    form, place = BIRTH_PLACE
    seconds, nanoseconds = form.unpack_from(result, place)
    return int(seconds) * 1_000_000_000 + int(nanoseconds)
