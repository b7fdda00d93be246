# SPDX-License-Identifier: BSD-3-Clause
"""Files without a path, that processes reach through descriptors and that vanish with the last one."""

from __future__ import annotations

import contextlib
import errno
import os

__all__ = ["memory_file", "read_whole"]


def memory_file(name: str) -> int:
    """The descriptor of a new empty file in memory; its name begins with `name` among a process's open files.

    Raises `OSError` when neither the kernel nor the directory for temporary files has room for one.
    """
    with contextlib.suppress(AttributeError):
        try:
            return os.memfd_create(name, os.MFD_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise
    # Where the kernel or a filter refuses it: a file whose name is gone does as well. Seldom
    # needed, and ten modules.
    import tempfile

    descriptor, path = tempfile.mkstemp(prefix=name)
    os.unlink(path)
    return descriptor


def read_whole(descriptor: int) -> bytes:
    """All of a file, whatever its position is, which others may share and which stays as it is."""
    parts, at = [], 0
    while part := os.pread(descriptor, 1 << 20, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)
