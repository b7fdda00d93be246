# SPDX-License-Identifier: BSD-3-Clause
"""What a process holds that a test might leave behind: shared memory, child processes, open files."""

from __future__ import annotations

import gc
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Holdings", "left_behind"]

GRACE_S = 2.0
"""How long what is about to vanish may take: a process just killed, a segment of a test beside this one."""

SEGMENT_NAMES = ("pex-", "psm_", "sem.")
"""How the core and Python name shared memory. Other programs keep files of their own in /dev/shm."""

MARK = f"PEX_TESTS_{os.getpid()}"
"""In the environment of every program that a test starts, and of no other."""


@dataclass(frozen=True)
class Holdings:
    """What this process holds: its user's shared memory by name, children by pid, and open files."""

    segments: Counter[str]
    children: Counter[str]
    files: Counter[str]

    @classmethod
    def now(cls) -> Holdings:
        """Reads them from the kernel. Programs started from now on are marked as the tests' own."""
        os.environ[MARK] = "1"
        return cls(Counter(_segments().keys()), Counter(_children()), Counter(_open_files()))

    def beyond(self, before: Holdings) -> list[str]:
        """One line for everything held now and not before."""
        return [
            f"{kind}: {entry}"
            for kind in ("segments", "children", "files")
            for entry in (getattr(self, kind) - getattr(before, kind)).elements()
        ]


def left_behind(before: Holdings) -> list[str]:
    """What is held and was not before, once what is about to vanish has had its time."""
    leaked = Holdings.now().beyond(before)
    deadline = time.monotonic() + GRACE_S
    while leaked and time.monotonic() < deadline:
        # Again and again: what a thread holds that is about to end becomes garbage only then.
        gc.collect()
        time.sleep(0.02)
        # What comes only now is another program's.
        now = Holdings.now().beyond(before)
        leaked = [entry for entry in leaked if entry in now]
    foreign = {f"segments: {path}" for path in _segments_of_others()} if leaked else set()
    return [_described(entry) for entry in leaked if entry not in foreign]


def _segments() -> dict[str, int]:
    """The inodes of this user's shared memory, by path."""
    found = {}
    for path in Path("/dev/shm").glob("*"):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue
        if path.name.startswith(SEGMENT_NAMES) and status.st_uid == os.geteuid():
            found[str(path)] = status.st_ino
    return found


def _children() -> Iterator[str]:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        # As a rule there is none.
        return
    for _, _, pid, parent in _processes(_pids_of_children()):
        if parent == os.getpid():
            yield str(pid)


def _described(entry: str) -> str:
    """An entry as it is told: a child with its program and state, which may change while it is waited for."""
    kind, _, pid = entry.partition(": ")
    if kind != "children":
        return entry
    return next((f"{kind}: {name} in state {state}" for name, state, _, _ in _processes([pid])), entry)


def _pids_of_children() -> list[str]:
    """The children of every thread; where the kernel keeps no list of them, every process there is."""
    found = []
    for task in os.listdir("/proc/self/task"):
        try:
            found += Path("/proc/self/task", task, "children").read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            if not Path("/proc/thread-self/children").exists():
                return _all_pids()
    return found


def _all_pids() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def _processes(pids: list[str]) -> Iterator[tuple[str, str, int, int]]:
    """Of each of these processes: "pid (program)", state, pid, parent."""
    for pid in pids:
        try:
            name, _, rest = Path("/proc", pid, "stat").read_text().rpartition(") ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, parent = rest.split()[:2]
        yield f"{name})", state, int(pid), int(parent)


def _segments_of_others() -> set[str]:
    """What is mapped by processes that no test has started: other programs use the same names.

    Compared by inode: a mapping is shown under the name that its file was made under, and the C library
    makes a semaphore under another name than its own.
    """
    parents = {pid: parent for _, _, pid, parent in _processes(_all_pids())}
    mapped: set[int] = set()
    for pid in parents:
        line = [pid]
        while line[-1] in parents:
            line.append(parents[line[-1]])
        process = Path("/proc", str(pid))
        try:
            if os.getpid() in line or MARK.encode() in (process / "environ").read_bytes():
                continue
            maps = (process / "maps").read_text(errors="replace").splitlines()
        except OSError:
            continue
        mapped.update(int(mapping.split()[4]) for mapping in maps if "/dev/shm/" in mapping)
    return {path for path, inode in _segments().items() if inode in mapped}


def _open_files() -> Iterator[str]:
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(link)
        except FileNotFoundError:
            continue
        if target != f"/proc/{os.getpid()}/fd":
            yield f"{link.name} -> {target}"
