# SPDX-License-Identifier: BSD-3-Clause
"""The picture of a benchmark: images per second and efficiency over the number of slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.bench.plan import HARNESS
from harness.bench.result import BenchResult, Row

WIDTH, HEIGHT = 9.0, 4.2
"""In inches."""


def draw(result: BenchResult, path: Path) -> None:
    """Writes a PNG or SVG, as the name says.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    rates, efficiency = figure.subplots(1, 2)
    contenders = list(dict.fromkeys(row.contender for row in result.rows))
    for contender in contenders:
        rows = [row for row in result.rows if row.contender == contender]
        style: dict[str, Any] = {"marker": "o", "capsize": 3, "label": rows[0].label}
        style["linewidth"] = 2.2 if contender == HARNESS else 1.0
        slices = [row.slices for row in rows]
        medians = [row.images_per_s.median for row in rows]
        rates.errorbar(slices, medians, yerr=_bars(rows), **style)
        efficiency.plot(slices, [row.efficiency for row in rows], marker="o", linewidth=style["linewidth"])
    ours = [row for row in result.rows if row.contender == HARNESS]
    ideal = [ours[0].images_per_s.median / ours[0].workers * row.workers for row in ours]
    rates.plot([row.slices for row in ours], ideal, "k:", linewidth=1, label="harness, each worker as fast")
    efficiency.axhline(1.0, color="k", linestyle=":", linewidth=1)
    rates.set(xlabel="slices", ylabel="images/s", ylim=(0, None))
    efficiency.set(xlabel="slices", ylabel="images/s per worker, first = 1", ylim=(0, None))
    for axes in (rates, efficiency):
        axes.set_xticks(sorted({row.slices for row in result.rows}))
        axes.grid(alpha=0.3)
    rates.legend(fontsize=8)
    level = ours[0].images_per_s.level
    figure.suptitle(
        f"{result.plan.title()}\nmedians of {result.rounds_done} rounds, bars hold them with {level:.0%}",
        fontsize=9,
    )
    figure.savefig(path, dpi=110)


def _bars(rows: list[Row]) -> list[list[float]]:
    below = [row.images_per_s.median - row.images_per_s.low for row in rows]
    return [below, [row.images_per_s.high - row.images_per_s.median for row in rows]]
