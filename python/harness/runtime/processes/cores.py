# SPDX-License-Identifier: BSD-3-Clause
"""Cores and threads of workers: how many threads each may have, whether it keeps to that, where it runs."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from harness.log import Log

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
MOST_NAMES = 5
MOST_PLACES = 8


def limit_threads(workers: int) -> None:
    """Shares the cores among the workers' thread pools; a variable the operator has set stays."""
    os.environ.update(_thread_variables(len(os.sched_getaffinity(0)), workers))


def _thread_variables(cores: int, workers: int) -> dict[str, str]:
    """What the variables are in a worker."""
    threads = str(max(1, cores // max(1, workers)))
    return {name: os.environ.get(name, threads) for name in THREAD_VARIABLES}


def _words_for_threads(cores: int, workers: int) -> str:
    variables = _thread_variables(cores, workers)
    shares = {value for name, value in variables.items() if name not in os.environ}
    if not shares and len(set(variables.values())) == 1:
        shares = set(variables.values())
    words = f"{' '.join(shares)} for the threads of each".lstrip()
    as_set = [f"{name}={value}" for name, value in variables.items() if value not in shares]
    return f"{words}, as set: {', '.join(as_set)}" if as_set else words


def thread_budget() -> int:
    """How many threads a worker may have: the most that one of the variables allows."""
    values = (os.environ.get(name, "").partition(",")[0].strip() for name in THREAD_VARIABLES)
    return max((int(value) for value in values if value.isdecimal()), default=1)


NODES = Path("/sys/devices/system/node")
TASKS = Path("/proc/self/task")


def nodes(folder: Path = NODES) -> dict[int, list[int]]:
    """The cores that this process may use, by memory node; node 0 has all where the kernel does not tell."""
    usable = os.sched_getaffinity(0)
    found = {}
    for name in _entries(folder):
        number = name.removeprefix("node")
        if number == name or not number.isdecimal():
            continue
        try:
            with open(f"{folder}/{name}/cpulist") as file:
                cores = usable & set(_numbers(file.read()))
        except (OSError, ValueError):
            continue
        if cores:
            found[int(number)] = sorted(cores)
    if set().union(*found.values()) != usable:
        return {0: sorted(usable)}
    return dict(sorted(found.items()))


def _entries(folder: Path) -> list[str]:
    # Every worker looks when it is born: without pathlib's patterns, which cost it a millisecond.
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _numbers(text: str) -> Iterator[int]:
    """The numbers of a list as the kernel writes it: ``0-3,8``."""
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


class Place(NamedTuple):
    """Where a worker runs: on these cores, of this memory node (`None`: of whichever)."""

    node: int | None
    cores: list[int]


def place_of(worker: int, pinned: bool, cores_of: dict[int, list[int]]) -> Place:
    """Where worker `worker` (from 0) belongs, on a machine whose nodes have these cores.

    Workers go round the nodes in turn, and in each round its cores, so that all memory is used by equally
    many. Pinned, a worker has one core; else all of its node, where there is more than one node: what it
    allocates is committed by itself, and so lies in that node's memory.
    """
    if not pinned and len(cores_of) == 1:
        return Place(None, sorted(next(iter(cores_of.values()))))
    rounds = max(map(len, cores_of.values()))
    turns = [
        (node, cores[number])
        for number in range(rounds)
        for node, cores in cores_of.items()
        if number < len(cores)
    ]
    node, core = turns[worker % len(turns)]
    return Place(node, [core] if pinned else cores_of[node])


def keep_to_place(worker: int, pinned: bool) -> str:
    """Keeps this process where it belongs. Returns words for the place; empty if it may run anywhere."""
    place = place_of(worker, pinned, nodes())
    if place.node is None:
        return ""
    os.sched_setaffinity(0, place.cores)
    return f"core {place.cores[0]}" if pinned else f"the cores of memory node {place.node}"


def describe_places(n_workers: int, pinned: bool) -> list[str]:
    """Words for how a run uses the machine."""
    cores_of = nodes()
    cores = sum(map(len, cores_of.values()))
    on = f"{cores} usable core{'s' if cores > 1 else ''}"
    if len(cores_of) > 1:
        on += f" of {len(cores_of)} memory nodes"
    threads = _words_for_threads(cores, n_workers)
    lines = [f"{n_workers} worker{'s' if n_workers > 1 else ''} on {on}, {threads}"]
    for worker in range(n_workers):
        place = place_of(worker, pinned, cores_of)
        if place.node is None:
            return [*lines, "no worker is pinned; all memory is equally near"]
        kept = "core" if pinned else "cores"
        lines.append(f"worker {worker}: {kept} {', '.join(map(str, place.cores))}, memory node {place.node}")
        if worker == MOST_PLACES and n_workers > MOST_PLACES + 2:
            return [*lines, f"and so on for {n_workers - worker - 1} workers more"]
    return lines


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
        if len(_entries(TASKS)) <= 1:
            return
        names = thread_names(TASKS, _threads_of_the_harness())
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
