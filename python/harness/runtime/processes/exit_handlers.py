# SPDX-License-Identifier: BSD-3-Clause
"""What a worker's stages have asked for at its end: `atexit`, finalizers, pools of multiprocessing.

A worker ends by `os._exit`, which runs none of it: files and named semaphores of a pool that a stage left
behind would stay. A worker also inherits, through its forks, what the master's program and the stage modules
asked for in their processes; that is theirs, and a worker must not do it.
"""

from __future__ import annotations

import atexit
import sys
import weakref

__all__ = ["end_pools", "forget_inherited", "run_own"]


def forget_inherited() -> None:
    """Right after the fork: nothing of what other processes want at their end happens in this one."""
    atexit._clear()
    # Both have asked for their turn at exit once and for all, perhaps before the fork.
    for finalizer in list(weakref.finalize._registry):  # type: ignore[attr-defined]
        finalizer.atexit = False
    weakref.finalize._registered_with_atexit = False  # type: ignore[attr-defined]
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        # It tells finalizers of other processes by their pid.
        atexit.register(util._exit_function)


def end_pools() -> None:
    """At the end of a run in a process that goes on: ends pools and managers of multiprocessing."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util._run_finalizers(0)


def run_own() -> None:
    """At an orderly end: runs what was registered since. An error in it is told on standard error."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        # The last that is done before multiprocessing waits for its processes, perhaps for ever.
        util.Finalize(None, _end_children, exitpriority=0)
    atexit._run_exitfuncs()


def _end_children() -> None:
    import multiprocessing

    for child in multiprocessing.active_children():
        if not child.daemon:
            child.kill()
