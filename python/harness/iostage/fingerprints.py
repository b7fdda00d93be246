# SPDX-License-Identifier: BSD-3-Clause
"""Whether a file, or a directory that is one item, is what it was."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["Fingerprint", "fingerprint"]


@dataclass(frozen=True)
class Fingerprint:
    """What changes when a file is replaced or written to.

    Attributes:
        size: bytes of the file, or of all files of a directory.
        marks: device, inode, size and time of the last change of each.
    """

    size: int
    marks: tuple[tuple[str, int, int, int, int], ...]


def fingerprint(path: str) -> Fingerprint | None:
    """How a file or a directory looks now; None if it, or something in it, cannot be looked at."""
    try:
        marks = [_mark("", os.stat(path))]
        if os.path.isdir(path):
            for folder, _, names in os.walk(path, onerror=_fail):
                files = [os.path.join(folder, name) for name in names]
                marks += [_mark(file, os.stat(file)) for file in files]
    except OSError:
        return None
    size = marks[0][3] if len(marks) == 1 else sum(mark[3] for mark in marks[1:])
    return Fingerprint(size, tuple(sorted(marks)))


def _mark(name: str, found: os.stat_result) -> tuple[str, int, int, int, int]:
    return name, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _fail(error: OSError) -> None:
    raise error
