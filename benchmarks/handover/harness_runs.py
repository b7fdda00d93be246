# SPDX-License-Identifier: BSD-3-Clause
"""Runs of the harness that are timed: policies, and what their stages and summaries tell."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import bare
from harness.runtime.pipeline.pipeline import Pipeline

STEPS_PER_VISIT = 40
WARN = 10


def stage(name: str, classes: tuple[str, str], policy: str) -> str:
    """An `appStage` of a policy. `classes` are the serial and the parallel one; an empty name leaves one out.

    `policy` has one parameter to a line.
    """
    lines = [f'name: "{name}"']
    for key, found in zip(("serialClass", "parallelClass"), classes, strict=True):
        if found:
            lines.append(f'{key}: "handover_stages.{found}"')
    return "appStage: {\n    " + "\n    ".join([*lines, f"stagePolicy: {{\n{policy}\n    }}"]) + "\n}\n"


def run(folder: Path, text: str, workers: int, visits: int, threshold: int = WARN) -> dict[str, Any]:
    """Runs a pipeline policy; returns its summary. Raises what the run raises, and if a stage failed."""
    path = folder / "timed.paf"
    path.write_text(text)
    pipeline = Pipeline("r", path, run_dir=folder / "r", max_visits=visits, workers=workers)
    pipeline.setLogThreshold(threshold)
    pipeline.run()
    summary = json.loads((folder / "r" / "summary.json").read_text())
    if summary["failures"] or any(row["raised"] for row in summary["stages"]):
        log = (folder / "r" / "log" / "Pipeline.log").read_text()
        words = [line.strip() for line in log.split("\n") if "Error" in line]
        raise RuntimeError(f"a stage has failed: {'; '.join(words[:2]) or log[-1000:]}")
    return summary


def copied(summary: dict[str, Any]) -> int:
    """Bytes of arrays copied at crossings in the whole run."""
    return sum(row["bytes_copied"] for row in summary["stages"])


def shared(summary: dict[str, Any]) -> int:
    """Bytes of arrays handed over where they were born, in the whole run."""
    return sum(row["bytes_shared"] for row in summary["stages"])


def times(path: Path, skip: int) -> list[float]:
    """The seconds that a stage wrote, without the first `skip`."""
    return json.loads(path.read_text())[skip:]


def arena_mebibytes(slices: int, mebibytes: int) -> int:
    """Room for what one visit makes, and so much that a temporary of this size is born shared (an eighth)."""
    return max(256, mebibytes * max(16, 4 * (slices + 2)))


def births(foreign: bool) -> str:
    """The part of a policy that says where arrays of stages are born; with `foreign` in private memory."""
    return 'arenaThreshold: "1 TiB"\n' if foreign else ""


def handover(slices: int, mebibytes: int, rounds: int, workers: int, foreign: bool) -> dict[str, Any]:
    """Seconds there and back of each visit; bytes copied and shared in all visits.

    With `foreign` images are computed in private memory, and copied.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        common = f"mebibytes: {mebibytes}"
        text = f'nSlices: {slices}\narenaSize: "{arena_mebibytes(slices, mebibytes)} MiB"\n'
        text += births(foreign)
        text += stage("out", ("OutSerial", "OutParallel"), f'{common}\ntimes: "{folder}/out"')
        text += stage("work", ("", "WorkParallel"), common)
        text += stage("back", ("BackSerial", "BackParallel"), f'{common}\ntimes: "{folder}/back"')
        summary = run(folder, text, workers, rounds + bare.WARM)
        return {
            "out": times(folder / "out", bare.WARM),
            "back": times(folder / "back", bare.WARM),
            "copied": copied(summary),
            "shared": shared(summary),
        }


def steps(slices: int, rounds: int, workers: int, threshold: int = WARN) -> list[float]:
    """Seconds of whole steps: preprocess, release, process, gather, postprocess, all doing nothing."""
    visits = max(2, rounds // STEPS_PER_VISIT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = f'nSlices: {slices}\narenaSize: "64 MiB"\n'
        for number in range(1, STEPS_PER_VISIT + 1):
            text += stage(f"s{number}", ("EmptySerial", "EmptyParallel"), f'times: "{folder}/{number}"')
        run(folder, text, workers, visits + 1, threshold)
        return [
            seconds for number in range(2, STEPS_PER_VISIT + 1) for seconds in times(folder / str(number), 1)
        ]


def calibrate(slices: int, mebibytes: int, rounds: int) -> dict[str, Any]:
    """Seconds of (raw - bias) / flat in the slices, of the whole crossing; bytes copied and shared."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = f'nSlices: {slices}\narenaSize: "{arena_mebibytes(slices, mebibytes)} MiB"\n'
        policy = f'mebibytes: {mebibytes}\ntimes: "{folder}/whole"\ncomputed: "{folder}/computed"'
        text += stage("calibrate", ("CalibrateSerial", "CalibrateParallel"), policy)
        summary = run(folder, text, slices, rounds + bare.WARM)
        return {
            "computed": [
                seconds for rank in range(slices) for seconds in times(folder / f"computed-{rank}", bare.WARM)
            ],
            "whole": times(folder / "whole", bare.WARM),
            "copied": copied(summary),
            "shared": shared(summary),
        }
