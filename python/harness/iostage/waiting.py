# SPDX-License-Identifier: BSD-3-Clause
"""Waiting until an input file or a dataset exists."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.iostage.fingerprints import fingerprint

if TYPE_CHECKING:
    from harness.log import Log

__all__ = ["wait_for_path", "wait_until", "wait_until_stable"]

FIRST_SLEEP_S = 0.5
GROWTH = 1.2
TELL_S = 5.0
"""After so much sleep people are told, on the console too: the path may be wrong."""


def wait_for_path(path: str, timeout_s: float, log: Log, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Whether `path` exists, or comes to exist while waiting; as `wait_until`."""
    return wait_until(lambda: os.path.exists(path), path, timeout_s, log, sleep)


def wait_until(
    is_there: Callable[[], bool | None],
    what: str,
    timeout_s: float,
    log: Log,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether something is there, or comes to be there while waiting.

    The first sleep lasts 0.5 s, each further one 1.2 times longer; the last is cut so that the sum
    is the timeout. Blocks for at most that time.

    Args:
        is_there: asked before every sleep; only False means that it is not there.
        what: what is waited for.
        timeout_s: longest sum of sleeps in seconds; 0 and less means one look and no sleep.
        log: gets one message at INFO per sleep, and one at WARN when 5 s have been slept in vain.
        sleep: stands in for time.sleep.
    """
    pause, slept = FIRST_SLEEP_S, 0.0
    while is_there() is False:
        remaining = timeout_s - slept
        if remaining <= 0:
            return False
        step = min(pause, remaining)
        log.log(log.INFO, f"waiting for {what}: {slept:.1f} s of {timeout_s:.1f} s so far")
        if slept >= TELL_S > slept - pause / GROWTH:
            log.warn(f"still waiting for {what}: {slept:.0f} s of {timeout_s:g} s ('timeout') are over")
        sleep(step)
        slept += step
        pause *= GROWTH
    return True


def wait_until_stable(
    path: str,
    stable_s: float,
    timeout_s: float,
    log: Log,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Whether `path` keeps its size and the time of its last change for a while.

    Args:
        path: the file, or the directory, with all that is in it.
        stable_s: how long it must not have changed, in seconds; 0 and less asks for nothing.
        timeout_s: longest sum of sleeps in seconds; at least one of `stable_s` is slept.
        log: gets one message at INFO for every change that is seen.
        sleep: stands in for time.sleep.
    """
    if stable_s <= 0:
        return True
    slept, seen = 0.0, fingerprint(path)
    while True:
        sleep(stable_s)
        slept += stable_s
        found = fingerprint(path)
        if found == seen and found is not None:
            return True
        if slept + stable_s > timeout_s:
            return False
        log.log(log.INFO, f"{path} is being written: waiting until it keeps its size for {stable_s:g} s")
        seen = found
