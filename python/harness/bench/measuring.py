# SPDX-License-Identifier: BSD-3-Clause
"""Measures a plan: every contender with every number of slices once a round, each in a fresh process."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.bench.contenders import CONTENDERS
from harness.bench.images import image_bytes, make_images
from harness.bench.intervals import LEVEL
from harness.bench.machine import Surroundings, describe_machine
from harness.bench.order import PROBE, Answer, Order
from harness.bench.plan import (
    HARNESS,
    MASTER,
    Plan,
    checked_dtype,
    checked_images,
    checked_path,
    parse_shape,
    sequence_of,
)
from harness.bench.processes import run_order
from harness.bench.result import CANNOT_TELL, BenchResult, Comparison, Row, make_row, ratio_verdict
from harness.errors import ArenaFull, ConfigError, HarnessError

WIDE_SPREAD = 1.25
"""Greatest over least of the rounds' images/s above which a cell is called noisy."""
PATHS_PER_IMAGE = 2
"""What of a visit's images must fit into shared memory at least: the image, and a result of its size."""

Tell = Callable[[str], None]


def measure(
    stage: str | None = None,
    *,
    policy: str | os.PathLike[str] | None = None,
    shape: str | Sequence[int] | None = None,
    dtype: str = "float32",
    images: Sequence[str | os.PathLike[str]] = (),
    key: str = "image",
    source: str = MASTER,
    slices: Sequence[int] = (),
    visits: int = 50,
    warm_up: int = 4,
    rounds: int = 6,
    compare: Sequence[str] = (),
    workers: int | None = None,
    minutes: float | None = None,
    tell: Tell = lambda text: None,
) -> BenchResult:
    """Measures the throughput of a stage in the harness, or of a whole pipeline policy.

    In every visit each slice gets one image; a visit ends when all slices have, and when eight bytes of
    every page of what they marked shareable were read in the master. Every run is a fresh process, so that
    this function may be called from anywhere; the stage is imported there and not here.

    Args:
        stage: dotted name of a `Stage`, of a `ParallelProcessing`, or of a stage of 2007 or 2008; None for
            the pipeline of `policy` as it is.
        policy: file of the stage's policy; without `stage`, the pipeline policy.
        shape: shape of synthetic images, rows first: `"4096x4096"` or `(4096, 4096)`. Pixels are a level of
            1000 with Gaussian noise of 20, the same in every run.
        dtype: type of their pixels.
        images: `.npy` and FITS files to use in place of synthetic images, one after the other.
        key: clipboard key of the image.
        source: `"master"`: the master makes a new image for every slice in each visit and hands it over,
            read-only as all that arrives; `"slice"`: each slice makes a writeable one itself.
        slices: numbers of slices to measure; by default 1, or what the pipeline policy says.
        visits: timed visits in a round. Those that warm up come before, `warm_up` of them.
        rounds: how often all is measured; 6 are the fewest whose extremes are an interval of 95 %.
        compare: other ways to run `process` of the stage, by the names in `harness.bench.contenders`.
        workers: processes that run the slices; by default what the pipeline policy says, or one per slice, at
            most one per core.
        minutes: no round begins later than so many minutes after the start.
        tell: is called with a line of text whenever something begins.

    Raises:
        ValueError: an argument cannot be meant.
        ImportError: a contender is not installed.
        ConfigError: the stage, its policy or an image cannot be used, or the stage raises; the message says
            where.
        harness.bench.processes.RunDied: a process of a run of the harness has died.
        ArenaFull: a visit's images cannot fit into shared memory.
    """
    plan = Plan(
        stage=stage,
        policy=None if policy is None else checked_path("policy", policy).absolute(),
        shape=parse_shape(shape),
        dtype=checked_dtype(dtype),
        images=checked_images(images),
        key=key,
        source=source,
        slices=sequence_of("slices", slices, "numbers such as [1, 2, 4]"),
        visits=visits,
        warm_up=warm_up,
        rounds=rounds,
        compare=sequence_of("compare", compare, "names such as ['joblib']"),
        workers=workers,
        minutes=minutes,
    )
    if not callable(tell):
        raise ValueError(f"tell: expected a function of one text, saw {tell!r}")
    _check_contenders(plan.compare)
    with tempfile.TemporaryDirectory(prefix="pex-bench-") as folder:
        return _Measuring(plan, Path(folder), tell).result()


