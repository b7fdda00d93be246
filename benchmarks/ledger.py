# SPDX-License-Identifier: BSD-3-Clause
"""What the ledger costs: a visit's entries without a run around them, and visits with and without a ledger.

    python benchmarks/ledger.py [--visits N] [--folder DIR]

The first table is the master's time per visit in the ledger alone (beginning, outcomes, times, end), on the
file system of DIR; "each" waits for the disk at every visit. The second runs pipelines of one empty stage
without the ledger's calls, and with them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from harness.ledger import Ledger, StageTime, VisitRecord
from harness.runtime.pipeline import pipeline as pipelines
from harness.runtime.pipeline.pipeline import Pipeline

ROW = {
    "run_id": "b", "pipeline": "b", "pid": 1, "started": 1.0, "slices": 0, "workers": 0, "stages": "[]",
    "policy_file": "", "policy": "", "policy_sha256": "", "code": "{}", "host": "", "cores": 1,
    "command": "[]", "directory": "",
}
STEPS = (("preprocess", -1), ("process", 0), ("postprocess", -1))
STAGES = "from lsst.pex.harness.stage import ParallelProcessing\n\n\nclass Empty(ParallelProcessing):\n" \
    "    def process(self, clipboard):\n        pass\n"


def time_entries(folder: Path, slices: int, stages: int, visits: int, wait: bool) -> list[float]:
    """Seconds per visit."""
    ledger = Ledger(folder / f"{slices}-{stages}-{wait}.sqlite")
    ledger.begin_run({**ROW, "slices": slices}, resumed_series=None)
    times = [
        StageTime(rank if step == "process" else -1, stage, step, 1.0, 0.1)
        for stage in range(1, stages + 1)
        for step, first in STEPS
        for rank in (range(slices) if first == 0 else (-1,))
    ]
    spent = []
    for visit in range(1, visits + 1):
        begin = time.perf_counter()
        record = VisitRecord(slices, stages, visit)
        ledger.begin_visit(visit, record.started)
        record.reached = stages
        ledger.end_visit(record, times, [])
        if wait:
            ledger.sync()
        spent.append(time.perf_counter() - begin)
    ledger.close()
    return spent


def time_run(folder: Path, name: str, slices: int, visits: int) -> float:
    """Microseconds per visit of a run."""
    (folder / "night.paf").write_text(
        f'nSlices: {slices}\narenaSize: "64 MiB"\nlogThreshold: 20\n'
        'appStage: {\n    name: "empty"\n    parallelClass: "ledger_stage.Empty"\n}\n'
    )
    run = Pipeline("b", folder / "night.paf", run_dir=folder / name, workers=slices, max_visits=visits)
    marks: list[float] = []
    run.on_progress = lambda visit, stage: marks.append(time.perf_counter()) if not stage else None
    run.run()
    warm = len(marks) // 10
    return (marks[-1] - marks[warm]) / (len(marks) - 1 - warm) * 1e6


class NoRecorder:
    """Takes the place of the recorder: a run without a ledger's entries."""

    page = None

    def __init__(self, ledger: Ledger, *_: object) -> None:
        self._ledger = ledger

    def end_run(self, *_: object) -> None:
        """Closes the file."""
        self._ledger.close()

    def __getattr__(self, name: str) -> object:
        return lambda *_: None


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=1000)
    parser.add_argument("--folder", type=Path, help="where the ledgers lie (default: the system's)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        (folder / "ledger_stage.py").write_text(STAGES)
        print("entries alone        rows/visit   median us      p99 us   us/step   sync")
        for slices, stages in ((2, 1), (2, 8), (16, 8), (189, 8)):
            rows = (slices + 1) * stages + (slices + 2) * stages
            for wait in (False, True):
                visits = max(50, arguments.visits // (1 + rows // 100) // (5 if wait else 1))
                spent = sorted(time_entries(folder, slices, stages, visits, wait))
                median, p99 = statistics.median(spent) * 1e6, spent[int(len(spent) * 0.99)] * 1e6
                step = median / (slices + 2) / stages
                kind = "each" if wait else "grouped"
                figures = f"{rows:12} {median:11.1f} {p99:11.1f} {step:9.2f}"
                print(f"{slices:3} slices {stages} stages {figures}   {kind}")
        print("\nan empty stage     without us    with us   (per visit, medians of 5 runs in turn)")
        sys.path.insert(0, str(folder))
        recorder = pipelines.Recorder
        for slices in (1, 2):
            found: dict[bool, list[float]] = {False: [], True: []}
            for turn in range(5):
                for kept in (False, True):
                    pipelines.Recorder = recorder if kept else NoRecorder  # type: ignore[misc, assignment]
                    found[kept].append(time_run(folder, f"{slices}-{turn}-{kept}", slices, arguments.visits))
            without, kept_us = (statistics.median(found[kind]) for kind in (False, True))
            print(f"{slices:3} slices {without:18.1f} {kept_us:10.1f}")


main()
