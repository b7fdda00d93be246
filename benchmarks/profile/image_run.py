# SPDX-License-Identifier: BSD-3-Clause
"""Hands images over and says where the time went: by the spans of the run and clocks in its stages.

Usage: image_run.py SLICES WORKERS MEBIBYTES VISITS [--foreign] [--faults]. The stages are those of
benchmarks/handover, with more clocks. Prints one line of JSON: for `there` and `back`, and for each of their
parts in order, the mean of the fastest tenth and the median, in microseconds; where the slices begin, of the
first and of the last one. With `--faults` the median and the greatest number of page faults of reading an
image, in a slice and in the master; times are a little longer then. With `--foreign` images are in private
memory.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "handover")]

from empty_run import Spans  # noqa: E402
from harness.runtime.pipeline.pipeline import Pipeline  # noqa: E402
from harness.runtime.records.statistics import (  # noqa: E402
    KIND_PREPROCESS,
    KIND_PROCESS,
    KIND_PUBLISH,
)
from harness_runs import WARN, arena_mebibytes, births  # noqa: E402

SKIPPED_VISITS = 5
FASTEST = 10
"""One in so many: those that no other process has disturbed."""

STAGES = (
    ("out", "image_stages.OutSerial", "image_stages.OutParallel"),
    ("work", "", "handover_stages.WorkParallel"),
    ("back", "image_stages.BackSerial", "image_stages.BackParallel"),
)
OUT, BACK = 1, 3


def policy(folder: Path, slices: int, mebibytes: int, options: dict[str, bool]) -> str:
    """A pipeline that hands an image over and others back; its stages leave what they noted in `folder`."""
    text = f'nSlices: {slices}\narenaSize: "{arena_mebibytes(slices, mebibytes)} MiB"\n'
    text += births(options["foreign"])
    faults = str(options["faults"]).lower()
    for name, serial, parallel in STAGES:
        classes = f'serialClass: "{serial}"\n' if serial else ""
        classes += f'parallelClass: "{parallel}"\n'
        own = f'mebibytes: {mebibytes}\nfaults: {faults}\nmarks: "{folder}/{name}"'
        text += f'appStage: {{\nname: "{name}"\n{classes}stagePolicy: {{\n{own}\n}}\n}}\n'
    return text


def spans_of(text: str, folder: Path, workers: int, visits: int) -> list[list[tuple[Any, ...]]]:
    """Runs a pipeline and returns its spans by visit. Raises what the run raises."""
    spans = Spans()
    (folder / "image.paf").write_text(text)
    pipeline = Pipeline("r", folder / "image.paf", run_dir=folder / "r", max_visits=visits, workers=workers)
    pipeline.setLogThreshold(WARN)
    pipeline.run()
    if failures := json.loads((folder / "r" / "summary.json").read_text())["failures"]:
        raise RuntimeError(f"a stage has failed: {failures}")
    return spans.visits


def end_of_publishing(spans: dict) -> int:
    """When the master releases the slices; where nothing is published there is no span of it."""
    return spans.get((KIND_PUBLISH, -1), spans[KIND_PREPROCESS, -1])[1]


def last_end(spans: list[tuple[int, int]]) -> int:
    """When the last of several has ended."""
    return max(end for _, end in spans)


class Parts:
    """Times of one way, by the name of the part; in nanoseconds as they are noted."""

    def __init__(self) -> None:
        self.times: defaultdict[str, list[float]] = defaultdict(list)

    def note_there(self, spans: dict, master: dict, slices: list[dict]) -> None:
        """Adds a visit: spans by kind and rank, what the master and each slice noted."""
        process = [spans[KIND_PROCESS, rank] for rank in range(len(slices))]
        self._note("there", master["put"], master["ended"])
        start = "there: put, and to the end of publishing"
        self._note_release("there", start, master["put"], end_of_publishing(spans), process)
        for (begin, end), marks in zip(process, slices, strict=True):
            self._note("there: slice, before get", begin, marks["begun"])
            self._note("there: slice, get", marks["begun"], marks["got"])
            self._note("there: slice, reading", marks["got"], marks["read"])
            self._note("there: slice, after reading", marks["read"], end)
        self._note("there: from the last slice to postprocess", last_end(process), master["ended"])

    def note_back(self, spans: dict, master: dict, slices: list[dict]) -> None:
        """As `note_there`."""
        process = [spans[KIND_PROCESS, rank] for rank in range(len(slices))]
        self._note("back", master["begun"], master["read"])
        start = "back: to the end of publishing"
        self._note_release("back", start, master["begun"], end_of_publishing(spans), process)
        for (begin, end), marks in zip(process, slices, strict=True):
            self._note("back: slice, to the end of put", begin, marks["put"])
            self._note("back: slice, publishing", marks["put"], end)
        self._note("back: from the last slice to postprocess", last_end(process), master["ended"])
        self._note("back: gather(key)", master["ended"], master["gathered"])
        self._note("back: reading", master["gathered"], master["read"])

    def _note_release(
        self, way: str, start: str, begun: int, published: int, process: list[tuple[int, int]]
    ) -> None:
        """From the master's beginning, whose part is called `start`, to that of the slices."""
        self._note(start, begun, published)
        self._note(f"{way}: until the first slice begins", published, min(begin for begin, _ in process))
        self._note(f"{way}: until the last slice begins", published, max(begin for begin, _ in process))

    def _note(self, part: str, start: int, end: int) -> None:
        self.times[part].append(end - start)

    def figures(self) -> dict[str, list[float]]:
        """The mean of the fastest tenth and the median of each part, in microseconds."""
        found = {}
        for part, times in self.times.items():
            ordered = sorted(times)
            fastest = statistics.mean(ordered[: max(1, len(ordered) // FASTEST)])
            found[part] = [round(fastest / 1e3, 1), round(statistics.median(ordered) / 1e3, 1)]
        return found


def run(
    slices: int, workers: int, mebibytes: int, visits: int, options: dict[str, bool]
) -> dict[str, list[float]]:
    """Runs a pipeline and returns what the module's text says."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spans = spans_of(policy(folder, slices, mebibytes, options), folder, workers, visits)

        def noted(stage: str, rank: int) -> list[dict]:
            return json.loads((folder / f"{stage}{rank}").read_text())[SKIPPED_VISITS:]

        out, back = ([noted(stage, rank) for rank in range(-1, slices)] for stage in ("out", "back"))
    parts = Parts()
    faults = {"slice": [], "master": []}
    for index, found in enumerate(spans[SKIPPED_VISITS:]):
        at = {(span[1], span[0], span[2]): (span[5], span[6]) for span in found}
        for stage, marks, note in ((OUT, out, parts.note_there), (BACK, back, parts.note_back)):
            of_stage = {(kind, rank): when for (number, kind, rank), when in at.items() if number == stage}
            note(of_stage, marks[0][index], [of_rank[index] for of_rank in marks[1:]])
        faults["slice"] += [of_rank[index]["faults"] for of_rank in out[1:]]
        faults["master"].append(back[0][index]["faults"])
    figures = parts.figures()
    if options["faults"]:
        for who, counts in faults.items():
            figures[f"page faults of get and reading, {who}"] = [statistics.median(counts), max(counts)]
    return figures


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:5]]
    given = {name: f"--{name}" in sys.argv[5:] for name in ("foreign", "faults")}
    print(json.dumps(run(*numbers, given)))
