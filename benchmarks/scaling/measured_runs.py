# SPDX-License-Identifier: BSD-3-Clause
"""Runs of the harness for the model: what their visits took, and every step of their slices."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from harness.ledger import LEDGER_NAME
from harness.runtime.pipeline.pipeline import Pipeline

WARN = 10
MASTER = -1


@dataclass
class Measured:
    """One run, and its visits behind the `warm` ones.

    Attributes: `visit_seconds` from the end of a visit to that of the next; `behind_first` from the end of
    the first, which is alone whatever is in flight, to that of the last. `steps` of all visits are (visit,
    rank, stage, half-step, start, seconds); visits and stages from 1, rank -1 for the master.
    """

    warm: int
    visit_seconds: list[float]
    behind_first: float
    steps: list[tuple[int, int, int, str, float, float]]

    def seconds(self, step: str, stage: int | None = None) -> list[float]:
        """What every half-step of this name took, of one stage or all, behind the visits that warmed up."""
        return [
            seconds for visit, _, number, name, _, seconds in self.steps
            if name == step and visit > self.warm and stage in (None, number)
        ]  # fmt: skip


def run(
    classes: list[str],
    ranks: int,
    workers: int,
    visits: int,
    *,
    warm: int = 5,
    head: str = 'schedule: "lockstep"\n',
    stage_policy: str = "",
    stage_policies: Sequence[str] = (),
    topology: str = "",
    serial: float = 0.0,
) -> Measured:
    """Runs parallel halves, one class of `scaling_stages` per stage.

    All stages have the `stage_policy`, and each its own of `stage_policies`, if there are any. With a
    `topology` (the block's content), slices exchange before every stage but the first. With `serial`, the
    master sleeps so many seconds before the slices of the first stage, and behind those of the last. Raises
    `RuntimeError` if a stage fails.
    """
    text = f'nSlices: {ranks}\narenaSize: "64 MiB"\n{head}'
    if topology:
        text += f"shareDataOn: true\ntopology: {{\n{topology}}}\n"
    if serial:
        stage_policy += f"    serial: {serial}\n"
    for number, name in enumerate(classes, 1):
        text += f'appStage: {{\n  name: "s{number}"\n  parallelClass: "scaling_stages.{name}"\n'
        text += "  shareData: true\n" if topology and number > 1 else ""
        if serial and number == 1:
            text += '  serialClass: "scaling_stages.HandOut"\n'
        elif serial and number == len(classes):
            text += '  serialClass: "scaling_stages.SumUp"\n'
        own = stage_policy + (stage_policies[number - 1] if stage_policies else "")
        text += f"  stagePolicy: {{\n{own}  }}\n" if own else ""
        text += "}\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scaling.paf").write_text(text)
        pipeline = Pipeline(
            "r", folder / "scaling.paf", run_dir=folder / "r", max_visits=visits + warm, workers=workers
        )
        pipeline.setLogThreshold(WARN)
        stamps: list[float] = []
        pipeline.on_progress = lambda visit, stage: None if stage else stamps.append(time.perf_counter())
        pipeline.run()
        if pipeline.statistics is None or pipeline.statistics.failures or len(stamps) != visits + warm:
            log = (folder / "r" / "log" / "Pipeline.log").read_text()
            raise RuntimeError(f"a stage has failed: {log[-1000:]}")
        with closing(sqlite3.connect(folder / "r" / LEDGER_NAME)) as ledger:
            steps = ledger.execute(
                "SELECT visit, rank, stage, step, started, seconds FROM stage_times"
                " ORDER BY visit, rank, stage"
            ).fetchall()
    ends = stamps[warm - 1 :]
    seconds = [after - before for before, after in zip(ends, ends[1:], strict=False)]
    return Measured(warm, seconds, stamps[-1] - stamps[0], steps)

