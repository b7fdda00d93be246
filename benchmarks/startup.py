# SPDX-License-Identifier: BSD-3-Clause
"""What starting costs, and passing empty visits: imports, the parts of a start, the first visit, memory.

Usage: startup.py [--rounds N] [--visits N]. Prints medians and extremes over fresh processes. A bare
interpreter, and one that imports NumPy, are timed in turn with the runs: the floor of the same machine and
moment. The parts of a start, and memory, are those of a run whose slices make an image of 16 MiB each visit.
Memory is looked at after the last visit: PSS, in which shared pages count once, and the most of the arena
that was committed.
"""

from __future__ import annotations

import argparse
import json
import os
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

HERE = Path(__file__).parent
MAKING = """
nSlices: {slices}
arenaSize: "512 MiB"
appStage: {{
    name: "makes"
    parallelClass: "startup_stages.Makes"
}}
"""
WARN, STARTED_VISITS = 10, 6
IN_BYTES = ("PSS", "arena high-water", "arena at the end")
"""How figures begin that are bytes; the others are seconds."""
IMPORTS = {
    "python -c pass": "pass",
    "python -c 'import numpy'": "import numpy",
    "python -c 'import harness'": "import harness",
    "import of a stage module's base classes": "import lsst.pex.harness.stage",
}


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


def child(slices: int, folder: str) -> dict[str, float]:
    """Seconds of the parts of a start, and bytes of memory, of a run in this process."""
    from harness.bench.memory import family, pss_bytes
    from harness.runtime.pipeline.pipeline import Pipeline

    sys.path.insert(0, str(HERE))
    pipeline = Pipeline("r", Path(folder, "making.paf"), run_dir=Path(folder, "p"), max_visits=STARTED_VISITS)
    pipeline.setLogThreshold(WARN)
    found: dict[str, float] = {}
    begun: list[float] = []
    ended: list[float] = []

    def progress(visit: int, stage: str) -> None:
        (begun if stage else ended).append(time.perf_counter())
        if not stage and visit == STARTED_VISITS:
            everybody = {pid: pss_bytes(pid) for pid in family(os.getpid())}
            workers = {one.pid for one in pipeline.getSliceThreadList()}
            found["PSS of all"] = sum(everybody.values())
            found["PSS of a worker"] = statistics.median(everybody[pid] for pid in workers)
            found["PSS of the master"] = everybody[os.getpid()]

    def timed(name: str, call) -> None:
        start = time.perf_counter()
        call()
        found[name] = time.perf_counter() - start

    pipeline.on_progress = progress
    timed("policy, run directory, log", pipeline.initializeLogger)
    timed("arena, nursery, imports of stages, ledger", pipeline.configurePipeline)
    pipeline.initializeQueues()
    timed("set-up of the serial halves", pipeline.initializeStages)
    pipeline.startShutdownThread()
    start = time.perf_counter()
    timed("forking the workers", pipeline.startSlices)
    pipeline.startStagesLoop()
    found["forking, until all slices are set up"] = begun[0] - start
    found["the first visit"] = ended[0] - begun[0]
    later = [end - before for before, end in zip(ended, ended[1:], strict=False)]
    found["a later visit"] = statistics.median(later)
    pipeline.close()
    summary = json.loads(Path(folder, "p", "summary.json").read_text())
    # Unless memory is short, freed blocks stay committed: what is committed at the end is the most that was.
    trimmed = summary["arena"]["blocks_trimmed"]
    name = f"arena at the end, {trimmed} blocks given back" if trimmed else "arena high-water"
    found[name] = summary["arena"]["committed_bytes"]
    return found


def parts_of_a_start(slices: int, rounds: int, folder: str) -> None:
    """Prints the medians of `child` in fresh processes."""
    Path(folder, "making.paf").write_text(MAKING.format(slices=slices))
    command = [sys.executable, __file__, "--child", str(slices), folder]
    every = []
    for _ in range(rounds):
        done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
        every.append(json.loads(done.stdout.splitlines()[-1]))
    print(f"a start, and memory, {slices} slices that make 16 MiB each")
    for name in every[0]:
        values = [one[name] for one in every]
        unit, factor = ("MiB", 1 / (1 << 20)) if name.startswith(IN_BYTES) else ("ms", 1e3)
        low, middle, high = min(values) * factor, statistics.median(values) * factor, max(values) * factor
        print(f"    {name:44s} median {middle:8.2f} {unit}   min {low:8.2f}   max {high:8.2f}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--visits", type=int, default=10_000)
    parser.add_argument("--slices", type=int, default=2)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(child(int(arguments.child[0]), arguments.child[1])))
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "threaded.py").write_text(THREADED)
        for way, (method, parallel) in WAYS.items():
            text = POLICY.format(slices=arguments.slices, method=method, parallel=parallel)
            Path(folder, f"{way}.paf").write_text(text)
        commands = {name: [sys.executable, "-c", text] for name, text in IMPORTS.items()}
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
        parts_of_a_start(arguments.slices, arguments.rounds, folder)
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