def _check_contenders(names: Sequence[str]) -> None:
    for name in names:
        if name not in CONTENDERS:
            raise ValueError(f"compare: no contender {name!r}; there are {', '.join(CONTENDERS)}")
        if missing := CONTENDERS[name].missing():
            raise ImportError(f"compare: {missing}", name=CONTENDERS[name].needs)
    if len(set(names)) != len(names):
        raise ValueError(f"compare: {', '.join(names)} has a name twice")


@dataclass(frozen=True)
class _Cell:
    contender: str
    slices: int


class _Measuring:
    """One call of `measure`."""

    def __init__(self, plan: Plan, folder: Path, tell: Tell) -> None:
        self._folder = folder
        self._tell = tell
        self._failures: dict[_Cell, str] = {}
        self._answers: dict[_Cell, list[Answer]] = {}
        self._plan = plan = self._as_policy_says(plan)
        self._cores = plan.workers_for(1 << 20) if plan.workers is None else len(os.sched_getaffinity(0))
        self._check_memory(plan)
        if plan.stage is not None:
            self._probe()
        tell("making the images")
        self._images = make_images(plan, folder)
        self._nbytes = image_bytes(self._images)

    def _as_policy_says(self, plan: Plan) -> Plan:
        """The plan with the numbers of slices and workers that were left open."""
        if plan.stage is not None:
            return plan if plan.slices else replace(plan, slices=(1,))
        from harness.runtime.configuration.config import load_config

        assert plan.policy is not None
        config = load_config(plan.policy)
        waiting = [stage for stage in config.stages if stage.event_topic is not None]
        if waiting:
            raise ConfigError(
                f"pipeline policy {plan.policy}: stage {waiting[0].name!r} waits for events of topic"
                f" {waiting[0].event_topic!r}, and a benchmark has none to send"
            )
        said = config.merged_policy
        if plan.workers is None and said.exists("nWorkers"):
            plan = replace(plan, workers=said.getInt("nWorkers"))
        if plan.slices:
            return plan
        if config.n_slices < 1:
            raise ConfigError(f"pipeline policy {plan.policy}: nSlices is 0; say how many slices to measure")
        return replace(plan, slices=(config.n_slices,))

    def _check_memory(self, plan: Plan) -> None:
        from harness import _core

        if plan.shape is None:
            return
        import numpy as np

        size = int(np.prod(plan.shape, dtype=np.int64)) * np.dtype(plan.dtype).itemsize
        room = _core.default_arena_bytes()
        need = max(plan.slices) * size * PATHS_PER_IMAGE
        if need > room:
            shape = "x".join(map(str, plan.shape))
            raise ArenaFull(
                f"{max(plan.slices)} slices with images of {shape} {plan.dtype} need at least"
                f" {need / 1e9:.1f} GB of shared memory, an image and a result each; {room / 1e9:.1f} GB are"
                " to be had here (half of what is free). Take fewer slices or a smaller shape",
                asked_bytes=need,
            )

    def _probe(self) -> None:
        found = run_order(self._order(_Cell(PROBE, 1))).halves
        if found["serial"] and self._plan.compare:
            raise ConfigError(
                f"stage {self._plan.stage} has a serial half ({found['serial']}), which the harness alone"
                f" runs: compare its parallel half {found['parallel']}, or don't compare"
            )

    def _order(self, cell: _Cell) -> Order:
        plan = self._plan
        return Order(
            contender=cell.contender,
            stage=plan.stage,
            policy=None if plan.policy is None else str(plan.policy),
            images=tuple(map(str, self._images)) if cell.contender != PROBE else (),
            key=plan.key,
            source=plan.source,
            slices=cell.slices,
            workers=plan.workers_for(cell.slices),
            visits=plan.visits,
            warm_up=plan.warm_up,
            folder=str(self._folder),
        )

    def result(self) -> BenchResult:
        """Runs all rounds."""
        plan = self._plan
        cells = [
            _Cell(contender, slices) for slices in plan.slices for contender in (HARNESS, *plan.compare)
        ]
        machine = describe_machine(self._cores)
        surroundings = Surroundings(self._cores)
        start, done = time.monotonic(), 0
        for number in range(plan.rounds):
            if plan.minutes is not None and number and time.monotonic() - start > 60 * plan.minutes:
                break
            first = number % len(cells)
            for cell in [*cells[first:], *cells[:first]]:
                self._run(cell, f"round {number + 1} of {plan.rounds}")
            done += 1
        seen = surroundings.look()
        rows = self._rows(cells)
        found = BenchResult(
            plan, rows, self._comparisons(rows), machine, seen, surroundings.complaints(seen),
            list(self._failures.values()), done,
        )  # fmt: skip
        found.warnings += self._complaints(found)
        return found

    def _run(self, cell: _Cell, when: str) -> None:
        if cell in self._failures:
            return
        self._tell(f"{when}: {cell.contender}, {cell.slices} slices")
        try:
            self._answers.setdefault(cell, []).append(run_order(self._order(cell)))
        except HarnessError as error:
            if cell.contender == HARNESS:
                raise _with_hint(error, self._plan) from error
            self._failures[cell] = f"{CONTENDERS[cell.contender].label}, {cell.slices} slices: {error}"

    def _rows(self, cells: Sequence[_Cell]) -> list[Row]:
        rows: list[Row] = []
        firsts: dict[str, Row] = {}
        for cell in cells:
            if cell in self._failures:
                continue
            row = make_row(
                cell.contender, _label(cell.contender), cell.slices, self._workers(cell), self._answers[cell],
                self._nbytes, firsts.get(cell.contender),
            )  # fmt: skip
            firsts.setdefault(cell.contender, row)
            rows.append(row)
        return rows

    def _workers(self, cell: _Cell) -> int:
        if cell.contender != HARNESS and not CONTENDERS[cell.contender].parallel:
            return 1
        return self._plan.workers_for(cell.slices)

    def _comparisons(self, rows: Sequence[Row]) -> list[Comparison]:
        ours = {row.slices: row for row in rows if row.contender == HARNESS}
        found = []
        for row in rows:
            if row.contender == HARNESS:
                continue
            ratio, verdict = ratio_verdict(ours[row.slices].rounds, row.rounds, LEVEL)
            reference = self._answers[_Cell(HARNESS, row.slices)][0].prints
            theirs = self._answers[_Cell(row.contender, row.slices)]
            equal = all(answer.prints == reference for answer in theirs)
            found.append(Comparison(row.contender, row.label, row.slices, ratio, verdict, equal))
        return found

    def _complaints(self, found: BenchResult) -> list[str]:
        plan, texts = self._plan, []
        if found.rounds_done < plan.rounds:
            texts.append(
                f"only {found.rounds_done} of {plan.rounds} rounds were begun in {plan.minutes:g} minutes"
            )
        for row in found.rows:
            spread = max(row.rounds) / min(row.rounds)
            where = f"{row.label}, {row.slices} slices"
            if spread > WIDE_SPREAD:
                texts.append(
                    f"noisy: {where}: the fastest round is {spread:.2f} times as fast as the slowest"
                )
            if row.contender == HARNESS:
                prints = {tuple(answer.prints) for answer in self._answers[_Cell(HARNESS, row.slices)]}
                if len(prints) > 1:
                    texts.append(f"{where}: the results are not the same in all rounds")
            if row.workers > self._cores:
                texts.append(f"{where}: {row.workers} workers take turns on {self._cores} cores")
        if found.rounds_done and found.rows[0].images_per_s.level < LEVEL:
            level = found.rows[0].images_per_s.level
            texts.append(
                f"{found.rounds_done} rounds: the intervals hold the median with {level:.0%} and not"
                f" {LEVEL:.0%}; from 6 rounds on they do"
            )
        return texts + self._scaling_remarks(found.rows)

    def _scaling_remarks(self, rows: Sequence[Row]) -> list[str]:
        ours = [row for row in rows if row.contender == HARNESS]
        texts = []
        for one, other in zip(ours, ours[1:], strict=False):
            _, verdict = ratio_verdict(one.rounds, other.rounds, LEVEL)
            if verdict == CANNOT_TELL:
                texts.append(
                    f"whether {other.slices} slices are faster than {one.slices} can't be told from these"
                    " rounds"
                )
        return texts


def _label(contender: str) -> str:
    return HARNESS if contender == HARNESS else CONTENDERS[contender].label


def _with_hint(error: HarnessError, plan: Plan) -> HarnessError:
    """What arrives from the master is read-only: a stage that writes into its image is helped on."""
    if isinstance(error, ConfigError) and plan.source == MASTER and "read-only" in str(error):
        hint = f"{error}. With --source slice every slice has images of its own, which it may write into"
        return ConfigError(hint, details=error.details)
    return error
