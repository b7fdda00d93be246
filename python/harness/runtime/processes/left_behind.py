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
TRACKER = "resource_tracker"
"""In the command line of what removes semaphores and segments of others, once these have ended."""


class LeftBehind:
    """Knows, from the beginning of a run, which children of this process are not the run's."""

    def __init__(self) -> None:
        self._before = {(pid, start_time(pid)) for pid in _core.children()}
        self._thread = threading.get_native_id()

    def end(self, *, whole_process: bool, others: Collection[int] = ()) -> list[str]:
        """Ends what is left but `others`. Returns a text that names it, and one for what does not end.

        `whole_process`: this process does nothing but the run, so that every child is the run's. Else there
        may be threads that have children of their own: what counts is what the thread of the run has started,
        and orphans; and pools of multiprocessing that are left are the program's.
        """
        told: dict[int, str] = {}
        self._wait(whole_process, others)
        deadline = time.monotonic() + PATIENCE_S
        # What one leaves behind in turn is adopted as soon as it has ended.
        while found := list(self._find(whole_process, others)):
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

    def _wait(self, whole_process: bool, others: Collection[int]) -> None:
        """Until nothing is left, or a little while."""
        deadline = time.monotonic() + GRACE_S
        while any(not _reaped(pid) for pid in self._find(whole_process, others)):
            if time.monotonic() > deadline:
                return
            time.sleep(LOOK_S)

    def _find(self, whole_process: bool, others: Collection[int]) -> Iterator[int]:
        theirs = set(others) if whole_process else _of_multiprocessing().union(others)
        for pid in _core.children(0 if whole_process else self._thread):
            if pid not in theirs and (pid, start_time(pid)) not in self._before and not _is_tracker(pid):
                yield pid


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


def _command_line(pid: int | str) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


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
