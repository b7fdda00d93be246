# SPDX-License-Identifier: BSD-3-Clause
"""A million visits: whether memory, open files or blocks of the arena grow with them. The ledger does.

Usage: million.py [--visits N] [--slices N] [--arrays] [--seconds S] [--dir DIRECTORY]. Stages do next to
nothing; with --arrays, one of 128 KiB goes down to every slice and one comes up from each in every visit.
Samples the processes of the run at even distances and prints them. Exit code 1: something is larger at the
end than after the first fifth and 10 000 visits, in which caches and records of fixed size fill up; 3: too
few visits in --seconds to say.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from harness.runtime.records.statistics import MAX_SAMPLES

SAMPLES = 20
SETTLED, SETTLED_VISITS = 0.2, 10_000
"""From this part of the visits on, and from so many of them, nothing may grow."""
ALLOWED_KIB = 1024
"""By so much a process may be larger at the end: pages that an allocator has not given back."""
TIME_BYTES = 8
"""Of each time that the master keeps for its quantiles: the last `MAX_SAMPLES` of each half-step."""

STAGES = """
import json, os, time
import numpy as np
import harness
from harness import arrays
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing

EVERY, ARRAYS = int(os.environ["SAMPLE_EVERY"]), os.environ["ARRAYS"] == "1"
END = time.monotonic() + float(os.environ["SECONDS"])

def figures(pid):
    wanted = {}
    for line in open(f"/proc/{pid}/smaps_rollup"):
        name, _, value = line.partition(":")
        if name in ("Pss", "Pss_Anon", "Rss"):
            wanted[name] = int(value.split()[0])
    return {"pid": pid, "fds": len(os.listdir(f"/proc/{pid}/fd")), **wanted}

def children():
    own = os.getpid()
    found = []
    for task in os.listdir("/proc/self/task"):
        found += open(f"/proc/self/task/{task}/children").read().split()
    return sorted(map(int, found))

class Give(SerialProcessing):
    def preprocess(self, clipboard):
        clipboard.put("number", harness.current_visit(), True)
        clipboard.put("enough", time.monotonic() > END, True)
        if ARRAYS:
            clipboard.put("image", np.full(16384, 1.0), True)
    def postprocess(self, clipboard):
        visit = harness.current_visit()
        if clipboard.gather("sum") != [visit] * (self.universeSize - 1):
            raise ValueError(f"visit {visit}: the slices answered {clipboard.gather('sum')}")
        if visit == 1 or visit % EVERY == 0:
            stats = arrays._arena.stats()
            row = {"visit": visit, "blocks": stats["live_blocks"] + stats["busy_blocks"],
                   "committed": stats["committed_bytes"],
                   "processes": [figures(pid) for pid in (os.getpid(), *children())]}
            with open("samples", "a") as out:
                out.write(json.dumps(row) + "\\n")

class Answer(ParallelProcessing):
    def process(self, clipboard):
        clipboard.put("sum", clipboard.get("number"), True)
        if clipboard.get("enough"):
            clipboard.put("noMoreDatasets", True)
        if ARRAYS:
            clipboard.put("back", clipboard.get("image") * 2.0, True)
"""
POLICY = """
nSlices: {slices}
nWorkers: {workers}
arenaSize: "64 MiB"
appStage: {{
    name: "million"
    serialClass: "million_stages.Give"
    parallelClass: "million_stages.Answer"
}}
"""


@dataclass(frozen=True)
class Sample:
    """A run at the end of a visit. Memory in KiB and files by process: master, nursery, keeper, workers."""

    visit: int
    blocks: int
    committed: int
    pss: list[int]
    anonymous: list[int]
    files: list[int]


def run(folder: Path, visits: int, slices: int, with_arrays: bool, limit: float) -> float:
    """Runs so many visits, or as many as end within `limit` seconds; returns the seconds.

    Raises `CalledProcessError` when the run fails.
    """
    (folder / "million_stages.py").write_text(STAGES)
    (folder / "million.paf").write_text(POLICY.format(slices=slices, workers=max(1, slices)))
    command = [sys.executable, "-m", "harness.cli.main", "run", "million.paf", "r", "-s"]
    environment = {
        "PYTHONPATH": str(folder),
        "SAMPLE_EVERY": str(max(1, visits // SAMPLES)),
        "ARRAYS": str(int(with_arrays)),
        "SECONDS": str(limit),
    }
    begun = time.perf_counter()
    subprocess.run(
        [*command, "--visits", str(visits)], cwd=folder, check=True, env={**os.environ, **environment}
    )
    return time.perf_counter() - begun


def read_samples(path: Path) -> list[Sample]:
    """What the master's stage has noted."""
    samples = []
    for row in map(json.loads, path.read_text().splitlines()):
        of = row["processes"]
        samples.append(
            Sample(
                row["visit"],
                row["blocks"],
                row["committed"],
                [process["Pss"] for process in of],
                [process["Pss_Anon"] for process in of],
                [process["fds"] for process in of],
            )
        )
    return samples


