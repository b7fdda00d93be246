# SPDX-License-Identifier: BSD-3-Clause
"""The processes of a run, told apart from outside: by their parents and the order of their births."""

from __future__ import annotations

import random
import time
from pathlib import Path


class Processes:
    """Those whose command line names a run directory."""

    def __init__(self, run_dir: Path, master: int) -> None:
        self._mark = str(run_dir).encode()
        self._master = master
        self._first_children: list[int] = []

    def choose(self, kind: str, rng: random.Random) -> int | None:
        """A process of a kind (master, nursery, keeper, worker); `None` where there is none.

        The master's first two children are the nursery and the keeper; who came later is taken for a worker,
        also if it is a nursery that was made anew.
        """
        if kind == "master":
            return self._master
        children = self._children()
        if len(self._first_children) < 2:
            self._first_children = children[:2]
        place = {"nursery": 0, "keeper": 1}.get(kind)
        if place is not None:
            chosen = self._first_children[place : place + 1]
            return chosen[0] if chosen and chosen[0] in children else None
        workers = [pid for pid in children if pid not in self._first_children]
        return rng.choice(workers) if workers else None

    def left(self, seconds: float) -> list[int]:
        """Who is still there after so many seconds; returns as soon as nobody is."""
        deadline = time.monotonic() + seconds
        while (found := self._all()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return sorted(found)

    def _children(self) -> list[int]:
        """In the order in which the kernel lists them, that of their births: numbers begin anew some time."""
        try:
            listed = Path(f"/proc/{self._master}/task/{self._master}/children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            return []
        alive = self._all()
        return [int(pid) for pid in listed if int(pid) in alive]

    def _all(self) -> set[int]:
        """All that live; zombies are no more than a line of the kernel."""
        found = set()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if self._mark not in (entry / "cmdline").read_bytes():
                    continue
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if state != "Z":
                found.add(int(entry.name))
        return found
