# SPDX-License-Identifier: BSD-3-Clause
"""What the harness costs when stages do nothing: starting a run, and passing empty visits.

Usage: startup.py [--rounds N] [--visits N]. Prints medians and extremes over fresh processes. A bare
interpreter that imports NumPy is timed in turn with the runs: the floor of the same machine and moment.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

POLICY = """
nSlices: {slices}
startMethod: "{method}"
arenaSize: "64 MiB"
appStage: {{
    name: "nothing"
    serialClass: "lsst.pex.harness.stage.NoOpSerialProcessing"
    parallelClass: "{parallel}"
}}
"""
THREADED = """
import threading
from lsst.pex.harness.stage import NoOpParallelProcessing as Nothing
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
"""A module that keeps workers from being forked."""

NOTHING = "lsst.pex.harness.stage.NoOpParallelProcessing"
WAYS = {
    "fork": ("fork", NOTHING),
    "nursery by exec": ("exec", NOTHING),
    "workers by exec": ("exec", "threaded.Nothing"),
}
"""Policy files, by their name: startMethod and parallelClass."""


def wall(command: list[str], folder: str) -> float:
    """Seconds that a command takes. Ends the program with what it says when it fails."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with exit code {done.returncode}:\n{done.stderr}")
    return seconds


def run_command(visits: int, *options: str, way: str = "fork") -> list[str]:
    """A run of so many visits whose processes start that way."""
    return [
        sys.executable,
        "-m",
        "harness.cli.main",
        "run",
        f"{way}.paf",
        "r",
        "--visits",
        str(visits),
        *options,
    ]


def describe(name: str, seconds: list[float]) -> str:
    """One line: median and extremes in milliseconds."""
    return (
        f"{name:60s} median {statistics.median(seconds) * 1e3:8.1f} ms   min {min(seconds) * 1e3:8.1f}"
        f"   max {max(seconds) * 1e3:8.1f}   n {len(seconds)}"
    )


def print_ratios(times: dict[str, list[float]]) -> None:
    """What a start takes beside that of a run whose processes are forked, in the same round."""
    *_, forked, nursery, workers = times
    for name in (nursery, workers):
        ratios = sorted(mine / theirs for mine, theirs in zip(times[name], times[forked], strict=True))
        low, middle, high = ratios[0], statistics.median(ratios), ratios[-1]
        print(f"{name}: {middle:.2f} x fork ({low:.2f} to {high:.2f})")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--visits", type=int, default=10_000)
    parser.add_argument("--slices", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "threaded.py").write_text(THREADED)
        for way, (method, parallel) in WAYS.items():
            text = POLICY.format(slices=arguments.slices, method=method, parallel=parallel)
            Path(folder, f"{way}.paf").write_text(text)
        commands = {"python -c 'import numpy'": [sys.executable, "-c", "import numpy"]}
        commands |= {
            f"pex-harness run, 1 visit, {arguments.slices} slices, {way}": run_command(1, way=way)
            for way in WAYS
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for command in commands.values():
            wall(command, folder)
        for _ in range(arguments.rounds):
            for name, command in commands.items():
                times[name].append(wall(command, folder))
        for name, seconds in times.items():
            print(describe(name, seconds))
        print_ratios(times)
        starts = next(seconds for name, seconds in times.items() if name.endswith("fork"))
        for name, options in (("INFO and above not logged", ["-q"]), ("default logs (TRACE)", [])):
            total = wall(run_command(arguments.visits, *options), folder) - statistics.median(starts)
            rows = json.loads(Path(folder, "r", "summary.json").read_text())["stages"]
            made = {row["step"]: row["count"] for row in rows}
            if made["preprocess"] != arguments.visits:
                raise SystemExit(f"expected {arguments.visits} visits, saw calls of {made}")
            each = total / arguments.visits * 1e6
            print(f"{arguments.visits} empty visits, {name}: {total:.2f} s, {each:.0f} us a visit")
            for row in rows:
                median, p99 = row["median_ms"] * 1e3, row["p99_ms"] * 1e3
                print(f"    {row['step']:12s} median {median:7.1f} us   p99 {p99:7.1f} us")


if __name__ == "__main__":
    main()
