# SPDX-License-Identifier: BSD-3-Clause
"""Where the time of empty steps goes: samples of the master and its workers, by the part of the harness.

Usage: where.py [--slices N] [--workers W] [--steps N] [--threshold T] [--rate HZ] [--flamegraph FILE].
Needs py-spy (`pip install py-spy`), and the right to trace processes. Prints a table: per cent of the samples
in which the main thread of the master, or of a worker, was not waiting for the other side. py-spy stops a
process for each sample, so that these shares are more to be trusted than times; what a step takes is said by
empty_run.py. A sample belongs to the part that the innermost frame names which names any. `--flamegraph`
draws the same samples (.png or .svg); functions of the core have names where the package was installed with
its symbols: `pip install -C install.strip=false .`
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from flame import draw, name_of  # noqa: E402
from harness.cli.table import counted  # noqa: E402

WAITING = "waiting"
PARTS = [
    (name, re.compile(pattern))
    for name, pattern in (
        (WAITING, r"sched_yield|^syscall \(libc"),
        ("stage code", r"empty_stages\.py"),
        ("ledger", r"harness/ledger/(?!progress)|sqlite"),
        ("statistics, spans", r"records/statistics\.py|empty_run\.py"),
        ("logs", r"harness/log/|halves/blocks\.py|_records\."),
        ("output marks", r"stage_output\.py"),
        ("recorder, progress", r"records/recording\.py|ledger/progress\.py"),
        ("isolation, random state", r"isolation\.py|streams\.py"),
        ("publishing", r"harness/transport/"),
        ("stage base classes", r"stage/processing\.py"),
        ("MasterHalf", r"halves/master\.py"),
        ("SliceHalf", r"halves/slice\.py"),
        ("Half", r"halves/half\.py"),
        ("WorkerHooks", r"processes/worker\.py|harness/current\.py|harness/queue\.py"),
        ("queues, compiled steps", r"_steps\.|_steps\.pyx|\.pxi"),
        ("clipboard", r"_clipboard\."),
        ("taking the interpreter", r"take_gil|drop_gil|PyEval_(Restore|Save)Thread|PyGILState"),
        ("C++ loops, bindings", r"_core\."),
    )
]
LOOPS = {"master": "Pipeline._run_stages ", "workers": "_live (harness/runtime/processes/worker.py"}
UNTOLD = re.compile(r"pybind11::|call_with|outcome_of|Run::run_(master|worker)|^0x|^Py_DECREF")
"""Frames between a loop and what it calls that say nothing."""


def parts_of(folded: Iterable[str]) -> dict[str, Counter[str]]:
    """Samples of each side by part; a line has a stack's frames, the outermost first, and their count."""
    found = {side: Counter[str]() for side in LOOPS}
    for side, frames, count in samples_of(folded):
        found[side][_part(frames)] += count
    return found


def stacks_of(folded: Iterable[str]) -> dict[str, Counter[tuple[str, ...]]]:
    """Samples of each side outside waiting, by the short names of the functions, the outermost first."""
    found = {side: Counter[tuple[str, ...]]() for side in LOOPS}
    for side, frames, count in samples_of(folded):
        if _part(frames) != WAITING:
            found[side][tuple(name_of(frame) for frame in frames if not UNTOLD.search(frame))] += count
    return found


def samples_of(folded: Iterable[str]) -> Iterator[tuple[str, list[str], int]]:
    """Side, frames below the call of its loop, and count of each sample that is of a side."""
    for line in folded:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        for side, loop in LOOPS.items():
            inside = [at for at, frame in enumerate(frames) if loop in frame]
            if inside:
                yield side, frames[inside[0] + 1 :], int(count)


def _part(frames: list[str]) -> str:
    for frame in reversed(frames):
        for name, pattern in PARTS:
            if pattern.search(frame):
                return name
    return "other"


def record(arguments: argparse.Namespace, path: Path) -> None:
    """Runs empty steps under py-spy, and leaves their samples. Ends the program when it can't."""
    program = [sys.executable, str(HERE / "empty_run.py")]
    sizes = [arguments.slices, arguments.workers, arguments.steps, arguments.threshold]
    done = subprocess.run(
        ["py-spy", "record", "--native", "--subprocesses", "-r", str(arguments.rate),
         "-f", "raw", "-o", str(path), "--", *program, *map(str, sizes)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0 or not path.exists():
        sys.exit(f"py-spy has failed ({done.returncode}): {done.stderr[-1000:]}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slices", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--steps", type=int, default=60_000)
    parser.add_argument("--threshold", type=int, default=10)
    parser.add_argument("--rate", type=int, default=500, help="samples a second (default 500)")
    parser.add_argument("--flamegraph", type=Path)
    arguments = parser.parse_args()
    if shutil.which("py-spy") is None:
        sys.exit("py-spy is not installed: pip install py-spy")
    with tempfile.TemporaryDirectory() as name:
        folded = Path(name) / "folded"
        record(arguments, folded)
        lines = folded.read_text().split("\n")
    found = parts_of(lines)
    sizes = f"{counted(arguments.slices, 'slice')}, {counted(arguments.workers, 'worker')}"
    print(f"{sizes}, threshold {arguments.threshold},"
          f" load {os.getloadavg()[0]:.1f}; per cent of the samples outside waiting")
    for side, samples in found.items():
        working = sum(samples.values()) - samples.pop(WAITING, 0)
        print(f"\n{side}, {working} samples")
        for part, count in samples.most_common():
            print(f"  {part:<26}{100 * count / working:6.1f}")
    if arguments.flamegraph is not None:
        what = f"Empty steps, {counted(arguments.slices, 'slice')} on {counted(arguments.workers, 'worker')}"
        draw(stacks_of(lines), arguments.flamegraph, what)


if __name__ == "__main__":
    main()
