# SPDX-License-Identifier: BSD-3-Clause
"""The Python stacks that a worker writes when a fatal signal ends it, kept where its master finds them.

    master: memory file, a stretch for every worker <──/proc/<master>/fd/<n>── worker: writes from the handler
"""

from __future__ import annotations

import contextlib
import faulthandler
import os

from harness.runtime.processes.memory_files import memory_file

FILE_NAME = "pex-last-words"
STRETCH_BYTES = 16 << 20
"""More than a handler can write of as many threads and calls as it tells; room that nobody uses is none."""
PART_BYTES = 64 << 10
MOST_CHARS = 20_000
NOISE = "Extension modules:"

_descriptor = -1


class LastWords:
    """The master's end."""

    def __init__(self) -> None:
        """Raises `OSError` when there is no descriptor to be had."""
        self._descriptor = memory_file(FILE_NAME)
        self.path = f"/proc/{os.getpid()}/fd/{self._descriptor}"
        """By which other processes of this user open the file, for as long as this one lives."""

    def take(self, worker: int) -> str:
        """The stacks that a worker has left, which are gone then; empty if there are none."""
        if self._descriptor < 0:
            return ""
        start, data = worker * STRETCH_BYTES, b""
        while len(data) < STRETCH_BYTES:
            part = os.pread(self._descriptor, PART_BYTES, start + len(data)).rstrip(b"\0")
            data += part
            if len(part) < PART_BYTES:
                break
        if data:
            os.pwrite(self._descriptor, bytes(len(data)), start)
        text = data.decode("utf-8", "replace").partition(NOISE)[0]
        return text.strip()[:MOST_CHARS]

    def close(self) -> None:
        """Forgets the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def leave_last_words(path: str, worker: int) -> None:
    """Has this process write its stacks to a worker's stretch of the file when a fatal signal ends it.

    Where the master's file cannot be opened, the stacks go to standard error.
    """
    global _descriptor
    with contextlib.suppress(OSError):
        # A description of the file of its own: where it writes is moved by nobody else.
        _descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        os.lseek(_descriptor, worker * STRETCH_BYTES, os.SEEK_SET)
    faulthandler.enable(file=_descriptor if _descriptor >= 0 else 2, all_threads=True)
    os.register_at_fork(after_in_child=_be_silent)


def _be_silent() -> None:
    """In a fork of stage code: its end is not the worker's, whose stretch it would write to."""
    faulthandler.disable()
