# SPDX-License-Identifier: BSD-3-Clause
"""Processes that stages leave behind: at the end of a run they are ended, wherever they have gone, and named.

    a fork or a program of a serial half         is this process's child
    one of a slice, in a session of its own      is orphaned when its parent ends, and adopted by this process

Those of slices that have stayed in their worker's group end with it; what is here comes after that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from harness import _core
from harness.process_identity import start_time

GRACE_S = 0.2
"""For what is about to end by itself."""
PATIENCE_S = 2.0
LOOK_S = 0.001
LONGEST_NAME = 60
MARK = "PEX_HARNESS_RUN"
"""The variable that programs inherit which slices start."""
TRACKER = "resource_tracker"
"""In the command line of what removes semaphores and segments of others, once these have ended."""


class LeftBehind:
    """Knows, from the beginning of a run, which children of this process are not the run's."""

    def __init__(self) -> None:
        self._before = {(pid, start_time(pid)) for pid in _core.children()}
        self._mark = f"{MARK}={mark_of(os.getpid())}".encode()

    def end(self, others: Collection[int] = (), segments: Collection[int] | None = None) -> list[str]:
        """Ends what is left but `others`. Returns a text that names it, and one for what does not end.

        `segments` are the descriptors of the run's memory where this process does more than the run: then
        only forks that have that memory, and what slices have started, are the run's for certain; what
        objects of multiprocessing stand for is the program's. None: every child is the run's.
        """
        told: dict[int, str] = {}
        nodes = None if segments is None else {os.fstat(one).st_ino for one in segments}
        self._wait(others, nodes)
        deadline = time.monotonic() + PATIENCE_S
        # What one leaves behind in turn is adopted as soon as it has ended.
        while found := list(self._find(others, nodes)):
            if time.monotonic() > deadline:
                break
            for pid in found:
                if not _is_ending(pid):
                    told.setdefault(pid, _name(pid))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            found = [pid for pid in found if not _reaped(pid)]
            if found:
                time.sleep(LOOK_S)
        named = ", ".join(f"{name} (pid {pid})" for pid, name in told.items())
        texts = [f"stages have left processes behind, which were ended: {named}"] if told else []
        if found:
            numbers = ", ".join(map(str, found))
            texts.append(
                f"these have not ended {PATIENCE_S:g} s after SIGKILL, or are started anew all the time:"
                f" {numbers}"
            )
        return texts

    def _wait(self, others: Collection[int], nodes: set[int] | None) -> None:
        """Until nothing is left, or a little while."""
        deadline = time.monotonic() + GRACE_S
        while any(not _reaped(pid) for pid in self._find(others, nodes)):
            if time.monotonic() > deadline:
                return
            time.sleep(LOOK_S)

    def _find(self, others: Collection[int], nodes: set[int] | None) -> Iterator[int]:
        theirs = set(others) if nodes is None else _of_multiprocessing().union(others)
        for pid in _core.children():
            if pid in theirs or (pid, start_time(pid)) in self._before or _is_tracker(pid):
                continue
            if nodes is None or self._mark in _read(pid, "environ").split(b"\0") or _maps(pid, nodes):
                yield pid


def mark_of(master_pid: int) -> str:
    """What `MARK` is in the environment of workers of that master's."""
    return f"{master_pid}-{start_time(master_pid)}"


def threads_left() -> list[str]:
    """The names of threads that would keep this process from ending."""
    return [
        thread.name
        for thread in threading.enumerate()
        if not thread.daemon and thread is not threading.main_thread()
    ]


def _of_multiprocessing() -> set[int]:
    """The processes that objects of multiprocessing in this process stand for: they see to their end."""
    module = sys.modules.get("multiprocessing.process")
    children = module._children if module is not None else ()  # type: ignore[attr-defined]
    return {child.pid for child in list(children) if child.pid is not None}


def _reaped(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _read(pid: int | str, name: str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return b""


def _maps(pid: int, nodes: set[int]) -> bool:
    """Whether a process has one of these files of this user's mapped."""
    fields = (line.split(None, 5) for line in _read(pid, "maps").splitlines() if b"pex-" in line)
    return any(int(words[4]) in nodes for words in fields)


def _command_line(pid: int | str) -> bytes:
    return _read(pid, "cmdline")


def _is_ending(pid: int) -> bool:
    """Whether a process has ended, or somebody has sent it SIGKILL already."""
    if start_time(pid) is None or not _command_line(pid):
        return True
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines():
            name, _, value = line.partition(":")
            if name in ("SigPnd", "ShdPnd") and int(value, 16) >> (signal.SIGKILL - 1) & 1:
                return True
    return False


def _is_tracker(pid: int) -> bool:
    return TRACKER.encode() in _command_line(pid)


def _name(pid: int) -> str:
    line = _command_line(pid)
    if line == _command_line("self"):
        return "a fork"
    words = " ".join(line.decode("utf-8", "replace").split("\0")).strip()
    return repr(words if len(words) <= LONGEST_NAME else f"{words[:LONGEST_NAME]}...")
