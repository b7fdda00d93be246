# SPDX-License-Identifier: BSD-3-Clause
"""The picture of the predictions: efficiency over workers, a column per time of a stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 11.0, 6.4
"""In inches."""
SHOWN = ("lockstep", "balanced", "fused", "flight2", "flight4", "all")
STYLES = {
    "lockstep": "C0-", "balanced": "C1-", "fused": "C2-", "flight2": "C3--", "flight4": "C4--", "all": "k-",
}  # fmt: skip
ROWS = {"weak": "4 ranks a worker", "strong": "189 ranks"}


def draw(
    predicted: list[dict[str, Any]], checked: list[dict[str, Any]], labels: dict[str, str], path: Path
) -> None:
    """Writes a PNG or SVG, as the name says."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    means = sorted({row["mean"] for row in predicted})
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(ROWS), len(means), sharex=True, sharey=True, squeeze=False)
    for line, (kind, words) in enumerate(ROWS.items()):
        for column, mean in enumerate(means):
            axes = grid[line][column]
            for mode in SHOWN:
                points = [
                    (row["workers"], row["efficiency"]) for row in predicted
                    if (row["kind"], row["mean"], row["mode"]) == (kind, mean, mode)
                ]  # fmt: skip
                axes.plot(*zip(*points, strict=True), STYLES[mode], label=labels[mode], linewidth=1.4)
            axes.set_xscale("log", base=2)
            axes.set_ylim(0, 1.02)
            axes.grid(alpha=0.3)
            axes.set_title(f"{words}, {mean * 1e3:g} ms a stage", fontsize=9)
            if line == len(ROWS) - 1:
                axes.set_xlabel("workers")
            if column == 0:
                axes.set_ylabel("efficiency")
    ticks = [2**power for power in range(0, 9, 2)]
    grid[0][0].set_xticks(ticks, [str(tick) for tick in ticks])
    grid[0][-1].legend(fontsize=8, loc="lower left")
    if checked:
        ratios = [row["ratio"] for row in checked]
        least, most = 1 / max(ratios), 1 / min(ratios)
        note = f"; runs that were checked took {least:.2f} to {most:.2f} times as long"
    else:
        note = ""
    figure.suptitle(f"Predicted efficiency of a run{note}", fontsize=10)
    figure.savefig(path, dpi=100)
