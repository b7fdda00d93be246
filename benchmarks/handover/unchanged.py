# SPDX-License-Identifier: BSD-3-Clause
"""An unchanged stage, (raw - bias) / flat, inside the harness and in one process of plain NumPy.

Usage: unchanged.py [--rounds N] [--slices N ...] [--sizes MIB ...]. Images are float32. Plain NumPy: a
raw image is made; then the expression, and one byte of each page of the result is read. Harness: the
master makes the raw image and puts it; every slice computes the expression and puts the result; the
master reads one byte of each page of each. "expression" is what the expression alone took; "to the
reader" is from the raw image to the last byte read, for all slices together. Every contender runs in a
fresh process per round, in turn; entries are the median of the rounds' medians / p99, and the ratio to
plain NumPy in the same round (median, least, greatest). With N slices, N images are made in the time of
one step. What the runs copied is read from their summaries.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from figures import Surroundings, quantile, ratio_of_rounds, short, table

REPETITIONS = 25
PLAIN = "plain NumPy"


def plain(mebibytes: int, rounds: int) -> dict[str, Any]:
    """Seconds of the expression, and from the raw image to the last byte read, in this process."""
    import numpy as np
    from bare import WARM, touch
    from handover_stages import calibrated
    from images import pixels

    count = pixels(mebibytes)
    base, bias, flat = (np.full(count, value, np.float32) for value in (9.0, 1.0, 0.5))
    found: dict[str, list[float]] = {"computed": [], "whole": []}
    for number in range(1, rounds + WARM + 1):
        raw = base + np.float32(number)
        start = time.perf_counter()
        image = (raw - bias) / flat
        computed = time.perf_counter() - start
        touch(image)
        whole = time.perf_counter() - start
        if not image[0] == image[-1] == calibrated(number):
            raise RuntimeError(f"expected {calibrated(number)}, saw {image[0]} and {image[-1]}")
        if number > WARM:
            found["computed"].append(computed)
            found["whole"].append(whole)
    return found


def child(slices: int, mebibytes: int, rounds: int) -> dict[str, Any]:
    """What one process measures; no slices: plain NumPy."""
    if slices == 0:
        return plain(mebibytes, rounds)
    from harness_runs import calibrate

    return calibrate(slices, mebibytes, rounds)


def measure(slices: int, mebibytes: int) -> dict[str, Any]:
    """Runs `child` in a fresh process. Raises `CalledProcessError` when it fails."""
    command = [sys.executable, __file__, "--child", str(slices), str(mebibytes), str(REPETITIONS)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=120)
    return json.loads(done.stdout.splitlines()[-1])


def entry(ours: list[list[float]], theirs: list[list[float]]) -> str:
    """Median / p99 in ms, and the ratio to the other one."""
    medians = [statistics.median(times) for times in ours]
    text = f"{short(statistics.median(medians) * 1e3)} / {short(quantile(sum(ours, []), 0.99) * 1e3)}"
    if ours is theirs:
        return text
    ratio, least, most = ratio_of_rounds(ours, theirs)
    return f"{text} ({short(ratio)}x, {short(least)}-{short(most)})"


def compare(mebibytes: int, slices: Sequence[int], rounds: int) -> None:
    """Prints the table of one size."""
    found: dict[int, list[dict[str, Any]]] = {count: [] for count in (0, *slices)}
    for _ in range(rounds):
        for count, results in found.items():
            results.append(measure(count, mebibytes))
    rows = []
    for count, results in found.items():
        row = [f"**harness**, N={count}" if count else PLAIN]
        for key in ("computed", "whole"):
            base = [result[key] for result in found[0]]
            row.append(entry([result[key] for result in results] if count else base, base))
        for key in ("copied", "shared"):
            row.append(f"{sum(result[key] for result in results):,}" if count else "-")
        rows.append(row)
    head = [f"{mebibytes} MiB", "expression, ms", "to the reader, ms", "bytes copied", "bytes shared"]
    print(table(head, rows))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slices", type=int, nargs="+", default=[1, 2], metavar="N")
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 64], metavar="MIB")
    parser.add_argument("--child", type=int, nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(*arguments.child)))
        return
    surroundings = Surroundings()
    print(f"An unchanged stage, (raw - bias) / flat, {arguments.rounds} rounds\n")
    for mebibytes in arguments.sizes:
        compare(mebibytes, arguments.slices, arguments.rounds)
    print(surroundings.text())


if __name__ == "__main__":
    main()
