# SPDX-License-Identifier: BSD-3-Clause
"""What processes hold in memory, with shared pages divided among those that share them (PSS)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def pss_bytes(pid: int) -> int:
    """The proportional set size of a process in bytes; 0 for one that has ended or may not be looked at."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def family(pid: int) -> list[int]:
    """A process and all its descendants that live."""
    found = [pid]
    for one in found:
        found += _children(one)
    return found


def _children(pid: int) -> Iterable[int]:
    children: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    except OSError:
        # It has just ended.
        return children
    return children
