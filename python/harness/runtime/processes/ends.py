# SPDX-License-Identifier: BSD-3-Clause
"""Ends of children that nobody watches."""

from __future__ import annotations

import os
import time

from harness.errors import describe_end
from harness.runtime.processes.oom import OomWatch

SEEN_WITHIN_S = 0.5
"""A connection to a process fails a moment before its end is seen."""
LOOK_S = 0.001


def how_it_ended(pid: int, oom: OomWatch) -> str:
    """How a child has ended, in words; empty: it goes on, or was reaped. It is left to be reaped."""
    deadline = time.monotonic() + SEEN_WITHIN_S
    try:
        while (end := os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)) is None:
            if time.monotonic() > deadline:
                return ""
            time.sleep(LOOK_S)
    except ChildProcessError:
        return ""
    signalled = end.si_code in (os.CLD_KILLED, os.CLD_DUMPED)
    return describe_end(signalled, end.si_status) + oom.sender_of(signalled, end.si_status)


def reap(pid: int, within_s: float) -> None:
    """Reaps a killed child. Gives up after a while: a process in uninterruptible sleep stays."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] != 0:
                return
        except ChildProcessError:
            return
        time.sleep(LOOK_S)
