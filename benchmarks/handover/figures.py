# SPDX-License-Identifier: BSD-3-Clause
"""Medians, quantiles, tables in Markdown, and what is to be said of the machine beside them."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "numpy", "pex-harness", "joblib", "pyzmq", "mpi4py", "openmpi", "iceoryx2", "ray", "distributed",
)  # fmt: skip


def quantile(values: Sequence[float], share: float) -> float:
    """The value that a share of all lies at or below (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def short(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def ratio_of_rounds(ours: list[list[float]], theirs: list[list[float]]) -> tuple[float, float, float]:
    """The ratio of the medians round by round: its median, least and greatest."""
    ratios = [
        statistics.median(one) / statistics.median(other) for one, other in zip(ours, theirs, strict=False)
    ]
    return statistics.median(ratios), min(ratios), max(ratios)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, all columns but the first to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def stolen_seconds() -> float:
    """Processor time that the host has given to others since the machine started."""
    return int(Path("/proc/stat").read_text().split("\n")[0].split()[8]) / os.sysconf("SC_CLK_TCK")


class Surroundings:
    """Machine, versions, and how noisy it was between the making of this object and `text`."""

    def __init__(self) -> None:
        self._start, self._stolen, self._load = time.time(), stolen_seconds(), os.getloadavg()[0]

    def text(self) -> str:
        """Two lines for the head of a report."""
        model = next(
            (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().split("\n")
             if line.startswith("model name")),
            platform.machine(),
        )
        cores = len(os.sched_getaffinity(0))
        versions = [f"Python {platform.python_version()}"]
        for package in PACKAGES:
            try:
                versions.append(f"{package} {metadata.version(package)}")
            except metadata.PackageNotFoundError:
                continue
        seconds = time.time() - self._start
        return (
            f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime(self._start))} UTC, {cores} cores of {model},"
            f" Linux {platform.release()}; {', '.join(versions)}.\n"
            f"Noise: load average {self._load:.1f} at the start and {os.getloadavg()[0]:.1f} at the end of"
            f" {seconds:.0f} s, of which the host gave {stolen_seconds() - self._stolen:.0f} s of processor"
            " time to others.\n"
        )
