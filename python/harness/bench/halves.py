# SPDX-License-Identifier: BSD-3-Clause
"""The halves of a measured stage: the user's own classes, given images before and read after each visit."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from harness.bench.fingerprints import fingerprint
from harness.bench.images import load
from harness.bench.order import Order
from harness.bench.plan import MASTER
from harness.current import current_visit
from harness.dc3a import Dc3aStage, adapt
from harness.errors import ConfigError
from harness.queue import Queue
from harness.stage import (
    NoOpParallelProcessing,
    NoOpSerialProcessing,
    ParallelProcessing,
    SerialProcessing,
    Stage,
    find_class,
)

if TYPE_CHECKING:
    import numpy

    from harness.clipboard import Clipboard

PRINTS: list[str] = []
"""Of the master's process: one for every visit, filled by `serial_half`."""


def find_halves(name: str) -> tuple[type[SerialProcessing] | None, type[ParallelProcessing]]:
    """The halves of the stage that a dotted name means; `None` for a serial half that does nothing.

    Raises:
        ConfigError: there is no such class, or it has no `process`; the message says what was found.
    """
    try:
        cls = find_class(name)
    except ImportError as error:
        raise ConfigError(str(error)) from error
    serial: type[SerialProcessing] | None = None
    if issubclass(cls, Dc3aStage):
        old, cls = cls, adapt(cls)
        if old.process is Dc3aStage.process:
            raise _without_process(name, "a stage of 2008 that does not override it")
        if old.preprocess is not Dc3aStage.preprocess or old.postprocess is not Dc3aStage.postprocess:
            serial = cls.serialClass
        return serial, cls.parallelClass
    if issubclass(cls, Stage):
        if cls.serialClass is not NoOpSerialProcessing:
            serial = cls.serialClass
        cls = cls.parallelClass
        if cls is NoOpParallelProcessing:
            raise _without_process(name, "a Stage without a parallelClass")
    if not issubclass(cls, ParallelProcessing):
        seen = "a serial half" if issubclass(cls, SerialProcessing) else "no stage class"
        raise _without_process(name, seen)
    if cls.process is ParallelProcessing.process and cls.applyProcess is ParallelProcessing.applyProcess:
        raise _without_process(name, f"{cls.__qualname__}, which does not override it")
    return serial, cls


def _without_process(name: str, seen: str) -> ConfigError:
    return ConfigError(
        f"stage {name}: expected a class with process(self, clipboard), which is what slices run; saw {seen}"
    )


class Images:
    """The images that an order names: `new(visit, rank)` makes a fresh copy of one."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._sources: list[Any] = []

    def new(self, visit: int, rank: int) -> numpy.ndarray[Any, Any]:
        """The image of a rank in a visit, counted from 1; it belongs to the caller."""
        import numpy

        if not self._sources:
            self._sources = [load(Path(path)) for path in self._order.images]
        number = (visit - 1) * self._order.slices + rank
        copy: numpy.ndarray[Any, Any] = numpy.array(self._sources[number % len(self._sources)])
        return copy


def handed_key(rank: int) -> str:
    """The key under which the master hands a slice its image."""
    return f"bench image of {rank}"


class _HandingMaster(SerialProcessing):
    """Hands new images out before the stage's own preprocess."""

    order: ClassVar[Order]

    def applyPreprocess(self) -> Queue:
        inputQueue, _ = self._queues()
        clipboard: Clipboard = inputQueue.element()  # type: ignore[assignment]  # a visit has one
        order = self.order
        if order.images and order.source == MASTER:
            for rank in range(order.slices):
                image = _images(order).new(current_visit(), rank)
                clipboard.put(handed_key(rank), image, True)
        return super().applyPreprocess()


class _FedMaster(_HandingMaster):
    """Reads results, too, before the stage's own postprocess."""

    def applyPostprocess(self, queue: Queue) -> None:
        clipboard = queue.element()
        if clipboard is not None:
            whole = current_visit() <= self.order.warm_up
            PRINTS.append(fingerprint(_results(clipboard, self.order.slices), whole))
        super().applyPostprocess(queue)


def _results(clipboard: Clipboard, slices: int) -> list[tuple[int, str, Any]]:
    """What slices have shared: the keys that the harness made of theirs."""
    results = []
    for key in clipboard.getKeys():
        name, _, rank = key.rpartition("-")
        if name and rank.isdecimal() and int(rank) < slices:
            results.append((int(rank), name, clipboard.get(key)))
    return results


class _FedSlice(ParallelProcessing):
    """Has the slice's image under its key before the stage's own process."""

    order: ClassVar[Order]

    def applyProcess(self) -> None:
        inputQueue, _ = self._queues()
        clipboard: Clipboard = inputQueue.element()  # type: ignore[assignment]  # a visit has one
        order = self.order
        if order.source == MASTER:
            image = clipboard.get(handed_key(self.rank))
            for rank in range(order.slices):
                del clipboard[handed_key(rank)]
        else:
            image = _images(order).new(current_visit(), self.rank)
        clipboard.put(order.key, image)
        super().applyProcess()


@cache
def _images(order: Order) -> Images:
    return Images(order)


UNNOTICED = {"independent": True, "stateless": True}
"""What the halves in front of a whole pipeline declare, so that its own stages decide on the schedule."""


def serial_half(order: Order) -> type[SerialProcessing]:
    """The class of the master's half: that of the stage, or one that does nothing, and what feeds it.

    In front of a whole pipeline it reads no results: slices would have to meet the master behind it.
    """
    if order.stage is None:
        return _fed(_HandingMaster, NoOpSerialProcessing, order, **UNNOTICED)
    return _fed(_FedMaster, find_halves(order.stage)[0] or NoOpSerialProcessing, order)


def parallel_half(order: Order) -> type[ParallelProcessing]:
    """The class of a slice's half, with images."""
    if order.stage is None:
        return _fed(_FedSlice, NoOpParallelProcessing, order, **UNNOTICED)
    return _fed(_FedSlice, find_halves(order.stage)[1], order)


def _fed(feeding: type, cls: type, order: Order, **declared: bool) -> Any:
    # The class says that it is the user's: what the harness concludes from its module must not change.
    names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    return type(cls.__name__, (feeding, cls), {**names, "order": order, **declared})
