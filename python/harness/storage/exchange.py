# SPDX-License-Identifier: BSD-3-Clause
"""Two names of one file system change places, at once where the file system can."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets

__all__ = ["exchange_names"]

# From linux/fcntl.h and linux/fs.h.
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_CANNOT = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


def exchange_names(one: str, other: str) -> None:
    """What was called `one` is called `other` from now on, and the other way round.

    Where the kernel or the file system cannot do that in one step, as over NFS, `other` is missing for a
    moment in between.

    Raises:
        OSError: one of them does not exist, or names in its directory cannot be changed.
    """
    if _exchange_at_once(one, other):
        return
    aside = f"{one}.{secrets.token_hex(4)}"
    os.rename(other, aside)
    os.rename(one, other)
    os.rename(aside, one)


def _exchange_at_once(one: str, other: str) -> bool:
    library = ctypes.CDLL(None, use_errno=True)
    rename = getattr(library, "renameat2", None)
    if rename is None:
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), other)
