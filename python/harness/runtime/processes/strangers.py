# SPDX-License-Identifier: BSD-3-Clause
"""What is no good to a process that forks: threads, which a fork takes away, and open GPU devices.

A process forked beside a thread lacks it, and keeps for ever the locks that it held. OpenBLAS's threads are
no strangers: it ends them at a fork and starts them anew.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import Counter
from pathlib import Path

from harness.runtime.processes.cores import THREAD_VARIABLES, thread_budget, thread_names

GPU_DEVICES = ("/dev/nvidia", "/dev/kfd", "/dev/dri/")
CURE = "start it in setup() or later, not when the module is imported"
MOST_NAMED = 3


def strangers() -> list[str]:
    """What a fork from this thread would leave behind, or spoil: a text for each kind of thing."""
    texts = [f"thread {text}" for text in _threads().values()]
    if (more := _native_count() - _native_allowed()) > 0:
        texts.append(f"{_counted(more)} of a library ({_named()})")
    return texts + [f"the open GPU device {device}" for device in sorted(_devices())]


class ImportWatch:
    """Tells what each import has left behind, once."""

    def __init__(self) -> None:
        self._threads, self._native, self._devices = _threads(), _native_count(), _devices()

    def look(self, what: str) -> list[str]:
        """A text for each kind of thing that is new since the last look; `what` has been imported since."""
        texts = []
        threads, native, devices = _threads(), _native_count(), _devices()
        for ident in threads.keys() - self._threads.keys():
            texts.append(f"importing {what} started thread {threads[ident]}")
        known = max(self._native, _native_allowed())
        if native > known:
            more = _counted(native - known)
            texts.append(f"importing {what} started {more} of a library (now: {_named()})")
        for device in sorted(devices - self._devices):
            texts.append(f"importing {what} opened the GPU device {device}")
        self._threads, self._native, self._devices = threads, native, devices
        return texts


def _threads() -> dict[int, str]:
    """Python's threads but the calling one: their names, and where they are."""
    frames = sys._current_frames()
    found = {}
    for thread in threading.enumerate():
        if thread is threading.current_thread() or thread.ident is None:
            continue
        frame = frames.get(thread.ident)
        while frame is not None and frame.f_code.co_filename == threading.__file__:
            frame = frame.f_back
        place = f" at {frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""
        found[thread.ident] = f"{thread.name!r}{place}"
    return found


def _native_count() -> int:
    """Threads that Python knows nothing about."""
    return len(os.listdir("/proc/self/task")) - threading.active_count()


def _native_allowed() -> int:
    """How many of them are OpenBLAS's: each copy of the library may have the budget, the caller included."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/maps").read_text("utf-8", "replace").splitlines()
        copies = {line.split()[-1] for line in lines if "openblas" in line}
        return len(copies) * (_openblas_threads() - 1)
    return 0


def _openblas_threads() -> int:
    """How many threads each copy has: the budget, or one for every core where nobody has set one."""
    limited = any(os.environ.get(name) for name in THREAD_VARIABLES)
    return thread_budget() if limited else len(os.sched_getaffinity(0))


def _counted(threads: int) -> str:
    return "1 thread" if threads == 1 else f"{threads} threads"


def _named() -> str:
    names = Counter(thread_names(Path("/proc/self/task"))).most_common(MOST_NAMED)
    return ", ".join(f"{name} ({count})" for name, count in names)


def _devices() -> set[str]:
    """The GPU devices that are open."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{name}")
            if target.startswith(GPU_DEVICES):
                found.add(target)
    return found
