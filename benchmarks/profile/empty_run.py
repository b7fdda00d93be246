# SPDX-License-Identifier: BSD-3-Clause
"""Runs empty steps and says where their time went, by the spans of the run.

Usage: empty_run.py SLICES WORKERS STEPS THRESHOLD. Prints one line of JSON: `steps`, how many were counted;
`step`, `preprocess`, `slices`, `postprocess` and `process` with the mean of the fastest twentieth, the median
and the 99 % quantile of each, in microseconds; `master_cpu`, the CPU time of the master's main thread per
step; `workers_cpu`, that of all workers together, with their start.

`slices` is from the end of preprocess to the beginning of postprocess: publishing, the release, the slices,
the wait for them and gathering. `process` is one slice's part of that, without the loop around it.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from harness.runtime.pipeline.pipeline import Pipeline
from harness.runtime.records.statistics import (
    KIND_POSTPROCESS,
    KIND_PREPROCESS,
    KIND_PROCESS,
    RunStatistics,
)

STAGES = 40
SKIPPED_VISITS = 2
FASTEST = 20
"""One in so many: those that no other process has disturbed."""


class Spans:
    """Takes the spans of a run beside its statistics, and the CPU time of the thread that drains them."""

    def __init__(self) -> None:
        self.visits: list[list[tuple]] = []
        self.cpu: list[float] = []
        kept = RunStatistics.add_spans

        def add(statistics_: RunStatistics, spans: list[tuple]) -> None:
            self.visits.append(spans)
            self.cpu.append(time.thread_time())
            kept(statistics_, spans)

        RunStatistics.add_spans = add  # type: ignore[method-assign]

    def times(self) -> dict[str, list[float]]:
        """Microseconds of every step of a visit but the last, which the end of the visit follows."""
        found: dict[str, list[float]] = {
            name: [] for name in ("step", "preprocess", "slices", "postprocess", "process")
        }
        for spans in self.visits[SKIPPED_VISITS:]:
            at = {(kind, stage): (start, end) for kind, stage, _, _, _, start, end, *_ in spans}
            for stage in range(1, STAGES):
                before, after = at[KIND_PREPROCESS, stage], at[KIND_POSTPROCESS, stage]
                found["step"].append(at[KIND_PREPROCESS, stage + 1][0] - before[0])
                found["slices"].append(after[0] - before[1])
                for name, (start, end) in (("preprocess", before), ("postprocess", after)):
                    found[name].append(end - start)
            found["process"] += [
                span[6] - span[5] for span in spans if span[0] == KIND_PROCESS and 1 < span[1] < STAGES
            ]
        return {name: [nanoseconds / 1e3 for nanoseconds in every] for name, every in found.items()}


def figures(times: Sequence[float]) -> dict[str, float]:
    """The mean of the fastest twentieth, the median, the 99 % quantile."""
    ordered = sorted(times)
    fastest = ordered[: max(1, len(ordered) // FASTEST)]
    return {
        "fastest": statistics.mean(fastest),
        "median": statistics.median(ordered),
        "p99": ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))],
    }


def policy(slices: int) -> str:
    """A pipeline of stages that do nothing."""
    text = f'nSlices: {slices}\narenaSize: "64 MiB"\n'
    for number in range(1, STAGES + 1):
        classes = 'serialClass: "empty_stages.EmptySerial"\nparallelClass: "empty_stages.EmptyParallel"'
        text += f'appStage: {{\nname: "s{number}"\n{classes}\n}}\n'
    return text


def run(slices: int, workers: int, steps: int, threshold: int) -> dict[str, object]:
    """Runs a pipeline and returns what the module's text says."""
    spans = Spans()
    visits = max(4, steps // STAGES) + SKIPPED_VISITS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "empty.paf").write_text(policy(slices))
        pipeline = Pipeline(
            "r", folder / "empty.paf", run_dir=folder / "r", max_visits=visits, workers=workers
        )
        pipeline.setLogThreshold(threshold)
        pipeline.run()
    counted = (visits - SKIPPED_VISITS - 1) * STAGES
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "steps": counted,
        **{name: figures(times) for name, times in spans.times().items() if times},
        "master_cpu": 1e6 * (spans.cpu[-1] - spans.cpu[SKIPPED_VISITS]) / counted,
        "workers_cpu": 1e6 * (children.ru_utime + children.ru_stime) / counted,
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    print(json.dumps(run(*(int(argument) for argument in sys.argv[1:5]))))
