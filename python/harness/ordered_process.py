# SPDX-License-Identifier: BSD-3-Clause
"""A fresh process that is given an order and answers through a pipe; its whole group ends with it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import IO, Any

__all__ = ["ordered_process"]

# Modules are found as the order says, and not in the current directory because it is the current one.
_START = """
import importlib, json, sys
order = json.loads(sys.stdin.readline())
sys.path[:] = order.pop("path")
importlib.import_module(sys.argv[1]).main(order, int(sys.argv[2]))
"""


@contextlib.contextmanager
def ordered_process(
    module: str, order: dict[str, Any], path: Sequence[str], output: IO[bytes]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Has a fresh Python call `main(order, answer_fd)` of a module; gives it, and where its answer is read.

    At the end of the block it is killed with all of its session, and the descriptor is closed.

    Args:
        order: what is asked for, as JSON can hold it.
        path: its `sys.path`.
        output: takes what it prints, on standard output and standard error.

    Raises:
        OSError: the process cannot be started.
    """
    read, write = os.pipe()
    try:
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, module, str(write)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(write,),
                start_new_session=True,
            )
        finally:
            os.close(write)
        try:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
                stdin.write(json.dumps({**order, "path": list(path)}).encode() + b"\n")
            yield process, read
        finally:
            # The group: what was started there has to go, too.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    finally:
        os.close(read)
