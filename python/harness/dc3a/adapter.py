# SPDX-License-Identifier: BSD-3-Clause
"""Halves of today that hold a stage of 2007 or 2008 and call it as its harness did.

The harness of today looks at the head of a queue and takes it away after the stage; a stage of 2008 takes it
itself. So each half remembers the clipboard before the call: if the stage raises, it is put back at the head
of the input queue, where a failure stage expects it; if the stage leaves it there, it is moved on.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from harness.dc3a.clipboard import Dc2Clipboard, Dc2Queue
from harness.dc3a.stage import Dc2Stage, Dc3aStage
from harness.queue import Queue
from harness.stage import (
    NoOpSerialProcessing,
    ParallelProcessing,
    SerialProcessing,
    Stage,
    StageProcessing,
    WrongClassError,
    find_class,
)

__all__ = ["acts", "adapt", "find_half"]

HalfT = TypeVar("HalfT", bound=StageProcessing)


class _Holder(StageProcessing):
    """Makes the old stage, and plugs it in, in the order of calls of 2008.

    Attributes: `held` is the stage itself.
    """

    held_class: ClassVar[type[Dc3aStage]]
    topic: ClassVar[str | None] = None
    held: Dc3aStage

    def setup(self) -> None:
        """Construct the stage: ``Class(stageId)``, or ``Class(stageId, policy)`` if it has a policy."""
        arguments = () if self.policy is None else (self.policy,)
        self.held = self.held_class(self.stageId, *arguments)

    def initialize(self, outQueue: Queue, inQueue: Queue) -> None:
        """Plug in both; afterwards the stage learns its rank (in slices), universe size and run id."""
        super().initialize(outQueue, inQueue)
        if isinstance(self.held, Dc2Stage):
            self.held.initialize(Dc2Queue(outQueue, self.topic), Dc2Queue(inQueue, self.topic))
        else:
            self.held.initialize(outQueue, inQueue)
        if self.rank >= 0:
            self.held.setRank(self.rank)
        self.held.setUniverseSize(self.universeSize)
        self.held.setRun(self.runId)

    def _restore(self, clipboard: Any) -> None:
        """Has the clipboard of a stage that raised, and no other, at the head of the input queue."""
        inputQueue, outputQueue = self._queues()
        self.held.activeClipboard = None
        for queue in (inputQueue, outputQueue):
            while queue.size() > 0:
                queue.getNextDataset()
        if clipboard is not None:
            inputQueue.addDataset(clipboard)

    def _seen(self, clipboard: Any) -> Any:
        """A clipboard as the stage's own queues would hand it out."""
        if clipboard is not None and isinstance(self.held, Dc2Stage):
            return Dc2Clipboard(clipboard, self.topic)
        return clipboard

    def _move_on(self) -> None:
        """A clipboard that the stage left in the input queue goes to the output queue, once."""
        inputQueue, outputQueue = self._queues()
        if inputQueue.size() > 0:
            left = inputQueue.getNextDataset()
            if outputQueue.size() == 0 or outputQueue.element() is not left:
                outputQueue.addDataset(left)


class _SerialHolder(_Holder, SerialProcessing):
    """The half in the master: `preprocess` and `postprocess` of the stage."""

    def applyPreprocess(self) -> Queue:
        """Let the stage take its clipboard; the result holds it for the crossing to the slices."""
        inputQueue, _ = self._queues()
        clipboard = inputQueue.element()
        try:
            self.held.preprocess()
        except BaseException:
            self._restore(clipboard)
            raise
        between = Queue()
        between.addDataset(clipboard)
        return between

    def applyPostprocess(self, queue: Queue) -> None:
        """Let the stage hand its clipboard on.

        Where no `preprocess` came before, as in a failure stage, `activeClipboard` is the head of `queue`.
        """
        clipboard = queue.element()
        if self.held.activeClipboard is None:
            self.held.activeClipboard = self._seen(clipboard)
        try:
            self.held.postprocess()
        except BaseException:
            # The clipboard is still in `queue`, as the master expects; none may be left elsewhere.
            self._restore(None)
            raise
        self.held.activeClipboard = None
        queue.getNextDataset()
        self._move_on()


