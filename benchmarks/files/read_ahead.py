# SPDX-License-Identifier: BSD-3-Clause
"""What reading ahead gains: visits of a stage that reads and one that computes, with and without it.

Usage: read_ahead.py [--rounds N] [--visits N] [--side N] [--folder DIR]. One slice reads a FITS image of
float32 per visit, plain, gzipped or tile-compressed, and then computes about as long as the reading lasts, in
NumPy, which lets other threads run. Runs with and without `readAhead: 1` take turns. "limit" is the time of
one of the two steps, and "hidden" the part of the reading that does not show any more. The files lie in the
page cache. Visits before the second are not counted.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from harness.runtime.pipeline.pipeline import Pipeline

STAGES = """
import time
import numpy
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing


class Compute(ParallelProcessing):
    def setup(self):
        self.until = self.policy.getDouble("seconds")

    def process(self, clipboard):
        frame = clipboard.get("frame")
        assert frame[0, 0] == float(self.sum_of(frame))
        begin = time.perf_counter()
        scratch = numpy.empty_like(frame)
        while time.perf_counter() - begin < self.until:
            numpy.multiply(frame, 1.5, out=scratch)

    def sum_of(self, frame):
        return frame[-1, -1]
"""
KINDS = {"plain": "fits", "gzipped": "fits.gz", "compressed": "fits.fz"}


def write_images(folder: Path, side: int, kind: str, visits: int) -> None:
    """One file per visit, each with a number of its own in its corners."""
    import numpy
    from harness.storage import storage_named

    noise = numpy.random.default_rng(1).normal(1000, 30, (side, side)).astype("f4")
    for visit in range(1, visits + 1):
        noise[0, 0] = noise[-1, -1] = visit
        storage_named("FitsStorage").write(str(folder / f"{kind}-{visit}.{KINDS[kind]}"), noise)


def visit_seconds(folder: Path, kind: str, ahead: int, visits: int, seconds: float) -> float:
    """Median time of a visit."""
    import time

    (folder / "night.paf").write_text(f"""
nSlices: 1
arenaSize: "1 GiB"
logThreshold: 5
appStage: {{
    name: "read"
    parallelClass: "harness.iostage.InputStageParallel"
    stagePolicy: {{
        parameters: {{
            readAhead: {ahead}
            inputItems: {{
                frame: {{
                    pythonType: "numpy.ndarray"
                    storagePolicy: {{
                        storage: FitsStorage
                        location: "{folder}/{kind}-%(visitNumber).{KINDS[kind]}"
                    }}
                }}
            }}
        }}
    }}
}}
appStage: {{
    name: "compute"
    parallelClass: "read_ahead_stage.Compute"
    stagePolicy: {{
        seconds: {seconds!r}
    }}
}}
""")
    run = Pipeline("b", folder / "night.paf", run_dir=folder / "run", workers=1, max_visits=visits)
    marks: list[float] = []
    run.on_progress = lambda visit, stage: marks.append(time.perf_counter()) if not stage else None
    run.run()
    if len(marks) != visits or run.lost_slices:
        raise SystemExit(f"expected {visits} visits, saw {len(marks)}")
    if run.statistics.partial_visits:
        raise SystemExit("a visit has failed: see the log in the run directory")
    return statistics.median(b - a for a, b in zip(marks[1:], marks[2:], strict=False))


def main() -> None:
    """Prints a line per kind of file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--visits", type=int, default=8)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--folder", type=Path, help="where the files lie (default: the system's)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        (folder / "read_ahead_stage.py").write_text(STAGES)
        sys.path.insert(0, str(folder))
        print("ms per visit         reading  computing   in turn    ahead    limit   hidden")
        for kind in KINDS:
            write_images(folder, arguments.side, kind, arguments.visits)
            reading = visit_seconds(folder, kind, 0, arguments.visits, 0.0)
            rows = []
            for turn in range(arguments.rounds):
                found = {}
                for ahead in (0, 1) if turn % 2 else (1, 0):
                    found[ahead] = visit_seconds(folder, kind, ahead, arguments.visits, reading)
                rows.append((found[0], found[1], (found[0] - found[1]) / reading))
            in_turn, ahead_s, hidden = (statistics.median(column) for column in zip(*rows, strict=True))
            figures = (reading, reading, in_turn, ahead_s, reading)
            print(f"{kind:18}" + "".join(f"{value * 1e3:10.1f}" for value in figures) + f"{hidden:8.0%}")
            for path in folder.glob(f"{kind}-*"):
                path.unlink()


main()
