# SPDX-License-Identifier: BSD-3-Clause
"""How much a spool may keep, and how long: in a file beside it, so that all who use it go by the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from harness.events.errors import SpoolError
from harness.whole_files import write_atomically

__all__ = ["DEFAULT_LIMITS", "SpoolLimits", "read_limits", "write_limits"]

FILE = "limits.json"
MOST_BYTES = 4096
"""Of the file."""


class SpoolLimits(NamedTuple):
    """`max_bytes` of events; `keep_s` seconds for events that nobody waits for, and for silent receivers."""

    max_bytes: int = 1 << 30
    keep_s: float = 7 * 86400.0

    def changed(self, *, max_bytes: int | None, keep_s: float | None) -> SpoolLimits:
        """With other values where they are not `None`."""
        return self._replace(
            max_bytes=self.max_bytes if max_bytes is None else max_bytes,
            keep_s=self.keep_s if keep_s is None else keep_s,
        )


DEFAULT_LIMITS = SpoolLimits()


def read_limits(directory: Path) -> SpoolLimits:
    """The limits of the spool in a directory. Raises `SpoolError` for a file that holds none."""
    path = directory / FILE
    try:
        with path.open("rb") as stream:
            found = json.loads(stream.read(MOST_BYTES))
        limits = SpoolLimits(found["max_bytes"], found["keep_s"])
        if type(limits.max_bytes) is int and type(limits.keep_s) in (int, float) and limits.max_bytes > 0:
            return limits
    except FileNotFoundError:
        return DEFAULT_LIMITS
    except OSError as error:
        raise SpoolError(f"event spool {directory}: reading {FILE}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError):
        pass
    raise SpoolError(
        f"event spool {directory}: {FILE} is damaged: expected an object such as"
        ' {"max_bytes": 1073741824, "keep_s": 604800.0}; correct it, or remove it, which gives the defaults'
    )


def write_limits(directory: Path, limits: SpoolLimits) -> None:
    """Writes them. Raises `SpoolError`."""
    text = json.dumps({"max_bytes": limits.max_bytes, "keep_s": limits.keep_s})
    try:
        write_atomically(directory / FILE, text.encode())
    except OSError as error:
        raise SpoolError(f"event spool {directory}: writing {FILE}: {error.strerror}") from error
