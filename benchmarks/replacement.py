# SPDX-License-Identifier: BSD-3-Clause
"""What a worker's death costs: until it is seen, until the fresh worker is at work, and the whole visit.

Usage: replacement.py [--deaths N]. In every visit one slice kills its worker once; the other goes on. A bare
process that forks a child and is told of its death by a pidfd is timed before and after: the floor.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STAGES = """
import os, signal, time
import numpy as np
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing

class Give(SerialProcessing):
    visit = 0
    def preprocess(self, clipboard):
        self.visit += 1
        clipboard.put("visit", self.visit, True)
        clipboard.put("image", np.ones(100_000), True)

class Dies(ParallelProcessing):
    def process(self, clipboard):
        begun = time.monotonic_ns()
        visit = clipboard.get("visit")
        if self.rank != 0:
            return
        if not os.path.exists(f"died-{visit}"):
            with open(f"died-{visit}", "w") as out:
                out.write(str(time.monotonic_ns()))
            os.kill(os.getpid(), signal.SIGKILL)
        with open("back", "a") as out:
            out.write(f"{visit} {begun}\\n")
"""
POLICY = """
nSlices: 2
nWorkers: 2
arenaSize: "64 MiB"
appStage: {
    name: "dies"
    serialClass: "replacement_stages.Give"
    parallelClass: "replacement_stages.Dies"
}
"""


def quantile(values: list[float], fraction: float) -> float:
    """The value below which `fraction` of the values lie (nearest rank)."""
    return sorted(values)[min(len(values) - 1, int(fraction * len(values)))]


def describe(name: str, values: list[float]) -> str:
    """One line: quantiles in milliseconds."""
    return (
        f"{name:52s} median {quantile(values, 0.5):7.2f} ms   p90 {quantile(values, 0.9):7.2f}"
        f"   p99 {quantile(values, 0.99):7.2f}   max {max(values):7.2f}   n {len(values)}"
    )


def bare_detection() -> float:
    """Milliseconds from a child's last act to its parent's pidfd being readable."""
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write_fd, str(time.monotonic_ns()).encode())
        os.kill(os.getpid(), signal.SIGKILL)
    pidfd = os.pidfd_open(pid)
    select.select([pidfd], [], [])
    seen = time.monotonic_ns()
    os.waitpid(pid, 0)
    died = int(os.read(read_fd, 64))
    for descriptor in (read_fd, write_fd, pidfd):
        os.close(descriptor)
    return (seen - died) / 1e6


def run(folder: Path, deaths: int) -> dict:
    """Runs so many visits with a death each. Returns the summary; raises where the run fails."""
    (folder / "replacement_stages.py").write_text(STAGES)
    (folder / "dying.paf").write_text(POLICY)
    command = [sys.executable, "-m", "harness.cli.main", "run", "dying.paf", "r", "--visits", str(deaths)]
    subprocess.run(
        command,
        cwd=folder,
        check=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    summary = json.loads((folder / "r" / "summary.json").read_text())
    if len(summary["deaths"]) != deaths or summary["partial_visits"]:
        raise SystemExit(f"replacement.py: {deaths} deaths expected, {len(summary['deaths'])} seen")
    return summary


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deaths", type=int, default=200, help="how many workers die")
    deaths = parser.parse_args().deaths
    bare = [bare_detection() for _ in range(deaths // 2)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        summary = run(folder, deaths)
        died = {visit: int((folder / f"died-{visit}").read_text()) for visit in range(1, deaths + 1)}
        back = dict(map(int, line.split()) for line in (folder / "back").read_text().splitlines())
    bare += [bare_detection() for _ in range(deaths - deaths // 2)]
    seen = {death["visit"]: death["seen_ns"] for death in summary["deaths"]}
    print(describe("floor: fork, kill, pidfd", bare))
    for text, times in (("death seen", seen), ("death to the fresh worker's process()", back)):
        print(describe(text, [(times[visit] - died[visit]) / 1e6 for visit in died]))


if __name__ == "__main__":
    main()
