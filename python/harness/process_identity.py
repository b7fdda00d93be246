# SPDX-License-Identifier: BSD-3-Clause
"""What tells a process from a later one that got its number."""

from __future__ import annotations

from pathlib import Path

__all__ = ["start_time"]


def start_time(pid: int) -> int | None:
    """When a process started, in the kernel's ticks since boot; `None` if there is none, or a zombie."""
    try:
        # The name of the program stands in parentheses and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
