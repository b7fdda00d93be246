# SPDX-License-Identifier: BSD-3-Clause
"""Cores and threads of workers: how many threads each may have, whether it keeps to that, and pinning."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.log import Log

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
MOST_NAMES = 5


def limit_threads(workers: int) -> None:
    """Shares the cores among the workers' thread pools; a variable the operator has set stays."""
    threads = max(1, len(os.sched_getaffinity(0)) // max(1, workers))
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, str(threads))


def thread_budget() -> int:
    """How many threads a worker may have: the most that one of the variables allows."""
    values = (os.environ.get(name, "").partition(",")[0].strip() for name in THREAD_VARIABLES)
    return max((int(value) for value in values if value.isdecimal()), default=1)


def pin(worker: int) -> int:
    """Keeps this process to one of the cores it may use, in turn by the worker's number; returns the core."""
    cores = sorted(os.sched_getaffinity(0))
    core = cores[worker % len(cores)]
    os.sched_setaffinity(0, {core})
    return core


class ThreadCheck:
    """Compares, once, how many threads a worker has with what it may have."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self._done = False

    def __call__(self, log: Log) -> None:
        """Warns when there are more. Does nothing from the second call on."""
        if self._done:
            return
        self._done = True
        names = thread_names(Path("/proc/self/task"), _threads_of_the_harness())
        budget = thread_budget()
        if len(names) > budget:
            shown = ", ".join(f"{name} ({count})" for name, count in Counter(names).most_common(MOST_NAMES))
            log.warn(
                f"worker {self._worker} has {len(names)} threads after its first visit, and its share of the"
                f" cores is {budget}: {shown}. Libraries that don't follow {THREAD_VARIABLES[0]} and its like"
                " have to be told otherwise, or workers stand in each other's way"
            )


def _threads_of_the_harness() -> set[int]:
    """Threads that wait for files most of the time, told by the names that the harness gives to its own."""
    own = (thread for thread in threading.enumerate() if thread.name.startswith("pex-harness "))
    return {thread.native_id for thread in own if thread.native_id is not None}


def thread_names(folder: Path, without: Collection[int] = ()) -> list[str]:
    """The names that the threads of a process have, the first one's first, some left out by their ids."""
    names = []
    for entry in sorted(folder.iterdir(), key=lambda path: int(path.name)):
        if int(entry.name) in without:
            continue
        try:
            names.append((entry / "comm").read_text().strip())
        except OSError:
            # It has just ended.
            continue
    return names
