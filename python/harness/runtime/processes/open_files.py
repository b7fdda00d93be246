# SPDX-License-Identifier: BSD-3-Clause
"""What is told where a process has no file descriptor left: how many there are, and what most of them are."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
from collections import Counter

from harness.errors import HarnessError

MOST_LOOKED_AT = 1 << 16
SPARE = 8


class OutOfFiles(HarnessError):
    """A process of the run may open no more files. The message says which are open."""


class SpareFiles:
    """Descriptors that are kept so that a run which has no other can still tell, and record, how it ends."""

    def __init__(self) -> None:
        self._kept: list[int] = []
        try:
            self._kept.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
            while len(self._kept) < SPARE:
                self._kept.append(fcntl.fcntl(self._kept[0], fcntl.F_DUPFD_CLOEXEC, 0))
        except OSError:
            # Where so few are to be had, none must be idle.
            self.give_back()

    def give_back(self) -> None:
        """Lets others have them. Safe to call twice."""
        while self._kept:
            os.close(self._kept.pop())


def out_of_files(error: OSError) -> OutOfFiles | None:
    """What to raise in the place of `error`; `None` if that has another cause."""
    if error.errno not in (errno.EMFILE, errno.ENFILE):
        return None
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    names = _open_files(limit if limit != resource.RLIM_INFINITY else MOST_LOOKED_AT)
    # By hand: who has no descriptor left can't import what the Counter sorts with.
    ranked = sorted(names.items(), key=lambda item: -item[1])
    most = ", ".join(f"{name} ({count})" for name, count in ranked[:3])
    what = f" {error.filename}" if error.filename else ""
    return OutOfFiles(
        f"{error.strerror}:{what} can't be opened in the master, which has {sum(names.values())} files open,"
        f" and may have {limit}; most are {most}. Stages have to close what they open; else raise the limit"
        " (ulimit -n)"
    )


def _open_files(limit: int) -> Counter[str]:
    """How often files are open in this process. Opens none itself, not even a directory."""
    names: Counter[str] = Counter()
    for number in range(min(limit, MOST_LOOKED_AT)):
        with contextlib.suppress(OSError):
            names[os.readlink(f"/proc/self/fd/{number}").partition(":[")[0]] += 1
    return names
