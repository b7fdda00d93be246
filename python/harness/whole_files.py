# SPDX-License-Identifier: BSD-3-Clause
"""Files that others read at any time: there whole, or not at all.

A file is written without a name, where the file system can do that (O_TMPFILE), and gets its name when it is
complete: a process that is killed while it writes leaves nothing behind. An existing file can only be
replaced by another name, `.NAME.tmp`, which is there for a moment; it is the same in every process, so that
whoever writes the file again after a death in that moment takes it away. Other file systems have
`harness.workspaces`.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path

from harness.workspaces import temporary_name, workspace

__all__ = ["whole_file", "write_atomically"]

UNABLE = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.EPERM)
"""How file systems and kernels say that they have no files without names, or give them none later."""


@contextlib.contextmanager
def whole_file(path: str, *, sync: bool) -> Iterator[io.BufferedWriter]:
    """A binary file that takes the name `path` when the block ends well, and vanishes otherwise.

    With `sync`, its data is on the disk before it has the name. The directory must be there.
    Raises `OSError`.
    """
    descriptor = _open_nameless(os.path.dirname(path) or ".")
    if descriptor < 0:
        with workspace(path) as temporary:
            with open(temporary, "xb") as stream:
                yield stream
                _flush(stream, sync)
            os.replace(temporary, path)
        return
    with os.fdopen(descriptor, "wb") as stream:
        yield stream
        _flush(stream, sync)
        _name(descriptor, temporary_name(path), path)


def _flush(stream: io.BufferedWriter, sync: bool) -> None:
    stream.flush()
    if sync:
        os.fsync(stream.fileno())


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a small file whole. Raises `OSError`.

    It survives the death of this process, not of the machine: what stages write is synced, by
    `harness.storage.atomic`. Missing parent directories are created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(os.fspath(path), sync=False) as stream:
        stream.write(data)


def _open_nameless(directory: str) -> int:
    """A descriptor of a new file without a name; -1 where there is no such thing."""
    if not os.path.exists("/proc/self/fd"):
        return -1
    try:
        return os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    except OSError as error:
        # Who may not write there, or has no space, learns it from the same error as for a file with a name.
        if error.errno in UNABLE:
            return -1
        raise


def _name(descriptor: int, temporary: str, path: str) -> None:
    """Gives a file its name.

    Writers of one path share the temporary name, and none of them removes it: who finds it taken puts its own
    file in the place of the other, as if it had written `path` a moment later.
    """
    try:
        _link(descriptor, temporary)
    except FileExistsError:
        with workspace(path) as own:
            _link(descriptor, own)
            os.replace(own, temporary)
    try:
        os.replace(temporary, path)
    except FileNotFoundError:
        # Another has moved it, which was this file or one that had taken its place, to where it belongs.
        if not os.path.isfile(path):
            raise
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _link(descriptor: int, name: str) -> None:
    # The descriptor of a directory is not looked at; that there is one makes links be followed.
    os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=descriptor)
