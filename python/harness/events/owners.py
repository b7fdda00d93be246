# SPDX-License-Identifier: BSD-3-Clause
"""Who holds a receiver or an event: a process, named so that no other with its number is taken for it."""

from __future__ import annotations

import os

__all__ = ["is_alive", "this_process"]


def this_process() -> str:
    """The name of this process: its id and when it started, in clock ticks since the machine booted."""
    return f"{os.getpid()}:{_start_time(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Whether the process of that name lives. Nobody (the empty name) does not."""
    pid, _, started = owner.partition(":")
    return pid.isdecimal() and started != "" and _start_time(int(pid)) == started


def _start_time(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            # The name of the program stands in parentheses and may hold anything.
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return ""
    # A zombie does nothing any more.
    return "" if fields[0] in "ZX" else fields[19]
