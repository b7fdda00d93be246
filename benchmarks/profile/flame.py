# SPDX-License-Identifier: BSD-3-Clause
"""Draws samples of stacks as a flame graph: a box for a function, as wide as its share, above its caller."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

COLOURS = (
    ("#f2b134", "the loop", re.compile(r"Loop::|^ring$|futex|sched_yield|doorbell")),
    ("#ed553b", "its calls into Python",
     re.compile(r"Python(Master|Worker)|call_with|outcome_of|take_gil|drop_gil|PyEval")),
    ("#8cc084", "Python", re.compile(r"\.py$")),
    ("#6fa8dc", "the database", re.compile(r"sqlite|stmt_step")),
)  # fmt: skip
"""Colour and legend of the first pattern that a function's name fits."""
OTHER, OTHER_LABEL = "#cfcfd6", "other compiled code: steps, interpreter, C library"
NARROWEST = 0.002
LABELLED = 0.025
MOST_LEVELS = 14


def name_of(frame: str) -> str:
    """A function's short name: no arguments, no types, no more than the class before it."""
    name, _, where = frame.rpartition(" (")
    where = where.rstrip(")")
    while (without := re.sub(r"<[^<>]*>", "", name)) != name:
        name = without
    name = "::".join(name.partition("(")[0].split("::")[-2:]).removeprefix("bindings::")
    return f"{name} {Path(where.partition(':')[0]).name}" if ".py:" in where else name


def draw(sides: Mapping[str, Counter[tuple[str, ...]]], path: Path, title: str) -> None:
    """Draws one graph for each side: stacks, the outermost frame first, with their samples.

    A legend has what the colours mean. The kind of picture is the suffix's. Frames that are named in fewer
    than one of 500 samples are left out.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    figure = Figure(figsize=(14, 4.2 * len(sides)), layout="tight")
    FigureCanvasAgg(figure)
    for row, (side, stacks) in enumerate(sides.items()):
        axis = figure.add_subplot(len(sides), 1, row + 1)
        total = sum(stacks.values())
        for left, width, level, name in boxes(sorted(stacks.items()), total):
            colour = next((colour for colour, _, pattern in COLOURS if pattern.search(name)), OTHER)
            axis.barh(level, width, left=left, height=0.94, align="edge", color=colour, edgecolor="white",
                      linewidth=0.5)  # fmt: skip
            if width > LABELLED:
                shown = name if len(name) * 0.0048 < width else name[: max(1, int(width / 0.0048) - 1)] + "."
                axis.text(left + width / 2, level + 0.47, shown, ha="center", va="center", fontsize=7)
        axis.set_xlim(0, 1)
        axis.set_yticks([])
        axis.set_xlabel(f"share of the {total} samples of the {side} outside waiting")
        for edge in ("top", "right", "left"):
            axis.spines[edge].set_visible(False)
    keys = [*((colour, label) for colour, label, _ in COLOURS), (OTHER, OTHER_LABEL)]
    figure.axes[0].legend(
        handles=[Patch(color=colour, label=label) for colour, label in keys], ncols=len(keys), fontsize=8,
        loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False,
    )  # fmt: skip
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def boxes(
    stacks: Sequence[tuple[tuple[str, ...], int]], total: int, level: int = 0, left: float = 0.0
) -> Iterator[tuple[float, float, int, str]]:
    """(left, width, level, name) of every box; stacks are sorted, so that equal beginnings are neighbours."""
    if level >= MOST_LEVELS:
        return
    for name, below in _groups(stacks, level):
        width = sum(count for _, count in below) / total
        if width >= NARROWEST:
            yield left, width, level, name
            yield from boxes(below, total, level + 1, left)
        left += width


def _groups(
    stacks: Iterable[tuple[tuple[str, ...], int]], level: int
) -> Iterator[tuple[str, list[tuple[tuple[str, ...], int]]]]:
    found: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for stack, count in stacks:
        if len(stack) > level:
            found.setdefault(stack[level], []).append((stack, count))
    yield from found.items()
