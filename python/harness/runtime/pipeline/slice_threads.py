# SPDX-License-Identifier: BSD-3-Clause
"""The slices of a run as an embedding program sees them: like threads, as in the DC3b harness."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_S = 0.01
NOBODY = -1
"""The number of no process: that of a slice whose process was ended before it was there."""


class SliceThread:
    """One slice: `rank`, the process that runs it, whether that lives. Slices may share a process.

    `find` gives that process's number, 0 while it is being born, `NOBODY` if there
    will be none; `runs` says whether a process has not ended.
    """

    def __init__(self, rank: int, find: Callable[[], int], runs: Callable[[int], bool]) -> None:
        self.rank = rank
        self._find = find
        self._runs = runs

    @property
    def pid(self) -> int:
        """The number of its process; 0 while that is being born."""
        return self._find()

    def getName(self) -> str:
        """`Slice<rank>`, as its log file is called."""
        return f"Slice{self.rank}"

    @property
    def name(self) -> str:
        """The same."""
        return self.getName()

    def is_alive(self) -> bool:
        """Whether the slice's process has not ended yet."""
        pid = self.pid
        return pid == 0 or self._runs(pid)

    isAlive = is_alive

    def join(self, timeout: float | None = None) -> None:
        """Waits until the slice's process has ended, for at most `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.is_alive() and (deadline is None or time.monotonic() < deadline):
            time.sleep(LOOK_S)

    def __repr__(self) -> str:
        return f"<{self.getName()} in process {self.pid}>"
