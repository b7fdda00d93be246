# SPDX-License-Identifier: BSD-3-Clause
"""What the standard library offers: pipes, queues, barriers, shared memory blocks."""

from __future__ import annotations

import multiprocessing
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np
from bare import touch
from forks import HandOver, forked, timed_handovers, timed_steps
from images import pixels
from peers import add, checked_round

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
            result = add(image, rank)
            mine.recv()
            mine.send(result)

    def receive() -> list[Any]:
        return [ours.recv() for ours, _ in pipes]

    def send(item: Any) -> None:
        for ours, _ in pipes:
            ours.send(item)

    with forked(slices, body):
        return timed_handovers(_exchange(send, receive, slices, mebibytes), rounds, seconds)


def queue_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Arrays pickled through a multiprocessing.Queue to each slice and one back from all."""
    there = [FORK.Queue() for _ in range(slices)]
    back = FORK.Queue()

    def body(rank: int) -> None:
        while True:
            image = there[rank].get()
            back.put((rank, touch(image)))
            result = add(image, rank)
            there[rank].get()
            back.put((rank, result))

    def receive() -> list[Any]:
        found = dict(back.get() for _ in range(slices))
        return [found[rank] for rank in range(slices)]

    def send(item: Any) -> None:
        for queue in there:
            queue.put(item)

    with forked(slices, body):
        return timed_handovers(_exchange(send, receive, slices, mebibytes), rounds, seconds)


def _exchange(send: Any, receive: Any, slices: int, mebibytes: int) -> HandOver:
    """A round of a contender that sends an object to all slices and receives one from each."""

    def there(image: np.ndarray) -> list[int]:
        send(image)
        return receive()

    def back() -> list[int]:
        send(None)
        return [touch(result) for result in receive()]

    return checked_round((slices, mebibytes), there, back)


def view(block: SharedMemory, mebibytes: int) -> np.ndarray:
    """The block as an image."""
    return np.ndarray(pixels(mebibytes), np.uint32, block.buf)


def reused_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> dict[str, Any]:
    """One copy into a shared_memory block that lives on, and a word through a Pipe."""
    blocks = [SharedMemory(create=True, size=mebibytes << 20) for _ in range(slices + 1)]
    views = [view(block, mebibytes) for block in blocks]
    pipes = [FORK.Pipe() for _ in range(slices)]

    def body(rank: int) -> None:
        mine = pipes[rank][1]
        while True:
            mine.recv()
            mine.send(touch(views[-1]))
            result = add(views[-1], rank)
            mine.recv()
            np.copyto(views[rank], result)
            mine.send(0)

    def ask() -> list[int]:
        for ours, _ in pipes:
            ours.send(0)
        return [ours.recv() for ours, _ in pipes]

    def there(image: np.ndarray) -> list[int]:
        np.copyto(views[-1], image)
        return ask()

    def back() -> list[int]:
        ask()
        return [touch(views[rank]) for rank in range(slices)]

    try:
        with forked(slices, body):
            return timed_handovers(checked_round((slices, mebibytes), there, back), rounds, seconds)
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

    def read_block(name: str) -> tuple[int, SharedMemory]:
        block = SharedMemory(name)
        return touch(view(block, mebibytes)), block

    def body(rank: int) -> None:
        mine = pipes[rank][1]
        while True:
            found, block = read_block(mine.recv())
            mine.send(found)
            result = add(view(block, mebibytes), rank)
            block.close()
            mine.recv()
            gift = give(result)
            mine.send(gift.name)
            gift.close()

    def there(image: np.ndarray) -> list[int]:
        gift = give(image)
        for ours, _ in pipes:
            ours.send(gift.name)
        sums = [ours.recv() for ours, _ in pipes]
        gift.unlink()
        gift.close()
        return sums

    def back() -> list[int]:
        for ours, _ in pipes:
            ours.send(0)
        sums = []
        for ours, _ in pipes:
            found, block = read_block(ours.recv())
            sums.append(found)
            block.unlink()
            block.close()
        return sums

    with forked(slices, body):
        return timed_handovers(checked_round((slices, mebibytes), there, back), rounds, seconds)
