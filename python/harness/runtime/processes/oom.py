# SPDX-License-Identifier: BSD-3-Clause
"""Whether the kernel's OOM killer was at work: its counters of this control group, before and after."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path


class OomWatch:
    """Counts what the OOM killer ended since it was made, or last asked.

    The counter of this process's control group counts its own processes only; where there is none (no
    memory controller, the root group) that of the machine does. `root` is the root of the file system.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._places = list(_counters(root))
        self._seen = self._count()

    def new_kills(self) -> int | None:
        """How many processes it has ended since the last time; `None` where the kernel does not count."""
        now = self._count()
        before, self._seen = self._seen, now
        return None if now is None or before is None else now - before

    def sender_of(self, signalled: bool, code: int) -> str:
        """What it says about the end of a process, by signal or exit code, that has just been seen."""
        killed = signalled and code == signal.SIGKILL
        return describe_kill(self.new_kills()) if killed else ""

    def _count(self) -> int | None:
        for path in self._places:
            if (count := _read(path)) is not None:
                # Only the first that counts: a fallback would count the same process again.
                self._places = [path]
                return count
        return None


def describe_kill(new_kills: int | None) -> str:
    """What the counter says about a process that SIGKILL has ended, to be put behind the signal's name.

    Nothing where the OOM killer was not at work.
    """
    if new_kills is None:
        return " (the kernel does not tell whether from the OOM killer)"
    return " from the OOM killer, for want of memory," if new_kills > 0 else ""


def _counters(root: Path) -> Iterator[str]:
    """The files that may have a counter, the best first."""
    groups = f"{root}/sys/fs/cgroup"
    text = ""
    with contextlib.suppress(OSError), open(f"{root}/proc/self/cgroup") as file:
        text = file.read()
    for line in text.splitlines():
        _number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if "memory" in controllers.split(","):
            # A container without a namespace of its own sees its group as the root of the mount.
            yield f"{groups}/memory{path}/memory.oom_control"
            yield f"{groups}/memory/memory.oom_control"
        elif not controllers:
            yield f"{groups}{path}/memory.events"
            yield f"{groups}/memory.events"
    yield f"{root}/proc/vmstat"


def _read(path: str) -> int | None:
    with contextlib.suppress(OSError, ValueError), open(path) as file:
        for line in file:
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return None
