# SPDX-License-Identifier: BSD-3-Clause
"""What a run took: times, bytes and failures per stage, from the spans that every step leaves."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.transport import Tally
from harness.whole_files import write_atomically

if TYPE_CHECKING:
    from harness import _core
    from harness.runtime.configuration.config import StageConfig

KIND_PREPROCESS, KIND_PROCESS, KIND_POSTPROCESS, KIND_PUBLISH = 1, 2, 3, 5
KIND_NAMES = {KIND_PREPROCESS: "preprocess", KIND_PROCESS: "process", KIND_POSTPROCESS: "postprocess"}
MAX_SAMPLES = 100_000
MAX_KEPT_LINES = 5
OUTCOME_RAISED = 1


class StepStatistics:
    """Figures of one half-step of one stage. Times in seconds, sizes in bytes."""

    def __init__(self) -> None:
        self.times = array("d")
        self.count = 0
        self.total_time = 0.0
        self.bytes_copied = 0
        self.bytes_shared = 0
        self.bytes_clipboard = 0
        self.raised = 0

    def add(self, seconds: float, copied: int, shared: int, clipboard: int, outcome: int) -> None:
        """Adds one step. Beyond `MAX_SAMPLES` every new time replaces the oldest kept one."""
        if len(self.times) < MAX_SAMPLES:
            self.times.append(seconds)
        else:
            self.times[self.count % MAX_SAMPLES] = seconds
        self.count += 1
        self.total_time += seconds
        self.bytes_copied += copied
        self.bytes_shared += shared
        self.bytes_clipboard += clipboard
        self.raised += outcome & OUTCOME_RAISED

    def quantile(self, fraction: float) -> float:
        """The time below which `fraction` of the steps lie (nearest rank); 0 for no steps."""
        if not self.times:
            return 0.0
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]

    def megabytes_per_second(self) -> float:
        """Array bytes on the clipboard when the step ended, per second of the step, in 10^6 bytes/s."""
        return self.bytes_clipboard / self.total_time / 1e6 if self.total_time > 0 else 0.0


class RunStatistics:
    """Collects spans during a run and makes the summary at its end."""

    def __init__(self, stages: Sequence[StageConfig]) -> None:
        self.stage_names = [stage.name for stage in stages]
        self._idle = {
            (stage.number, step)
            for stage in stages
            for step in KIND_NAMES.values()
            if (stage.parallel_class if step == "process" else stage.serial_class) is None
        }
        self.steps: dict[tuple[int, str], StepStatistics] = {}
        self.visits = 0
        self._last: int | None = None
        self.tally = Tally()
        self.kept: list[dict[str, Any]] = []
        self.failures: list[tuple[int, int, int]] = []
        self.partial_visits: set[int] = set()
        self.deaths: list[dict[str, Any]] = []

    def add_spans(self, spans: list[tuple]) -> None:
        """Adds what `Run.drain_spans` returned."""
        for kind, stage, _rank, _visit, outcome, start, end, copied, shared, clipboard in spans:
            if kind == KIND_PUBLISH:
                # Publishing downwards is the master's work after preprocess; its bytes count there.
                step = self._step(stage, "preprocess")
                step.bytes_copied += copied
                step.bytes_shared += shared
            elif kind in KIND_NAMES:
                self._step(stage, KIND_NAMES[kind]).add(
                    (end - start) / 1e9, copied, shared, clipboard, outcome
                )

    def _step(self, stage: int, name: str) -> StepStatistics:
        step = self.steps.get((stage, name))
        if step is None:
            step = self.steps[stage, name] = StepStatistics()
        return step

    def count_failure(self, visit: int, stage: int, rank: int) -> None:
        """Notes that stage `stage` raised on slice `rank`."""
        self.failures.append((visit, stage, rank))
        self.count_partial(visit)

    def count_partial(self, visit: int) -> None:
        """Notes that a visit lacks results."""
        self.partial_visits.add(visit)

    def count_death(self, **told: Any) -> None:
        """Notes the death of a worker, and what followed for its ranks."""
        self.deaths.append(told)

    @property
    def lost(self) -> list[tuple[int, int]]:
        """(visit, rank) of the slices whose results are lacking because their worker died."""
        return [
            (one["visit"], rank)
            for death in self.deaths
            for one in (death, *death.get("elsewhere", ()))
            for rank in one["failed"]
            if self._last is None or one["visit"] <= self._last
        ]

    @property
    def master_failures(self) -> int:
        """How often a serial half-step has raised."""
        return sum(step.raised for (_stage, name), step in self.steps.items() if name != "process")

    def end_visit(self, visit: int) -> None:
        """Notes that a visit is complete."""
        self.visits = visit

    def end_with(self, visit: int) -> None:
        """Notes that a visit was the last one: those after it had begun ahead, and were left."""
        self.visits = min(self.visits, visit)
        self._last = visit

    def note_kept_blocks(self, arena: _core.Arena, workers: list[str]) -> None:
        """Notes what of ended visits is still held. Call it while the workers live; `workers` names them."""
        self.kept = self.tally.kept(arena, self.stage_names, workers)

    def describe_kept_blocks(self) -> list[str]:
        """One line for each key of which more is held from visit to visit, the largest first."""
        growing = sorted(
            (row for row in self.kept if len(row["visits"]) > 1), key=lambda row: row["bytes"], reverse=True
        )
        lines = [
            f"kept past the end of its visit: {row['blocks']} blocks, {row['bytes']} bytes of clipboard key"
            f" {row['key']!r} of stage {row['stage']} ({row['name']}, {row['direction']}), from"
            f" {len(row['visits'])} visits, the oldest {min(row['visits'])}, held by {row['held_by']}."
            " Drop the arrays (attributes of the stage?) or keep copies"
            for row in growing[:MAX_KEPT_LINES]
        ]
        if len(growing) > MAX_KEPT_LINES:
            lines.append(f"and {len(growing) - MAX_KEPT_LINES} keys more, in summary.json")
        return lines

    def rows(self) -> list[dict[str, Any]]:
        """One row per half-step that has a class, in the order of the stages. Times in ms, sizes in bytes."""
        rows = []
        order = list(KIND_NAMES.values())
        for (stage, name), step in sorted(
            self.steps.items(), key=lambda item: (item[0][0], order.index(item[0][1]))
        ):
            if (stage, name) in self._idle and not step.bytes_copied and not step.bytes_shared:
                continue
            rows.append(
                {
                    "stage": stage,
                    "name": self.stage_names[stage - 1],
                    "step": name,
                    "count": step.count,
                    "median_ms": step.quantile(0.5) * 1e3,
                    "p99_ms": step.quantile(0.99) * 1e3,
                    "total_ms": step.total_time * 1e3,
                    "mb_per_s": step.megabytes_per_second(),
                    "bytes_copied": step.bytes_copied,
                    "bytes_shared": step.bytes_shared,
                    "raised": step.raised,
                }
            )
        return rows

    def write(self, path: Path, extra: dict[str, Any]) -> None:
        """Writes the summary as JSON, under a temporary name first. Raises `OSError`."""
        document = {
            **extra,
            "visits": self.visits,
            "failures": [{"visit": v, "stage": s, "rank": r} for v, s, r in self.failures],
            "partial_visits": sorted(self.partial_visits),
            "deaths": self.deaths,
            "stages": self.rows(),
            "keys": self.tally.rows(self.stage_names),
            "kept": self.kept,
        }
        write_atomically(path, (json.dumps(document, indent=1) + "\n").encode())
