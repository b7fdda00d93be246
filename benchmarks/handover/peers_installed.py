# SPDX-License-Identifier: BSD-3-Clause
"""Peers that are packages of their own and start in a moment: joblib, pyzmq, mpi4py."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import numpy as np
from bare import WARM, check, touch, value_of
from forks import forked, timed_handovers, timed_steps
from images import ImageSource, pixels
from peers import add, checked_round, nothing, read


def joblib_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """joblib with its loky workers. One task alone runs in a worker too: there are two at least."""
    from joblib import Parallel, delayed

    with Parallel(n_jobs=max(2, slices)) as parallel:
        return timed_steps(
            lambda: parallel(delayed(nothing)(rank) for rank in range(slices)), rounds, seconds
        )


def joblib_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> dict[str, Any]:
    """joblib: arrays to workers through files that are mapped, results pickled.

    Back, a task gets the image that it was given before, for which joblib does nothing again, and its sum
    with the rank is computed in the time.
    """
    from joblib import Parallel, delayed

    source = ImageSource(mebibytes)
    handed: list[np.ndarray] = []

    def fresh(value: int) -> np.ndarray:
        # A new array each time: joblib does not look again at one that it has written to a file.
        handed[:] = [source.compute(value)]
        return handed[0]

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        with Parallel(n_jobs=max(2, slices), temp_folder=folder, max_nbytes=1 << 16) as parallel:

            def on_each(function: Any) -> list[Any]:
                return parallel(delayed(function)(handed[0], rank) for rank in range(slices))

            hand_over = checked_round(
                (slices, mebibytes), lambda _image: on_each(read),
                lambda: [touch(result) for result in on_each(add)], image_of=fresh,
            )
            return timed_handovers(hand_over, rounds, seconds)


def zmq_sockets(zmq: Any, folder: str, slices: int) -> list[Any]:
    """The master's ends of one PAIR per slice, over Unix sockets in `folder`."""
    context = zmq.Context()
    sockets = []
    for rank in range(slices):
        socket = context.socket(zmq.PAIR)
        socket.bind(f"ipc://{folder}/{rank}")
        sockets.append(socket)
    return sockets


def zmq_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """pyzmq PAIR sockets over ipc: a word to each, a word from each."""
    import zmq

    with tempfile.TemporaryDirectory() as folder:

        def body(rank: int) -> None:
            mine = zmq.Context().socket(zmq.PAIR)
            mine.connect(f"ipc://{folder}/{rank}")
            while True:
                mine.send(mine.recv())

        with forked(slices, body):
            sockets = zmq_sockets(zmq, folder, slices)

            def step() -> None:
                for socket in sockets:
                    socket.send(b"x")
                for socket in sockets:
                    socket.recv()

            return timed_steps(step, rounds, seconds)


def zmq_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> dict[str, Any]:
    """pyzmq PAIR sockets over ipc, with `copy=False` at both ends."""
    import zmq

    with tempfile.TemporaryDirectory() as folder:

        def body(rank: int) -> None:
            mine = zmq.Context().socket(zmq.PAIR)
            mine.connect(f"ipc://{folder}/{rank}")
            while True:
                image = np.frombuffer(mine.recv(copy=False), np.uint32)
                mine.send_pyobj(touch(image))
                result = add(image, rank)
                mine.recv()
                mine.send(result, copy=False)

        with forked(slices, body):
            sockets = zmq_sockets(zmq, folder, slices)

            def there(image: np.ndarray) -> list[int]:
                for socket in sockets:
                    socket.send(image, copy=False)
                return [socket.recv_pyobj() for socket in sockets]

            def back() -> list[int]:
                for socket in sockets:
                    socket.send(b"x")
                return [touch(np.frombuffer(socket.recv(copy=False), np.uint32)) for socket in sockets]

            return timed_handovers(checked_round((slices, mebibytes), there, back), rounds, seconds)


def _agree(world: Any, first: float, rounds: int, seconds: float) -> int:
    """How many rounds all ranks will do, from what one took."""
    return world.bcast(max(5, min(rounds, int(seconds / max(first, 1e-7)))))


def mpi_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """MPI Barrier, twice a step. Every rank comes here; rank 0 is the master."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD

    def some(count: int) -> list[float]:
        times = []
        for _ in range(count):
            start = time.perf_counter()
            world.Barrier()
            world.Barrier()
            times.append(time.perf_counter() - start)
        return times

    return some(_agree(world, sum(some(20)) / 20, rounds, seconds))


def mpi_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> dict[str, Any]:
    """MPI Bcast to all, an own image from each by Recv. Every rank comes here; rank 0 is the master."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    image, result = np.empty((2, pixels(mebibytes)), np.uint32)
    source = ImageSource(mebibytes)
    found: dict[str, list[float]] = {"out": [], "back": []}

    def hand_over(number: int) -> tuple[float, float]:
        value = value_of(number)
        if world.rank == 0:
            source.compute(value, image)
        world.Barrier()
        start = time.perf_counter()
        world.Bcast(image)
        mine = touch(image) if world.rank else 0
        sums = world.gather(mine)
        out = time.perf_counter() - start
        check(mine, mebibytes, value if world.rank else 0, "a slice")
        if world.rank:
            np.add(image, np.uint32(world.rank), out=result)
        world.Barrier()
        start = time.perf_counter()
        if world.rank:
            world.Send(result, 0)
            return out, 0.0
        for rank in range(1, world.size):
            world.Recv(image, rank)
            check(touch(image), mebibytes, value + rank, "the master")
        assert len(sums) == world.size
        return out, time.perf_counter() - start

    first = sum(hand_over(0))
    for number in range(1, WARM):
        hand_over(number)
    for number in range(_agree(world, first, rounds, seconds)):
        out, back = hand_over(number)
        found["out"].append(out)
        found["back"].append(back)
    return found
