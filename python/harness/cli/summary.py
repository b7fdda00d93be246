# SPDX-License-Identifier: BSD-3-Clause
"""The table at the end of a run: one row per half-step of each stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.runtime.statistics import RunStatistics

SHORTEST_TELLING_MS = 1.0
HEADINGS = ("stage", "step", "runs", "median ms", "p99 ms", "MB/s", "copied MB", "shared MB", "failed")


def format_summary(statistics: RunStatistics, run_dir: Path) -> str:
    """The table as text. MB are 10^6 bytes; MB/s counts the array bytes on the clipboard after the step."""
    rows = [HEADINGS]
    for figures in statistics.rows():
        rows.append(
            (
                figures["name"],
                figures["step"],
                str(figures["count"]),
                f"{figures['median_ms']:.3f}",
                f"{figures['p99_ms']:.3f}",
                _rate(figures),
                _megabytes(figures["bytes_copied"]),
                _megabytes(figures["bytes_shared"]),
                str(figures["raised"]) if figures["raised"] else "-",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = []
    for number, row in enumerate(rows):
        cells = [
            text.ljust(width) if column < 2 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths))
    failures = len(statistics.failures)
    failed = f", {failures} slice failures" if failures else ""
    lines.append(f"{statistics.visits} visits{failed}; logs and summary.json in {run_dir}")
    return "\n".join(lines)


def _rate(row: dict[str, Any]) -> str:
    """MB/s; none for steps too short to be about the data."""
    telling = row["median_ms"] >= SHORTEST_TELLING_MS and row["mb_per_s"] >= 1
    return f"{row['mb_per_s']:.0f}" if telling else "-"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f}" if size else "0"
