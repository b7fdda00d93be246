# SPDX-License-Identifier: BSD-3-Clause
"""iceoryx2: images in samples that a publisher lends, and events that wake who waits for them.

The master's event wakes all slices; theirs wakes the master, which knows them by their numbers. What slices
have read goes through a page shared by fork, so that it costs iceoryx2 nothing. What iceoryx2 makes on disk
is in a directory of its own, and its shared memory has that directory's name.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from bare import touch
from forks import forked, timed_handovers, timed_steps
from images import ImageSource
from peers import checked_round

START_S = 30.0
"""For everybody to have joined."""
LOOK_S = 0.005
SHARED_MEMORY = Path("/dev/shm")
IMAGE = "image"


class End:
    """What one process has of iceoryx2: the master (rank None), or a slice."""

    def __init__(self, folder: str, slices: int, rank: int | None = None) -> None:
        import iceoryx2

        self._iceoryx2, self._slices = iceoryx2, slices
        iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
        config = iceoryx2.config.default()
        config.global_cfg.root_path = iceoryx2.Path.new(folder)
        config.global_cfg.prefix = iceoryx2.FileName.new(f"{os.path.basename(folder)}_")
        # SIGTERM is for the program: a slice that raises sends it.
        silent = iceoryx2.SignalHandlingMode.Disabled
        builder = iceoryx2.NodeBuilder.new().config(config).signal_handling_mode(silent)
        self._node = builder.create(iceoryx2.ServiceType.Ipc)
        self._go, arrived = (self._service(name).event().open_or_create() for name in ("go", "arrived"))
        self._publisher: Any = None
        self._subscribers: dict[str, Any] = {}
        if rank is None:
            self._waits_at = arrived
            self._notifier = self._go.notifier_builder().create()
        else:
            self._waits_at = self._go
            own = iceoryx2.EventId.new(rank)
            self._notifier = arrived.notifier_builder().default_event_id(own).create()

    def _service(self, name: str) -> Any:
        return self._node.service_builder(self._iceoryx2.ServiceName.new(name))

    def _images(self, name: str) -> Any:
        kind = self._service(name).publish_subscribe(self._iceoryx2.Slice[ctypes.c_uint8])
        # As few samples as it allows: who uses few has them warm.
        kind = kind.subscriber_max_buffer_size(1).subscriber_max_borrowed_samples(1).history_size(0)
        return kind.max_publishers(1).max_subscribers(self._slices).open_or_create()

    def publish(self, name: str, nbytes: int) -> None:
        """Makes this the end that `lend` and `send` hand images out by."""
        self._publisher = self._images(name).publisher_builder().initial_max_slice_len(nbytes).create()

    def subscribe(self, name: str) -> None:
        """Makes this an end that `receive` has images from."""
        self._subscribers[name] = self._images(name).subscriber_builder().create()

    def join(self) -> None:
        """Everything is made: the other side may notify. The master waits for all slices."""
        self._listener = self._waits_at.listener_builder().create()
        end = time.monotonic() + START_S
        while self._waits_at is not self._go and self._go.dynamic_config.number_of_listeners < self._slices:
            if time.monotonic() > end:
                raise RuntimeError(f"not all slices have joined in {START_S:g} s")
            time.sleep(LOOK_S)

    def notify(self) -> None:
        """Wakes the other side."""
        self._notifier.notify()

    def wait(self) -> None:
        """A slice waits for the master."""
        while not self._listener.blocking_wait():
            pass

    def wait_all(self) -> None:
        """The master waits for all slices."""
        missing = set(range(self._slices))
        while missing:
            missing -= {one.id.as_value for one in self._listener.blocking_wait()}

    def lend(self, nbytes: int) -> tuple[Any, np.ndarray]:
        """A sample, and the image that lies in it."""
        sample = self._publisher.loan_slice_uninit(nbytes)
        return sample, pixels_of(sample)

    def receive(self, name: str) -> Any:
        """The sample that has come."""
        sample = self._subscribers[name].receive()
        if sample is None:
            raise RuntimeError(f"no sample has come by {name!r}")
        return sample

    def close(self) -> None:
        """Gives everything back, what slices have left that were killed included."""
        for end in (self._listener, self._notifier, self._publisher, *self._subscribers.values()):
            if end is not None:
                end.delete()
        self._node.try_cleanup_dead_nodes()
        del self._go, self._waits_at, self._node


def pixels_of(sample: Any) -> np.ndarray:
    """The image in a sample; valid as long as that is."""
    return np.frombuffer(sample.payload().as_memory_view(), np.uint32)


@contextmanager
def _joined(
    slices: int, prepare: Callable[[End, int | None], object], body: Callable[[End, int], object]
) -> Iterator[End]:
    """The master's end, with `body(end, rank)` in all slices; `prepare(end, rank)` makes what each needs."""
    with tempfile.TemporaryDirectory(prefix="iox") as folder:

        def slice_of(rank: int) -> None:
            end = End(folder, slices, rank)
            prepare(end, rank)
            end.join()
            body(end, rank)

        try:
            with forked(slices, slice_of):
                master = End(folder, slices)
                prepare(master, None)
                master.join()
                yield master
            master.close()
        finally:
            # It keeps a page for each prefix, whoever has ended how.
            for left in SHARED_MEMORY.glob(f"{os.path.basename(folder)}_*"):
                left.unlink()


