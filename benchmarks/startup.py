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
arenaSize: "64 MiB"
appStage: {{
    name: "nothing"
    serialClass: "lsst.pex.harness.stage.NoOpSerialProcessing"
    parallelClass: "lsst.pex.harness.stage.NoOpParallelProcessing"
}}
"""


def wall(command: list[str], folder: str) -> float:
    """Seconds that a command takes. Raises `CalledProcessError` when it fails."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def run_command(visits: int, *options: str) -> list[str]:
    """A run of so many visits."""
    return [
        sys.executable,
        "-m",
        "harness.cli.main",
        "run",
        "empty.paf",
        "r",
        "--visits",
        str(visits),
        *options,
    ]


def describe(name: str, seconds: list[float]) -> str:
    """One line: median and extremes in milliseconds."""
    return (
        f"{name:44s} median {statistics.median(seconds) * 1e3:8.1f} ms   min {min(seconds) * 1e3:8.1f}"
        f"   max {max(seconds) * 1e3:8.1f}   n {len(seconds)}"
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--visits", type=int, default=10_000)
    parser.add_argument("--slices", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "empty.paf").write_text(POLICY.format(slices=arguments.slices))
        bare = [sys.executable, "-c", "import numpy"]
        wall(bare, folder), wall(run_command(1), folder)
        floors, starts = [], []
        for _ in range(arguments.rounds):
            floors.append(wall(bare, folder))
            starts.append(wall(run_command(1), folder))
        print(describe("python -c 'import numpy'", floors))
        print(describe(f"pex-harness run, 1 empty visit, {arguments.slices} slices", starts))
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
