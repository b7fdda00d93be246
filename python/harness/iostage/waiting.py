# SPDX-License-Identifier: BSD-3-Clause
"""Waiting until an input file exists."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.log import Log

__all__ = ["wait_for_path"]

FIRST_SLEEP_S = 0.5
GROWTH = 1.2


def wait_for_path(path: str, timeout_s: float, log: Log, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Whether `path` exists, or comes to exist while waiting.

    The first sleep lasts 0.5 s, each further one 1.2 times longer; the last is cut so that the sum
    is the timeout. Blocks for at most that time.

    Args:
        path: the file.
        timeout_s: longest sum of sleeps in seconds; 0 and less means one look and no sleep.
        log: gets one message at INFO per sleep.
        sleep: stands in for time.sleep.
    """
    pause, slept = FIRST_SLEEP_S, 0.0
    while not os.path.exists(path):
        remaining = timeout_s - slept
        if remaining <= 0:
            return False
        step = min(pause, remaining)
        log.log(log.INFO, f"waiting for {path}: {slept:.1f} s of {timeout_s:.1f} s so far")
        sleep(step)
        slept += step
        pause *= GROWTH
    return True
