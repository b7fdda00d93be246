# SPDX-License-Identifier: BSD-3-Clause
"""What it costs, or saves, that unchanged NumPy code allocates in the arena.

Usage: born_shared.py [--rounds N] [--sizes MIB ...] [--repetitions N]. Four passes over arrays of
float64 (x = a-b; y = x*f; z = x-y; c = z/f), each with a new result: plain NumPy; NumPy with glibc
told to keep its memory; births in the arena. Every round runs each of them in a fresh process, in
turn; ratios are of the medians of one round, of wall time and of the thread's processor time, which
other programs on the machine disturb less. Excluded are imports, the inputs, and the first passes,
in which pages are new for everybody; the last line of a size shows those of the arena. Also
printed: what one birth costs next to one malloc, and what a fork costs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

# No size is mapped by itself (a threshold above 32 MiB is not accepted), and nothing is given back.
KEEP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
WAYS = {"plain NumPy": {}, "glibc keeps memory": KEEP, "arena": {}}
WARM_UP = 5


def chains(mebibytes: int, repetitions: int) -> list[tuple[float, float]]:
    """Seconds (wall, processor) of each repetition of the four passes, warm-up included."""
    import numpy as np

    count = mebibytes * (1 << 20) // 8
    a, b, f = np.full(count, 3.0), np.full(count, 1.0), np.full(count, 0.5)
    times = []
    for _ in range(repetitions + WARM_UP):
        start, start_cpu = time.perf_counter(), time.thread_time()
        x = a - b
        y = x * f
        z = x - y
        c = z / f
        del x, y, z
        times.append((time.perf_counter() - start, time.thread_time() - start_cpu))
        assert c[0] == c[-1] == 2.0
    return times


def each(
    call: Callable[[], object], repetitions: int, clock: Callable[[], int] = time.thread_time_ns
) -> float:
    """Median nanoseconds of a call, over 20 batches; of processor time if not told otherwise."""
    batches = []
    for _ in range(20):
        start = clock()
        for _ in range(repetitions // 20):
            call()
        batches.append((clock() - start) / (repetitions // 20))
    return statistics.median(batches)


def fork_and_wait() -> None:
    """One fork whose child ends at once."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def child(way: str, mebibytes: int, repetitions: int) -> dict[str, object]:
    """What one process measures."""
    import numpy as np

    with ExitStack() as stack:
        if way == "arena":
            import harness
            from harness import _core, arrays

            run = _core.Run(max(1 << 30, 16 * mebibytes << 20), 1, 1, 1)
            run.attach_master()
            arrays.use_arena(run.arena)
            stack.enter_context(harness.shared_arrays())
        if mebibytes:
            return {"chains": chains(mebibytes, repetitions)}
        kept = np.full(1 << 20, 1, np.uint8)
        calls, forks = (max(20, repetitions),) * 2 if repetitions else (100_000, 400)
        figures = {
            "empty of 64 KiB": each(lambda: np.empty(1 << 16, np.uint8), calls),
            "empty of 1 KiB": each(lambda: np.empty(1 << 10, np.uint8), calls),
            "fork and wait": each(fork_and_wait, forks, time.perf_counter_ns),
        }
        assert kept[0] == 1
        return figures


def measure(way: str, mebibytes: int, repetitions: int) -> dict[str, object]:
    """Runs `child` in a fresh process."""
    command = [sys.executable, __file__, "--child", way, str(mebibytes), str(repetitions)]
    done = subprocess.run(
        command, env={**os.environ, **WAYS[way]}, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def quantile(times: list[float], fraction: float) -> float:
    """Nearest rank, in milliseconds."""
    return sorted(times)[min(len(times) - 1, int(fraction * len(times)))] * 1e3


def of_plain(runs: list[list], plain: list[list], clock: int) -> str:
    """The ratio to plain NumPy in the same round: median, and the extremes."""
    medians = [
        [statistics.median(times[clock] for times in run[WARM_UP:]) for run in way] for way in (runs, plain)
    ]
    ratios = [ours / theirs for ours, theirs in zip(*medians, strict=True)]
    return f"{statistics.median(ratios):5.2f} ({min(ratios):.2f} .. {max(ratios):.2f})"


def compare(mebibytes: int, rounds: int, repetitions: int) -> None:
    """Prints the table of one size."""
    found: dict[str, list[list]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            found[way].append(measure(way, mebibytes, repetitions)["chains"])
    print(f"\nfour passes over {mebibytes} MiB, {rounds} rounds of {repetitions}")
    for way, runs in found.items():
        warm = [wall for run in runs for wall, _ in run[WARM_UP:]]
        plain = found["plain NumPy"]
        print(
            f"    {way:20s} median {quantile(warm, 0.5):8.3f} ms   p99 {quantile(warm, 0.99):8.3f}"
            f"   of plain: wall {of_plain(runs, plain, 0)}, processor {of_plain(runs, plain, 1)}"
        )
    first = [run[0][0] for run in found["arena"]]
    print(f"    {'arena, the first':20s} median {statistics.median(first) * 1e3:8.3f} ms")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 4, 16, 64], metavar="MIB")
    parser.add_argument("--repetitions", type=int, help="of what is timed in a round (default: by size)")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        way, mebibytes, repetitions = arguments.child
        print(json.dumps(child(way, int(mebibytes), int(repetitions))))
        return
    for mebibytes in arguments.sizes:
        repetitions = arguments.repetitions or max(20, 2000 // mebibytes)
        compare(mebibytes, arguments.rounds, repetitions)
    print("\nsingle calls, median ns")
    for way in ("plain NumPy", "arena"):
        figures = measure(way, 0, arguments.repetitions or 0)
        print(f"    {way:20s} " + "   ".join(f"{name} {value:.0f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