def kept_kib(visits: int, slices: int) -> int:
    """What the times take that the master keeps after so many visits: of both serial halves and of slices."""
    times = 2 * min(visits, MAX_SAMPLES) + min(visits * slices, MAX_SAMPLES)
    return times * TIME_BYTES // 1024


def settled(samples: list[Sample]) -> Sample:
    """The first sample when caches were full."""
    settled = max(SETTLED * samples[-1].visit, SETTLED_VISITS)
    return next(sample for sample in samples if sample.visit >= settled)


def growth(samples: list[Sample], slices: int) -> list[str]:
    """What is larger at the end than it was when everything had settled."""
    first, last = settled(samples), samples[-1]
    found = []
    for place, (before, after) in enumerate(zip(first.anonymous, last.anonymous, strict=True)):
        kept = kept_kib(last.visit, slices) - kept_kib(first.visit, slices) if place == 0 else 0
        if after > before + ALLOWED_KIB + kept:
            found.append(f"private memory of process {place}: {before} KiB, then {after} KiB")
    for place, (before, after) in enumerate(zip(first.files, last.files, strict=True)):
        if after > before:
            found.append(f"open files of process {place}: {before}, then {after}")
    if last.blocks > first.blocks:
        found.append(f"blocks: {first.blocks}, then {last.blocks}")
    if last.committed > first.committed:
        found.append(f"committed bytes of the arena: {first.committed}, then {last.committed}")
    return found


def main() -> int:
    """Runs, prints, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=1_000_000)
    parser.add_argument("--slices", type=int, default=2, help="0: the master alone")
    parser.add_argument("--arrays", action="store_true", help="let arrays cross in every visit")
    parser.add_argument("--seconds", type=float, default=1e9, help="end early after so long")
    parser.add_argument("--dir", type=Path, help="where the run takes place (default: a temporary directory)")
    arguments = parser.parse_args()
    least = SETTLED_VISITS * SAMPLES // (SAMPLES - 1) + 1
    if arguments.visits < least:
        parser.error(f"--visits: expected {least} or more, for caches fill up first; saw {arguments.visits}")
    with tempfile.TemporaryDirectory(dir=arguments.dir) as name:
        folder = Path(name)
        seconds = run(folder, arguments.visits, arguments.slices, arguments.arrays, arguments.seconds)
        samples = read_samples(folder / "samples")
        ledger = sum(file.stat().st_size for file in (folder / "r").glob("ledger*"))
    visits = samples[-1].visit
    crossing = "an array each way" if arguments.arrays else "numbers only"
    print(
        f"{visits} visits, {arguments.slices} slices, {crossing}: {seconds:.1f} s,"
        f" {seconds / visits * 1e6:.0f} us a visit;"
        f" ledger {ledger / visits:.0f} bytes a visit"
    )
    print("processes: the master, its nursery, the keeper, the workers; memory in KiB")
    heads = f"{'visit':>9}  {'PSS of all':>10}  {'private memory of each':<32}  {'open files':<20}"
    print(f"{heads}  blocks  arena KiB")
    for sample in samples:
        private, files = (" ".join(map(str, values)) for values in (sample.anonymous, sample.files))
        print(
            f"{sample.visit:9d}  {sum(sample.pss):10d}  {private:<32}  {files:<20}  {sample.blocks:6d}"
            f"  {sample.committed // 1024:9d}"
        )
    if visits <= SETTLED_VISITS:
        print(f"million.py: {visits} visits are too few to say what grows", file=sys.stderr)
        return 3
    found = growth(samples, arguments.slices)
    for line in found:
        print(f"million.py: it grows: {line}", file=sys.stderr)
    first = settled(samples)
    kept = kept_kib(visits, arguments.slices) - kept_kib(first.visit, arguments.slices)
    print(
        f"{len(found) or 'nothing'} {'have' if found else 'has'} grown since caches were full, after visit"
        f" {first.visit}: files and blocks not at all, private memory by no more than {ALLOWED_KIB} KiB, and"
        f" the master's by {kept} KiB besides, for the times that its quantiles are taken from"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
