# SPDX-License-Identifier: BSD-3-Clause
"""Processes and their descendants: who was born first, and what each does when a test waits in vain."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from harness.runtime.processes import stacks


def outputs_of(process: subprocess.Popen, timeout: float) -> tuple[str, str]:
    """What a process prints until its end: standard output and error.

    One that doesn't end is killed, so that no other test has to answer for it, and the test fails and says
    what it and its descendants were about.
    """
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        told = what_a_family_does(process.pid)
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"no end within {timeout:g} s\n{told}\n--- output\n{out}\n--- errors\n{err}")
    return out, err


def children_of(pid: int) -> list[int]:
    """Those that its main thread has forked or adopted and not buried, in that order.

    Not sorted by number: numbers begin anew after `kernel.pid_max`.
    """
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def family_of(pid: int) -> list[int]:
    """A process and its descendants, parents first."""
    found = [pid]
    for one in found:
        found += children_of(one)
    return found


def what_a_family_does(pid: int) -> str:
    """For each of a process and its descendants: state, and where the kernel and Python have it wait."""
    return "\n".join(_what_it_does(one) for one in family_of(pid))


def _what_it_does(pid: int) -> str:
    folder = Path("/proc", str(pid))
    try:
        state = (folder / "stat").read_text().rpartition(") ")[2].split()[0]
        calls = [(task / "syscall").read_text().split()[0] for task in (folder / "task").iterdir()]
    except OSError as error:
        return f"--- process {pid}: {error.strerror}"
    try:
        python = stacks.dump(pid)
    except stacks.NoStacks as error:
        python = str(error)
    return f"--- process {pid}, {stacks.who(pid)}, state {state}, in system call {', '.join(calls)}\n{python}"
