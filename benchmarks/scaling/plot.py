# SPDX-License-Identifier: BSD-3-Clause
"""The picture of the predictions: efficiency over workers, a panel for each kind of work; then the checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from predictions import CASES, MODES

WIDTH, HEIGHT = 12.0, 10.0
"""In inches."""
STYLES = {
    "lockstep": "C0-", "balanced": "C0--", "fused": "C2-", "loose": "C2--", "flight2": "C1-",
    "flight3": "C3-", "fused2": "C4-", "all": "k-", "meeting": "C5-", "ring": "C5--", "plane": "C6--",
    "ring2": "C9--",
}  # fmt: skip
"""The modes that are drawn."""
COLUMNS = 3


def draw(predicted: list[dict[str, Any]], checked: list[dict[str, Any]], path: Path) -> None:
    """Writes a PNG or SVG, as the name says."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    lines = -(-len(CASES) // COLUMNS)
    grid = figure.add_gridspec(lines + 1, COLUMNS, height_ratios=[1.0] * lines + [0.9])
    panels = [figure.add_subplot(grid[number // COLUMNS, number % COLUMNS]) for number in range(len(CASES))]
    for axes, (name, case) in zip(panels, CASES.items(), strict=True):
        for mode, style in STYLES.items():
            points = [
                (row["workers"], row["efficiency"]) for row in predicted
                if (row["case"], row["mode"]) == (name, mode)
            ]  # fmt: skip
            if points:
                axes.plot(*zip(*points, strict=True), style, label=MODES[mode].label, linewidth=1.4)
        axes.set_xscale("log", base=2)
        axes.set_xlim(0.9, 290)
        axes.set_ylim(0, 1.02)
        axes.grid(alpha=0.3)
        axes.set_title(case.label, fontsize=9)
        ticks = [2**power for power in range(0, 9, 2)]
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_xlabel("workers", fontsize=8)
    for axes in panels[::COLUMNS]:
        axes.set_ylabel("efficiency")
    panels[0].legend(fontsize=7, loc="lower left", ncols=2)
    _draw_checks(figure.add_subplot(grid[lines, :]), checked)
    figure.suptitle("Predicted efficiency of runs, and how far off predictions were", fontsize=11)
    figure.savefig(path, dpi=100)


def _draw_checks(axes: Any, checked: list[dict[str, Any]]) -> None:
    """Predicted over measured time of every run that was checked, least to greatest of the rounds."""
    places = sorted({(row["stages"], row["workers"]) for row in checked})
    modes = [mode for mode in MODES if any(row["mode"] == mode for row in checked)]
    for index, mode in enumerate(modes):
        rows = [row for row in checked if row["mode"] == mode]
        shift = 0.7 * ((index + 0.5) / len(modes) - 0.5)
        at = [places.index((row["stages"], row["workers"])) + shift for row in rows]
        middle = [row["ratio"] for row in rows]
        spread = [
            [row["ratio"] - row["least"] for row in rows], [row["most"] - row["ratio"] for row in rows],
        ]  # fmt: skip
        style = STYLES.get(mode, "C5-")
        axes.errorbar(
            at, middle, yerr=spread, fmt="o", color=style.strip("-"), markersize=4, capsize=2,
            mfc="none" if style.endswith("--") else None, label=MODES[mode].label,
        )  # fmt: skip
    axes.axhline(1.0, color="0.5", linewidth=0.8)
    names = [f"{stages}\n{workers} worker{'s' * (workers > 1)}" for stages, workers in places]
    axes.set_xticks(range(len(places)), names)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(alpha=0.3, axis="y")
    axes.set_ylabel("predicted / measured time")
    if checked:
        axes.legend(fontsize=8, ncols=-(-len(modes) // 2), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    else:
        axes.set_title("nothing was checked", fontsize=9)
