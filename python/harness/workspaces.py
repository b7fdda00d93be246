# SPDX-License-Identifier: BSD-3-Clause
"""Places for what is to get a name when it is complete: beside that name, hidden, gone afterwards.

A process that is killed can't tidy up. The place is therefore the same in every process, and locked while one
works there: whoever writes the same path after a death finds it without a lock, and takes it over. Who finds
it in use, or works where directories can't be locked (NFS), makes one of its own, which a death then leaves.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

__all__ = ["temporary_name", "workspace"]

NAME_MAX = 255


@contextlib.contextmanager
def workspace(path: str) -> Iterator[str]:
    """A name on the file system of `path` that nothing has, and that nobody else uses while the block runs.

    What the block makes of it, and has not renamed by its end, is removed. The directory of `path` must be
    there. Raises `OSError`.
    """
    folder = f"{temporary_name(path)[:-4]}.new.tmp"
    descriptor = _occupy(folder)
    if descriptor < 0:
        folder = _own_name(path)
        os.mkdir(folder)
    try:
        try:
            yield os.path.join(folder, os.path.basename(temporary_name(path)))
        except BaseException:
            with contextlib.suppress(OSError):
                _remove(folder)
            raise
        _remove(folder)
    finally:
        # Only now may others have the place.
        if descriptor >= 0:
            os.close(descriptor)


def _occupy(folder: str) -> int:
    """Has this process alone work in a directory, which is empty then, until the descriptor is closed.

    -1: that is not to be had.
    """
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Who had it before may have removed it in between.
        if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
            _clear(folder)
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return -1


def _clear(folder: str) -> None:
    left = os.listdir(folder)
    if left:
        # Here, and not above: every process of a run imports this module, and few find something.
        import shutil

        for name in left:
            one = os.path.join(folder, name)
            if os.path.isdir(one) and not os.path.islink(one):
                shutil.rmtree(one)
            else:
                os.unlink(one)


def _remove(folder: str) -> None:
    _clear(folder)
    os.rmdir(folder)


def temporary_name(path: str) -> str:
    """The name of a file for a moment before it is `path`: in the same directory, another for every path."""
    directory, name = os.path.split(path)
    hidden = f".{name}.tmp"
    if len(os.fsencode(hidden)) > NAME_MAX - 30:
        # Here, and not above: every process of a run imports this module, and names are not so long.
        import hashlib

        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
        hidden = f".{name[:40]}.{digest}.tmp"
    return os.path.join(directory, hidden)


def _own_name(path: str) -> str:
    """As `temporary_name`, but of this process and this call alone."""
    return f"{temporary_name(path)[:-4]}.{os.getpid()}-{os.urandom(4).hex()}.tmp"
