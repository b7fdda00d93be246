# SPDX-License-Identifier: BSD-3-Clause
"""Small files of a run that others read at any time: there whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["write_atomically"]


def write_atomically(path: Path, data: bytes) -> None:
    """Writes `data` under a name that nobody looks for, then renames it. Raises `OSError`.

    It survives the death of this process, not of the machine: what stages write is synced, by
    `harness.storage.atomic`. Missing parent directories are created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
