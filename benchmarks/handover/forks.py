# SPDX-License-Identifier: BSD-3-Clause
"""Forked processes for contenders, and the round that all of them are timed in."""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import bare

HandOver = Callable[[int], tuple[float, float]]


@contextmanager
def forked(count: int, body: Callable[[int], object]) -> Iterator[None]:
    """Runs `body(rank)` in `count` forked processes, which are killed at the end of the block.

    A body that raises prints its traceback and ends the calling process too, by SIGTERM.
    """
    children = []
    for rank in range(count):
        pid = os.fork()
        if pid == 0:
            try:
                bare.library().bare_die_with_parent()
                body(rank)
            except BaseException:
                traceback.print_exc()
                os.kill(os.getppid(), signal.SIGTERM)
            os._exit(1)
        children.append(pid)
    try:
        yield
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def timed_steps(step: Callable[[], object], rounds: int, seconds: float) -> list[float]:
    """Seconds of each of at most `rounds` calls, at least five, and no new one after `seconds`."""
    for _ in range(20):
        step()
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < rounds and (len(times) < 5 or time.perf_counter() - begin < seconds):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times


def timed_handovers(hand_over: HandOver, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Seconds there and back of each round; `hand_over(number)` does one.

    At most `rounds` after those that warm up, at least three, and no new one after `seconds`. A slow
    contender warms up for half of the seconds, with one round at least.
    """
    found: dict[str, list[float]] = {"out": [], "back": []}
    begin = time.perf_counter()
    for number in range(rounds + bare.WARM):
        out, back = hand_over(number)
        spent = time.perf_counter() - begin
        if number == 0 or (number < bare.WARM and spent < seconds / 2):
            continue
        found["out"].append(out)
        found["back"].append(back)
        if len(found["out"]) >= 3 and spent > seconds:
            break
    return found
