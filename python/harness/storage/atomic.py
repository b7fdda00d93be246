# SPDX-License-Identifier: BSD-3-Clause
"""Writing files and directories so that their final name never shows a part of them."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator

from harness.exceptions import IoError
from harness.outputs import record_output
from harness.storage.exchange import exchange_names
from harness.whole_files import whole_file
from harness.workspaces import workspace

__all__ = ["atomic_directory", "atomic_file", "atomic_path"]

_HINTS = {
    errno.ENOSPC: "; free some space or write elsewhere",
    errno.EDQUOT: "; the quota is used up",
    errno.EACCES: "; the user of this process may not write there",
    errno.EROFS: "; the file system is mounted read-only",
}


@contextlib.contextmanager
def atomic_file(path: str) -> Iterator[io.BufferedWriter]:
    """A binary file that takes the name `path` when the block ends well, and vanishes otherwise.

    The data is written without a name in the same directory (`harness.whole_files`), synced to the disk and
    given its name; missing parent directories are created. A reader sees the old file or the new one, and a
    process that is killed leaves no other. Within a run the ledger is told of the file.

    Raises:
        harness.exceptions.IoError: (an OSError) naming the path and the cause, chained.
    """
    path = os.path.abspath(path)
    with _recorded(path), whole_file(path, sync=True) as stream:
        yield stream


@contextlib.contextmanager
def atomic_path(path: str) -> Iterator[str]:
    """As `atomic_file`, for libraries that open files themselves: the block writes to the name it is given.

    Raises:
        harness.exceptions.IoError: (an OSError) naming the path and the cause, chained.
    """
    path = os.path.abspath(path)
    with _recorded(path), workspace(path) as temporary:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)


@contextlib.contextmanager
def atomic_directory(path: str) -> Iterator[str]:
    """A new directory that takes the name `path` when the block ends well, and vanishes otherwise.

    The block fills the directory whose temporary name it is given; then all that is in it is synced to the
    disk and renamed. A reader that opens `path` sees the old directory or the new one; where the file system
    cannot exchange two names at once, nothing for a moment between them. The old one is deleted, and one who
    still reads it finds files missing. Within a run the ledger is told of the directory.

    Raises:
        harness.exceptions.IoError: (an OSError) naming the path and the cause, chained.
    """
    path = os.path.abspath(path)
    with _recorded(path), workspace(path) as temporary:
        os.mkdir(temporary)
        yield temporary
        _sync_tree(temporary)
        if not os.path.isdir(path):
            # Of a file in its place: "not a directory".
            os.rename(temporary, path)
        else:
            exchange_names(temporary, path)


@contextlib.contextmanager
def _recorded(path: str) -> Iterator[None]:
    """Has the block make `path` in a directory that is there, makes that durable, and tells the ledger."""
    directory = os.path.dirname(os.path.abspath(path))
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        # It may be one further up that can't be made.
        raise _failure(path, error, f" ({error.filename})") from error
    try:
        yield
        # This makes the rename itself durable.
        _sync(directory, os.O_DIRECTORY)
        record_output(path)
    except IoError:
        raise
    except OSError as error:
        raise _failure(path, error, "") from error


def _failure(path: str, error: OSError, place: str) -> IoError:
    # Libraries put words of their own around the cause.
    cause = os.strerror(error.errno) if error.errno else error.strerror or error
    return IoError(f"cannot write {path}: {cause}{place}{_HINTS.get(error.errno or 0, '')}")


def _sync_tree(path: str) -> None:
    for folder, _, names in os.walk(path, topdown=False):
        for name in names:
            _sync(os.path.join(folder, name))
        _sync(folder, os.O_DIRECTORY)


def _sync(path: str, flags: int = 0) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
