# SPDX-License-Identifier: BSD-3-Clause
"""Ends of programs that were started in a session of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

from harness.bench.memory import family


def end_group(child: subprocess.Popen) -> None:
    """Kills a program and what it has started, in whatever session, and waits for the program."""
    descendants = family(child.pid)[1:] if child.poll() is None else []
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    for pid in descendants:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    child.wait()


def end_when_told() -> None:
    """Lets SIGTERM end this program as Ctrl-C does: what it has started ends with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
