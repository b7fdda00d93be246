# SPDX-License-Identifier: BSD-3-Clause
"""Ends of programs that were started in a session of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

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


def run_to_end(
    command: Sequence[str], timeout_s: float, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """What a program printed, in a session of its own, and its exit code. What it has started ends with it.

    Raises `subprocess.TimeoutExpired` when it has not ended in time; it is killed then.
    """
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        start_new_session=True,
    )  # fmt: skip
    try:
        out, errors = child.communicate(timeout=timeout_s)
    finally:
        end_group(child)
    return subprocess.CompletedProcess(command, child.returncode, out, errors)


def last_words(errors: str) -> str:
    """The end of what a program has said of its failure, in one line."""
    return " | ".join([line for line in errors.splitlines() if line.strip()][-3:])


def end_when_told() -> None:
    """Lets SIGTERM end this program as Ctrl-C does: what it has started ends with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
