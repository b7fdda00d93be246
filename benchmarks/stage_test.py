# SPDX-License-Identifier: BSD-3-Clause
"""What a test of a stage costs: in the test's process, and in real slices.

    python benchmarks/stage_test.py [--rounds N] [--slices N]

A stage with both halves whose bodies do next to nothing. `runWorker`: one half in the calling thread.
`runSlices`: master and slices as processes, one item down and one up; the first call of a process, which
imports what all others need, is told apart. A bare fork with its wait, from the same process and in turn with
the tests, is the floor of one process. Processor time is that of the test's process and of all its children;
milliseconds, medians and extremes.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
from lsst.pex.harness.simpleStageTester import SimpleStageTester
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing, Stage
from lsst.pex.policy import Policy


class Give(SerialProcessing):
    """Hands an array down, and counts what comes up."""

    def preprocess(self, clipboard):
        clipboard.put("frame", np.ones((256, 256)), True)

    def postprocess(self, clipboard):
        clipboard.put("levels", clipboard.gather("level"))


class Level(ParallelProcessing):
    """Hands a number up."""

    def process(self, clipboard):
        clipboard.put("level", float(clipboard.get("frame").mean()), True)


class Both(Stage):
    """The tested stage."""

    serialClass = Give
    parallelClass = Level


class Alone(Stage):
    """Its parallel half with what it needs."""

    parallelClass = Level


def processor_s() -> float:
    """Processor time of this process and of its children that have ended, in seconds."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def cost(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor time of a call, in ms."""
    wall, processor = time.perf_counter(), processor_s()
    work()
    return (time.perf_counter() - wall) * 1e3, (processor_s() - processor) * 1e3


def in_slices(slices: int) -> None:
    """One test in slices. AssertionError where the stage has not done its work."""
    out = SimpleStageTester(Both(Policy())).runSlices([{} for _ in range(slices)])
    assert [clipboard.get("level") for clipboard in out] == [1.0] * slices


def in_process() -> None:
    """One test of one half."""
    out = SimpleStageTester(Alone(Policy())).runWorker({"frame": np.ones((256, 256))})
    assert out is not None and out.get("level") == 1.0


def bare_fork() -> None:
    """A process that ends at once."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def row(name: str, times: list[tuple[float, float]]) -> str:
    """Median and extremes of both times."""
    cells = [
        f"{statistics.median(one):8.2f} {min(one):8.2f} {max(one):8.2f}" for one in zip(*times, strict=True)
    ]
    return f"{name:<28} {cells[0]}   {cells[1]}   n {len(times)}"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--slices", type=int, default=2)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    first = [cost(lambda: in_slices(arguments.slices))]
    works: dict[str, Callable[[], None]] = {
        "bare fork and wait": bare_fork,
        "runWorker": in_process,
        f"runSlices, {arguments.slices} slices": lambda: in_slices(arguments.slices),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(arguments.rounds):
        for name, work in works.items():
            found[name].append(cost(work))
    print(f"load {load:.1f} before, {os.getloadavg()[0]:.1f} after, on {os.cpu_count()} cores")
    print(f"{'':<28} {'wall ms':^26}   {'processor ms':^26}")
    print(f"{'':<28} " + f"{'median':>8} {'least':>8} {'most':>8}   " * 2)
    print(row("runSlices, the first", first))
    for name, times in found.items():
        print(row(name, times))


if __name__ == "__main__":
    main()
