# SPDX-License-Identifier: BSD-3-Clause
"""Writing a file so that its final name never shows a part of it."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
from collections.abc import Iterator

from harness.exceptions import IoError
from harness.outputs import record_output

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

    The data is written under a temporary name in the same directory, synced to the disk and
    renamed; missing parent directories are created. A reader sees the old file or the new one. Within a
    run the ledger is told of the file.

    Raises:
        harness.exceptions.IoError: (an OSError) naming the path and the cause, chained.
    """
    directory, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(directory, f".{name[:100]}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        os.makedirs(directory, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        _sync_directory(directory)
        record_output(path)
    except IoError:
        raise
    except OSError as error:
        # Making directories may fail further up.
        place = "" if error.filename in (None, path, temporary) else f" ({error.filename})"
        raise IoError(
            f"cannot write {path}: {error.strerror or error}{place}{_HINTS.get(error.errno or 0, '')}"
        ) from error


def _sync_directory(directory: str) -> None:
    """Make the rename itself durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
