# SPDX-License-Identifier: BSD-3-Clause
"""What the standard library offers: pipes, queues, barriers, shared memory blocks."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from bare import check, touch, value_of
from forks import forked, timed_handovers, timed_steps
from handover_stages import pixels

FORK = multiprocessing.get_context("fork")


def barrier_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """multiprocessing.Barrier, twice a step."""
    barrier = FORK.Barrier(slices + 1)

    def body(rank: int) -> None:
        while True:
            barrier.wait()
            barrier.wait()

    def step() -> None:
        barrier.wait()
        barrier.wait()

    with forked(slices, body):
        return timed_steps(step, rounds, seconds)


def pipe_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """multiprocessing.Pipe: a word to each, a word from each."""
    pipes = [FORK.Pipe() for _ in range(slices)]

    def body(rank: int) -> None:
        mine = pipes[rank][1]
        while True:
            mine.send(mine.recv())

    def step() -> None:
        for ours, _ in pipes:
            ours.send(1)
        for ours, _ in pipes:
            ours.recv()

    with forked(slices, body):
        return timed_steps(step, rounds, seconds)


def pipe_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Arrays pickled through a multiprocessing.Pipe each."""
    pipes = [FORK.Pipe() for _ in range(slices)]

    def body(rank: int) -> None:
        mine = pipes[rank][1]
        while True:
            image = mine.recv()
            mine.send(touch(image))
            result = image + np.uint32(rank + 1)
            mine.recv()
            mine.send(result)

    def receive() -> list[Any]:
        return [ours.recv() for ours, _ in pipes]

    def send(item: Any) -> None:
        for ours, _ in pipes:
            ours.send(item)

    with forked(slices, body):
        return timed_handovers(_exchange(send, receive, mebibytes), rounds, seconds)


def queue_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Arrays pickled through a multiprocessing.Queue to each slice and one back from all."""
    there = [FORK.Queue() for _ in range(slices)]
    back = FORK.Queue()

    def body(rank: int) -> None:
        while True:
            image = there[rank].get()
            back.put((rank, touch(image)))
            result = image + np.uint32(rank + 1)
            there[rank].get()
            back.put((rank, result))

    def receive() -> list[Any]:
        found = dict(back.get() for _ in range(slices))
        return [found[rank] for rank in range(slices)]

    def send(item: Any) -> None:
        for queue in there:
            queue.put(item)

    with forked(slices, body):
        return timed_handovers(_exchange(send, receive, mebibytes), rounds, seconds)


def _exchange(send: Any, receive: Any, mebibytes: int) -> Any:
    """A round of a contender that sends an object to all slices and receives one from each."""
    image = np.empty(pixels(mebibytes), np.uint32)

    def hand_over(number: int) -> tuple[float, float]:
        value = value_of(number)
        image[...] = value
        start = time.perf_counter()
        send(image)
        sums = receive()
        out = time.perf_counter() - start
        for found in sums:
            check(found, mebibytes, value, "a slice")
        start = time.perf_counter()
        send(None)
        results = receive()
        sums = [touch(result) for result in results]
        back = time.perf_counter() - start
        for rank, found in enumerate(sums):
            check(found, mebibytes, value + rank + 1, "the master")
        return out, back

    return hand_over


def view(block: SharedMemory, mebibytes: int) -> np.ndarray:
    """The block as an image."""
    return np.ndarray(pixels(mebibytes), np.uint32, block.buf)


def reused_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> dict[str, Any]:
    """One copy into a shared_memory block that lives on, and a word through a Pipe."""
    blocks = [SharedMemory(create=True, size=mebibytes << 20) for _ in range(slices + 1)]
    views = [view(block, mebibytes) for block in blocks]
    pipes = [FORK.Pipe() for _ in range(slices)]
    image = np.empty(pixels(mebibytes), np.uint32)

    def body(rank: int) -> None:
        mine = pipes[rank][1]
        while True:
            mine.recv()
            mine.send(touch(views[-1]))
            result = views[-1] + np.uint32(rank + 1)
            mine.recv()
            np.copyto(views[rank], result)
            mine.send(0)

    def ask() -> list[int]:
        for ours, _ in pipes:
            ours.send(0)
        return [ours.recv() for ours, _ in pipes]

    def hand_over(number: int) -> tuple[float, float]:
        value = value_of(number)
        image[...] = value
        start = time.perf_counter()
        np.copyto(views[-1], image)
        sums = ask()
        out = time.perf_counter() - start
        for found in sums:
            check(found, mebibytes, value, "a slice")
        start = time.perf_counter()
        ask()
        sums = [touch(views[rank]) for rank in range(slices)]
        back = time.perf_counter() - start
        for rank, found in enumerate(sums):
            check(found, mebibytes, value + rank + 1, "the master")
        return out, back

    try:
        with forked(slices, body):
            return timed_handovers(hand_over, rounds, seconds)
    finally:
        views.clear()
        for block in blocks:
            block.close()
            block.unlink()


def fresh_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> dict[str, Any]:
    """One copy into a new shared_memory block for every image; its name goes through a Pipe."""
    pipes = [FORK.Pipe() for _ in range(slices)]
    # The reader unlinks; before Python 3.13 nothing else keeps the tracker from doing it once more.
    resource_tracker.register = resource_tracker.unregister = lambda name, kind: None

    def give(image: np.ndarray) -> SharedMemory:
        block = SharedMemory(create=True, size=image.nbytes)
        np.copyto(view(block, mebibytes), image)
        return block

    def read(name: str) -> tuple[int, SharedMemory]:
        block = SharedMemory(name)
        return touch(view(block, mebibytes)), block

    def body(rank: int) -> None:
        mine = pipes[rank][1]
        while True:
            found, block = read(mine.recv())
            mine.send(found)
            result = view(block, mebibytes) + np.uint32(rank + 1)
            block.close()
            mine.recv()
            gift = give(result)
            mine.send(gift.name)
            gift.close()

    image = np.empty(pixels(mebibytes), np.uint32)

    def hand_over(number: int) -> tuple[float, float]:
        value = value_of(number)
        image[...] = value
        start = time.perf_counter()
        gift = give(image)
        for ours, _ in pipes:
            ours.send(gift.name)
        sums = [ours.recv() for ours, _ in pipes]
        gift.unlink()
        gift.close()
        out = time.perf_counter() - start
        for found in sums:
            check(found, mebibytes, value, "a slice")
        start = time.perf_counter()
        for ours, _ in pipes:
            ours.send(0)
        sums = []
        for ours, _ in pipes:
            found, block = read(ours.recv())
            sums.append(found)
            block.unlink()
            block.close()
        back = time.perf_counter() - start
        for rank, found in enumerate(sums):
            check(found, mebibytes, value + rank + 1, "the master")
        return out, back

    with forked(slices, body):
        return timed_handovers(hand_over, rounds, seconds)
