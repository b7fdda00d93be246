# SPDX-License-Identifier: BSD-3-Clause
"""What it costs to wake a process that sleeps, for who wakes it: a post to a semaphore, which is a futex."""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import time

SEMAPHORE_BYTES = 64
"""More than a `sem_t` has anywhere."""


def ring_seconds(times: int, pause: float = 0.002) -> list[float]:
    """Seconds of each of so many posts to a process that waits; it gets a pause to fall asleep in."""
    libc = ctypes.CDLL(None, use_errno=True)
    memory = mmap.mmap(-1, SEMAPHORE_BYTES)
    place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    semaphore = ctypes.c_void_p(place)
    if libc.sem_init(semaphore, 1, 0) != 0:
        raise OSError(ctypes.get_errno(), "no semaphore that processes share")
    pid = os.fork()
    if pid == 0:
        while True:
            libc.sem_wait(semaphore)
    try:
        found = []
        for _ in range(times):
            time.sleep(pause)
            start = time.perf_counter()
            libc.sem_post(semaphore)
            found.append(time.perf_counter() - start)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return found
