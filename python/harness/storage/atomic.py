# SPDX-License-Identifier: BSD-3-Clause
"""Writing a file so that its final name never shows a part of it."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator

from harness.exceptions import IoError
from harness.outputs import record_output
from harness.whole_files import whole_file

__all__ = ["atomic_file"]

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
    directory = os.path.dirname(path)
    _make_directories(directory, path)
    try:
        with whole_file(path, sync=True) as stream:
            yield stream
        _sync_directory(directory)
        record_output(path)
    except IoError:
        raise
    except OSError as error:
        raise _failure(path, error, "") from error


def _make_directories(directory: str, path: str) -> None:
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        # It may be one further up that can't be made.
        raise _failure(path, error, f" ({error.filename})") from error


def _failure(path: str, error: OSError, place: str) -> IoError:
    return IoError(
        f"cannot write {path}: {error.strerror or error}{place}{_HINTS.get(error.errno or 0, '')}"
    )


def _sync_directory(directory: str) -> None:
    """Make the rename itself durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
