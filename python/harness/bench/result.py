# SPDX-License-Identifier: BSD-3-Clause
"""What a benchmark found."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.bench.intervals import Interval, median_interval, quantile
from harness.bench.order import Answer
from harness.bench.plan import Plan, to_json

VERSION = 1
"""Of the JSON."""


@dataclass(frozen=True)
class Row:
    """One contender with one number of slices.

    Attributes:
        contender: a name of `harness.bench.contenders`, or `harness`; `label` is what tables call it.
        slices, workers: ranks of a visit, and the processes that run them.
        images_per_s: the rounds' images per second (one image per slice and visit), median and interval.
        mb_per_s: 10^6 bytes of images per second; `None` where the benchmark makes no images.
        visit_ms, p99_ms: median of the rounds' medians, and 99th percentile of all visits, in milliseconds.
        efficiency: images/s per worker over those of the contender's first row; 1 in that.
        shares: of `harness.bench.shares.Shares`, medians of the rounds; `None` but for the harness.
        copied: bytes copied over bytes of arrays that crossed; `None` but for the harness, or if none did.
        pss_mib, pss_worker_mib: proportional set size of all processes, and of a worker, in MiB.
        arena_mib: shared memory that was committed at the end; `None` but for the harness.
        rounds: images/s of every round.
    """

    contender: str
    label: str
    slices: int
    workers: int
    images_per_s: Interval
    mb_per_s: float | None
    visit_ms: float
    p99_ms: float
    efficiency: float
    shares: dict[str, float] | None
    copied: float | None
    pss_mib: float
    pss_worker_mib: float
    arena_mib: float | None
    rounds: tuple[float, ...]


@dataclass(frozen=True)
class Comparison:
    """Another contender beside the harness, round by round with the same number of slices.

    Attributes: `ratio` is their images/s over the harness's. `verdict` is `"slower"`, `"faster"` or
    `"cannot tell"`: their interval holds 1, or has not the level of 95 %. `equal`: whether every visit's
    results were those of the harness.
    """

    contender: str
    label: str
    slices: int
    ratio: Interval
    verdict: str
    equal: bool


@dataclass
class BenchResult:
    """All that `measure` found. `failures` are contenders that could not run to the end, with the reason."""

    plan: Plan
    rows: list[Row]
    comparisons: list[Comparison] = field(default_factory=list)
    machine: dict[str, Any] = field(default_factory=dict)
    surroundings: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    rounds_done: int = 0

    @property
    def equal(self) -> bool:
        """Whether all contenders that were compared had the harness's results."""
        return all(comparison.equal for comparison in self.comparisons)

    def row(self, contender: str, slices: int) -> Row:
        """One row. Raises `KeyError` if there is none."""
        for row in self.rows:
            if (row.contender, row.slices) == (contender, slices):
                return row
        raise KeyError(f"no row of {contender} with {slices} slices")

    def to_json(self) -> str:
        """Everything as JSON with sorted keys."""
        values = {
            "version": VERSION,
            "plan": to_json(self.plan),
            "machine": self.machine,
            "surroundings": self.surroundings,
            "rounds_done": self.rounds_done,
            "rows": [asdict(row) for row in self.rows],
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
            "warnings": self.warnings,
            "failures": self.failures,
        }
        return json.dumps(values, indent=1, sort_keys=True) + "\n"


def make_row(
    contender: str,
    label: str,
    slices: int,
    workers: int,
    answers: list[Answer],
    nbytes: float,
    first: Row | None,
) -> Row:
    """A row from the answers of all rounds; `nbytes` is an image's size, `first` the contender's first."""
    rates = [slices * len(answer.seconds) / sum(answer.seconds) for answer in answers]
    rate = median_interval(rates)
    visits = [seconds * 1e3 for answer in answers for seconds in answer.seconds]
    medians = [quantile(answer.seconds, 0.5) * 1e3 for answer in answers]
    shares = None
    if answers[0].shares is not None:
        every = [answer.shares for answer in answers if answer.shares is not None]
        shares = {name: median_interval([one[name] for one in every]).median for name in every[0]}
    crossed = sum(answer.copied + answer.shared for answer in answers)
    workers_pss = [size for answer in answers for size in answer.pss_workers]
    mib = 1 << 20
    return Row(
        contender=contender,
        label=label,
        slices=slices,
        workers=workers,
        images_per_s=rate,
        mb_per_s=rate.median * nbytes / 1e6 if nbytes else None,
        visit_ms=median_interval(medians).median,
        p99_ms=quantile(visits, 0.99),
        efficiency=1.0 if first is None else
        (rate.median / workers) / (first.images_per_s.median / first.workers),
        shares=shares,
        copied=sum(answer.copied for answer in answers) / crossed if shares is not None and crossed else None,
        pss_mib=median_interval([answer.pss / mib for answer in answers]).median,
        pss_worker_mib=median_interval([size / mib for size in workers_pss]).median if workers_pss else 0.0,
        arena_mib=median_interval([answer.arena / mib for answer in answers]).median if shares else None,
        rounds=tuple(rates),
    )


SLOWER, FASTER, CANNOT_TELL = "slower", "faster", "cannot tell"


def ratio_verdict(ours: tuple[float, ...], theirs: tuple[float, ...], level: float) -> tuple[Interval, str]:
    """Their rates over ours, round by round, and what can be said at the level."""
    ratio = median_interval([other / own for own, other in zip(ours, theirs, strict=False)], level)
    if ratio.holds(1.0) or ratio.level < level:
        return ratio, CANNOT_TELL
    return ratio, SLOWER if ratio.median < 1 else FASTER