class _ParallelHolder(_Holder, ParallelProcessing):
    """The half in a slice: `process` of the stage."""

    def applyProcess(self) -> None:
        """Let the stage take its clipboard and hand it on."""
        inputQueue, _ = self._queues()
        clipboard = inputQueue.element()
        try:
            self.held.process()
        except BaseException:
            self._restore(clipboard)
            raise
        self._move_on()


def adapt(cls: type[Dc3aStage], topic: str | None = None) -> type[Stage]:
    """A `Stage` of today, for testers and pipelines, whose halves hold instances of a stage of 2007 or 2008.

    Args:
        cls: the old stage class.
        topic: topic of the event that the stage waits for; stages of 2007 find its payload as ``inputData``.

    Raises:
        WrongClassError: (a ValueError) `cls` is no subclass of `Dc3aStage`.
    """
    if not (isinstance(cls, type) and issubclass(cls, Dc3aStage)):
        raise WrongClassError(
            f"expected a subclass of {Dc3aStage.__module__}.{Dc3aStage.__qualname__}"
            f" (lsst.pex.harness.Stage.Stage or lsst.dps.Stage.Stage), not {cls!r:.100}"
        )
    halves = {
        "serialClass": _half(cls, _SerialHolder, topic),
        "parallelClass": _half(cls, _ParallelHolder, topic),
    }
    return type(cls.__name__, (Stage,), {"__module__": cls.__module__, "__doc__": cls.__doc__, **halves})


def find_half(
    dotted_name: str, base: type[HalfT], *, one_class: bool = False, topic: str | None = None
) -> type[HalfT]:
    """The half of a stage that a dotted class name means, whichever API the class was written for.

    Args:
        dotted_name: such as ``mypipe.warp.WarpSerial``, or ``mypipe.Warp.WarpStage`` of 2008.
        base: `SerialProcessing` or `ParallelProcessing`: which half is wanted.
        one_class: the name must be that of a stage of 2007 or 2008, or of a `Stage` of today.
        topic: as for `adapt`.

    Raises:
        ClassLookupError, WrongClassError: as `find_class`.
    """
    is_serial = issubclass(base, SerialProcessing)
    half: Any
    try:
        half = find_class(dotted_name, Dc3aStage if one_class else base)
    except WrongClassError:
        # A stage that was one class then may be a pair of halves today, as the IO stages are.
        half = _class_of(dotted_name, Stage if one_class else Dc3aStage)
        if half is None:
            raise
    if issubclass(half, Stage):
        half = half.serialClass if is_serial else half.parallelClass
    if issubclass(half, Dc3aStage):
        half = _half(half, _SerialHolder if is_serial else _ParallelHolder, topic)
    found: type[HalfT] = half
    return found


def acts(half: type[SerialProcessing], method: str) -> bool:
    """Whether a serial half does anything in `preprocess` or `postprocess`, as far as its class shows."""
    if issubclass(half, _SerialHolder):
        return getattr(half.held_class, method) is not getattr(Dc3aStage, method)
    names = (method, f"apply{method.capitalize()}")
    return any(
        getattr(half, name) not in (getattr(SerialProcessing, name), getattr(NoOpSerialProcessing, name))
        for name in names
    )


def _class_of(dotted_name: str, base: type) -> type | None:
    """The subclass of `base` that a name means, None if it means something else."""
    try:
        return find_class(dotted_name, base)
    except WrongClassError:
        return None


def _half(cls: type[Dc3aStage], holder: type[_Holder], topic: str | None) -> type[_Holder]:
    """A holder of one class, which shows its name in messages."""
    names = {"__module__": cls.__module__, "__qualname__": cls.__qualname__, "__doc__": cls.__doc__}
    declared = {name: getattr(cls, name, False) for name in ("stateful", "independent", "stateless")}
    told = {"held_class": cls, "topic": topic, **declared}
    return type(cls.__name__, (holder,), {**names, **told})
