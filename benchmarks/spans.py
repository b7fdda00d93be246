# SPDX-License-Identifier: BSD-3-Clause
"""What a span costs who writes it: the record that every half-step leaves in shared memory.

Usage: spans.py [--rounds N] [--spans N] [--program FILE]. Two looks at the clock and a record of 64 bytes in
the ring, in C++ as in the loop (spans.cpp, which 'make bench' and 'make test-cpp' build), beside two looks at
the clock from Python.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / "build" / "cpp" / "benchmarks" / "spans"


def of_python(rounds: int, times: int) -> list[float]:
    """Nanoseconds of two looks at the clock."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        for _ in range(times):
            time.perf_counter_ns()
            time.perf_counter_ns()
        found.append((time.perf_counter_ns() - start) / times)
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--spans", type=int, default=100_000, help="of each round")
    parser.add_argument("--program", type=Path, default=PROGRAM)
    arguments = parser.parse_args()
    if not arguments.program.exists():
        sys.exit(f"{arguments.program} is not built: 'make bench' and 'make test-cpp' build it")
    command = [str(arguments.program), str(arguments.rounds), str(arguments.spans)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with exit code {done.returncode}: {done.stderr.strip()}")
    found = {
        "a span": [float(line) for line in done.stdout.split()],
        "two looks at the clock from Python": of_python(arguments.rounds, arguments.spans),
    }
    for name, times in found.items():
        print(
            f"{name:36s} median {statistics.median(times):8.1f} ns   min {min(times):8.1f}"
            f"   max {max(times):8.1f}"
        )


if __name__ == "__main__":
    main()
