# SPDX-License-Identifier: BSD-3-Clause
"""The tables at the end of a run: half-steps of the stages, and what crossed between processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.cli.table import align, counted, megabytes
from harness.cli.traffic import format_traffic
from harness.runtime.records.statistics import RunStatistics

SHORTEST_TELLING_MS = 1.0
HEADINGS = ("stage", "step", "runs", "median ms", "p99 ms", "MB/s", "copied MB", "shared MB", "failed")


def format_summary(statistics: RunStatistics, run_dir: Path) -> str:
    """The tables as text. MB are 10^6 bytes; MB/s counts the array bytes on the clipboard after the step."""
    rows = []
    for figures in statistics.rows():
        rows.append(
            (
                figures["name"],
                figures["step"],
                str(figures["count"]),
                f"{figures['median_ms']:.3f}",
                f"{figures['p99_ms']:.3f}",
                _rate(figures),
                megabytes(figures["bytes_copied"]),
                megabytes(figures["bytes_shared"]),
                str(figures["raised"]) if figures["raised"] else "-",
            )
        )
    lines = align(HEADINGS, rows, left=2)
    lines += format_traffic(statistics.tally.rows(statistics.stage_names))
    told = [counted(statistics.visits, "visit")]
    for failures, where in ((len(statistics.failures), "slice"), (statistics.master_failures, "master")):
        if failures:
            told.append(counted(failures, f"{where} failure"))
    lines.append(f"{', '.join(told)}; logs and summary.json in {run_dir}")
    return "\n".join(lines)


def _rate(row: dict[str, Any]) -> str:
    """MB/s; none for steps too short to be about the data."""
    telling = row["median_ms"] >= SHORTEST_TELLING_MS and row["mb_per_s"] >= 1
    return f"{row['mb_per_s']:.0f}" if telling else "-"
