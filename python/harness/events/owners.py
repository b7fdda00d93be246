# SPDX-License-Identifier: BSD-3-Clause
"""Who holds a receiver or an event: a process, named so that no other with its number is taken for it."""

from __future__ import annotations

import os

from harness.process_identity import start_time

__all__ = ["is_alive", "this_process"]


def this_process() -> str:
    """The name of this process: its id and when it started, in clock ticks since the machine booted."""
    return f"{os.getpid()}:{start_time(os.getpid())}"


def is_alive(owner: str) -> bool:
    """Whether the process of that name lives. Nobody (the empty name) does not."""
    pid, _, started = owner.partition(":")
    return pid.isdecimal() and started.isdecimal() and start_time(int(pid)) == int(started)
