# SPDX-License-Identifier: BSD-3-Clause
"""Python stacks of a process that does not answer, written by itself from the handler of a real-time signal.

A process that has called `register` writes its stacks when `SIGNAL` comes, even while C code holds the
interpreter's lock. They go to a memory file of its own, which others of the same user find among its open
files: neither a path nor a word between the processes is needed.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import os
import signal
import time
from pathlib import Path

from harness.errors import HarnessError
from harness.runtime.processes.memory_files import memory_file

SIGNAL = signal.SIGRTMIN + 10
"""Dumps the stacks of the process that gets it; `kill -RTMIN+10 PID` in a shell."""

FILE_NAME = "pex-stacks"
WAIT_S = 1.0
LOOK_S = 0.002

_descriptor = -1


class NoStacks(HarnessError):
    """The stacks of a process could not be had. The message says why."""


def register(who: str) -> None:
    """Makes this process write its stacks when it gets `SIGNAL`. Call it again in each forked process.

    `who` names it to readers (`worker 3`): at most 200 characters, no slash and no dot.
    """
    global _descriptor
    before, _descriptor = _descriptor, memory_file(f"{FILE_NAME} {who}.")
    # Records of several threads and of forked children do not overwrite each other.
    fcntl.fcntl(_descriptor, fcntl.F_SETFL, fcntl.fcntl(_descriptor, fcntl.F_GETFL) | os.O_APPEND)
    # Without chaining the kernel blocks the signal while the handler runs: `dump` sees its end by that.
    faulthandler.register(SIGNAL, file=_descriptor, all_threads=True, chain=False)
    if before >= 0:
        os.close(before)


def unregister() -> None:
    """Undoes `register`. Does nothing where it was not called."""
    global _descriptor
    if _descriptor >= 0:
        faulthandler.unregister(SIGNAL)
        os.close(_descriptor)
        _descriptor = -1


def descriptor() -> int:
    """The file that this process writes its stacks to; -1 where `register` was not called."""
    return _descriptor


def who(pid: int) -> str | None:
    """The name under which a process has called `register`; `None` if it did not, or is another user's."""
    found = _find_file(pid)
    return None if found is None else found[1]


def dump(pid: int, wait_s: float = WAIT_S) -> str:
    """The stacks of all Python threads of a process of this user, most recent calls first.

    Sends `SIGNAL` and waits until the process has written; `wait_s` is the most that takes, in seconds. A
    dump that is not complete by then is returned as far as it goes.

    Raises:
        NoStacks: the process has ended, is another user's, has not called `register`, or does not answer (it
            is stopped, or sleeps in the kernel).
    """
    deadline = time.monotonic() + wait_s
    found = _find_file(pid)
    if found is None:
        raise NoStacks(
            f"process {pid} writes no stacks: it has ended, is not this user's, or is no process of a run"
        )
    try:
        descriptor = os.open(found[0], os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise NoStacks(f"process {pid}: its stacks can't be opened: {error.strerror}") from None
    try:
        _lock(descriptor, deadline, pid)
        # What an operator's own signals left is of another time.
        os.ftruncate(descriptor, 0)
        return _ask(pid, descriptor, deadline)
    finally:
        os.close(descriptor)


def _ask(pid: int, descriptor: int, deadline: float) -> str:
    deaf = _threads_that_block(pid)
    try:
        os.kill(pid, SIGNAL)
    except OSError as error:
        raise NoStacks(f"process {pid}: {error.strerror}") from None
    # The file grows only while a thread is in the handler, and the signal is blocked there.
    while not (_size(descriptor) and _threads_that_block(pid) <= deaf):
        if time.monotonic() > deadline:
            break
        time.sleep(LOOK_S)
    text = os.pread(descriptor, _size(descriptor), 0).decode("utf-8", "replace")
    if not text:
        raise NoStacks(f"process {pid} does not answer: {_state(pid)}")
    return text


def _find_file(pid: int) -> tuple[str, str] | None:
    """The path by which the process's file of stacks can be opened, and whose it is."""
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            path = f"{folder}/{name}"
            with contextlib.suppress(OSError):
                target = os.path.basename(os.readlink(path)).removeprefix("memfd:")
                if target.startswith(FILE_NAME):
                    return path, target.removeprefix(FILE_NAME).partition(".")[0].strip()
    return None


def _lock(descriptor: int, deadline: float, pid: int) -> None:
    """One dump of a process at a time: the text of two would mix."""
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                raise NoStacks(f"process {pid}: another program is reading its stacks") from None
            time.sleep(LOOK_S)


def _size(descriptor: int) -> int:
    return os.fstat(descriptor).st_size


def _threads_that_block(pid: int) -> set[str]:
    """The threads of a process that have the signal blocked."""
    bit = 1 << (SIGNAL - 1)
    found = set()
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            blocked = _field(f"/proc/{pid}/task/{thread}/status", "SigBlk")
            if blocked and int(blocked, 16) & bit:
                found.add(thread)
    return found


def _state(pid: int) -> str:
    """Why a process may not answer, for people."""
    state = _field(f"/proc/{pid}/status", "State")
    if not state:
        return "it has ended"
    reasons = {
        "T": "it is stopped (SIGSTOP, or a terminal)",
        "t": "a debugger holds it",
        "D": "it sleeps in the kernel, on a file system or device that does not answer",
        "Z": "it has ended",
    }
    return reasons.get(state[0], f"its state is {state}")


def _field(path: str, name: str) -> str:
    """A field of a status file of the kernel; empty if there is none."""
    with contextlib.suppress(OSError):
        for line in Path(path).read_text("ascii", "replace").splitlines():
            if line.startswith(f"{name}:"):
                return line.partition(":")[2].strip()
    return ""