def iceoryx2_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """An event to all slices, and one from each."""

    def body(end: End, rank: int) -> None:
        while True:
            end.wait()
            end.notify()

    with _joined(slices, lambda end, rank: None, body) as master:

        def step() -> None:
            master.notify()
            master.wait_all()

        return timed_steps(step, rounds, seconds)


def born_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Images are computed in samples."""
    return _handover((slices, mebibytes), rounds, seconds, False)


def copied_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Images are private, and are copied into samples within the time."""
    return _handover((slices, mebibytes), rounds, seconds, True)


def _handover(sizes: tuple[int, int], rounds: int, seconds: float, copying: bool) -> dict[str, Any]:
    slices, mebibytes = sizes
    nbytes = mebibytes << 20
    sums = np.frombuffer(mmap.mmap(-1, 8 * slices), np.uint64)
    source = ImageSource(mebibytes)
    own = np.zeros(nbytes // 4, np.uint32) if copying else None
    lent: list[Any] = []

    def prepare(end: End, rank: int | None) -> None:
        end.publish(IMAGE if rank is None else f"result of {rank}", nbytes)
        for name in [f"result of {rank}" for rank in range(slices)] if rank is None else [IMAGE]:
            end.subscribe(name)

    def send(end: End) -> None:
        if own is not None:
            lent[:] = [end.lend(nbytes)]
            np.copyto(lent[0][1], own)
        sample, _ = lent.pop()
        sample.assume_init().send()

    def target(end: End) -> np.ndarray:
        """Where an image is computed."""
        if own is not None:
            return own
        lent[:] = [end.lend(nbytes)]
        return lent[0][1]

    def body(end: End, rank: int) -> None:
        while True:
            end.wait()
            sample = end.receive(IMAGE)
            sums[rank] = touch(pixels_of(sample))
            end.notify()
            end.wait()
            np.add(pixels_of(sample), np.uint32(rank + 1), out=target(end))
            sample.delete()
            end.notify()
            end.wait()
            send(end)
            end.notify()

    with _joined(slices, prepare, body) as master:

        def turn() -> None:
            master.notify()
            master.wait_all()

        def there(image: np.ndarray) -> list[int]:
            send(master)
            turn()
            return list(map(int, sums))

        def back() -> list[int]:
            turn()
            found = []
            for rank in range(slices):
                sample = master.receive(f"result of {rank}")
                found.append(touch(pixels_of(sample)))
                sample.delete()
            return found

        hand_over = checked_round(
            sizes, there, back, image_of=lambda value: source.compute(value, target(master)), compute=turn
        )
        return timed_handovers(hand_over, rounds, seconds)
