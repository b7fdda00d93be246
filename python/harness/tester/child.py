# SPDX-License-Identifier: BSD-3-Clause
"""A child process that does one thing, for a test that must not keep anything of it."""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import traceback
import warnings
from collections.abc import Callable

__all__ = ["run_child"]


def run_child(work: Callable[[], None], timeout: float | None) -> int:
    """Calls `work` in a fork of this process and waits for its end.

    Args:
        work: what to do.
        timeout: seconds that it may take; None: as long as it wants.

    Returns:
        The wait status.

    Raises:
        TimeoutError: the time is over; the child has been killed.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        # Python warns of forks beside threads; the child uses none of their locks, only what it makes itself.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _work_and_leave(work)
    done = False
    try:
        done = _has_ended(pid, timeout)
    finally:
        if not done:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    if not done:
        raise TimeoutError(f"the tested slices took longer than {timeout} s and were ended")
    return status


def _work_and_leave(work: Callable[[], None]) -> None:
    code = 1
    # What the test's process has made need not be looked at by every process of the pipeline.
    gc.freeze()
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _has_ended(pid: int, timeout: float | None) -> bool:
    descriptor = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))
    finally:
        os.close(descriptor)
