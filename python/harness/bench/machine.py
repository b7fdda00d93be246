# SPDX-License-Identifier: BSD-3-Clause
"""The machine that is measured on, and how much else it did meanwhile."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("pex-harness", "numpy", "joblib", "ray", "distributed")
BUSY_LOAD = 0.5
"""Load average per core above which a machine is called busy before anything is measured."""
BUSY_OTHERS = 0.15
"""Share of all cores that others may use meanwhile before it is told."""
BUSY_STOLEN = 0.02
"""The same for what a host takes from a virtual machine."""


def describe_machine(cores: int) -> dict[str, Any]:
    """Processor, cores, kernel and versions, as what JSON can hold."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": cores,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": versions,
        "date": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _ticks() -> tuple[float, float]:
    """Seconds of all processors since the start of the machine: at work, and stolen by the host."""
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    except (OSError, ValueError, IndexError):
        return 0.0, 0.0
    per_second = os.sysconf("SC_CLK_TCK")
    user, nice, system, _idle, _wait, interrupts, soft = fields[:7]
    stolen = fields[7] if len(fields) > 7 else 0
    return (user + nice + system + interrupts + soft) / per_second, stolen / per_second


def _own() -> float:
    """Seconds that this process and what it has waited for have worked."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Surroundings:
    """What else went on between the making of this object and `look`."""

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self.load_before = os.getloadavg()[0]
        self._start, self._own, (self._worked, self._stolen) = time.monotonic(), _own(), _ticks()

    def look(self) -> dict[str, float]:
        """Load averages before and after, and what others used and the host took, in cores."""
        wall = max(1e-9, time.monotonic() - self._start)
        worked, stolen = _ticks()
        others = (worked - self._worked) - (_own() - self._own)
        return {
            "wall_s": wall,
            "load_before": self.load_before,
            "load_after": os.getloadavg()[0],
            "others_cores": max(0.0, others / wall),
            "stolen_cores": (stolen - self._stolen) / wall,
        }

    def complaints(self, seen: dict[str, float]) -> list[str]:
        """What speaks against trusting the figures; `seen` is what `look` returned."""
        found = []
        if self.load_before > BUSY_LOAD * self._cores:
            found.append(
                f"the machine was busy before: load average {self.load_before:.1f} on {self._cores} cores"
            )
        if seen["others_cores"] > BUSY_OTHERS * self._cores:
            found.append(f"other programs used {seen['others_cores']:.1f} of {self._cores} cores meanwhile")
        if seen["stolen_cores"] > BUSY_STOLEN * self._cores:
            found.append(f"the host of this virtual machine took {seen['stolen_cores']:.2f} cores away")
        return found
