# SPDX-License-Identifier: BSD-3-Clause
"""Ends of programs that were started in a session of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess


def end_group(child: subprocess.Popen) -> None:
    """Kills a program and what it has started, and waits for the program."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
