# SPDX-License-Identifier: BSD-3-Clause
"""Halves of a tested stage as a pipeline finds them: they fill the first clipboard and report to the test."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.clipboard import Clipboard
from harness.runtime.halves.failure import format_failure
from harness.stage import ParallelProcessing, SerialProcessing, Stage, StageProcessing
from harness.tester.messages import MASTER, pack_clipboard, pack_error, who

if TYPE_CHECKING:
    from harness.log import Log
    from harness.properties import PropertySet
    from harness.queue import Queue
    from harness.tester.channel import Channel
    from harness.tester.visits import Data

__all__ = ["Script", "parallel_half", "serial_half"]

class Script:
    """What a run of the tester puts in, and how its processes tell what comes out. Inherited by fork.

    Args:
        channel: where results go.
        given: per visit, the data of each rank: the master's at -1.
        events: payloads by topic, for every clipboard.
        logs: by rank, what the stages write to.
    """

    def __init__(
        self,
        channel: Channel,
        given: list[dict[int, Data]],
        events: dict[str, PropertySet],
        logs: Mapping[int, Log],
    ) -> None:
        self._channel = channel
        self.logs = logs
        self._given = given
        self._events = events
        # By rank, as far as this process is concerned: the first stage runs in every visit.
        self._visits: Counter[int] = Counter()

    def fill(self, clipboard: Clipboard, rank: int) -> None:
        """Begins a visit of a rank: puts the test's data on its fresh clipboard."""
        data = self._given[self._visits[rank]][rank]
        self._visits[rank] += 1
        shared = set(data.getSharedKeys()) if isinstance(data, Clipboard) else set()
        keys = data.getKeys() if isinstance(data, Clipboard) else list(data)
        for key in keys:
            clipboard.put(key, data[key], key in shared)
        for topic, payload in self._events.items():
            clipboard.put(topic, payload)

    def save(self, clipboard: Clipboard | None, rank: int) -> None:
        """Leaves a clipboard for the test. TypeError names a value that cannot be brought back."""
        self._channel.send(rank, *pack_clipboard(clipboard, self._visits[rank], rank))

    @contextlib.contextmanager
    def watching(self, stage: int, rank: int) -> Iterator[None]:
        """Leaves what is raised within for the test, and lets it go on."""
        try:
            yield
        except Exception as error:
            self._fail(error, stage, rank)
            raise

    def _fail(self, error: Exception, stage: int, rank: int) -> None:
        visit = self._visits[rank]
        when = f"visit {visit}" if visit else "set-up"
        text = f"stage {stage} in {who(rank)}, {when}:\n{format_failure(error)}"
        self._channel.send(rank, pack_error(error, text, (visit, stage, rank)))


def serial_half(stage: Stage, number: int, script: Script, last: bool) -> type[StageProcessing]:
    """The serial class of stage `number`, extended by what the test needs of it."""

    def applyPreprocess(self: Any) -> Queue:
        if number == 1:
            script.fill(self.inputQueue.element(), MASTER)
        with script.watching(number, MASTER):
            between: Queue = super(half, self).applyPreprocess()
        return between

    def applyPostprocess(self: Any, queue: Queue) -> None:
        with script.watching(number, MASTER):
            super(half, self).applyPostprocess(queue)
            if last:
                script.save(self.outputQueue.element(), MASTER)

    cls = _checked(stage, number, "serialClass", SerialProcessing)
    half: Any = _half(stage, number, script, cls, applyPreprocess, applyPostprocess)
    return half


def parallel_half(stage: Stage, number: int, script: Script, last: bool) -> type[StageProcessing]:
    """The parallel class of stage `number`, extended by what the test needs of it."""

    def applyProcess(self: Any) -> None:
        if number == 1:
            script.fill(self.inputQueue.element(), self.rank)
        with script.watching(number, self.rank):
            super(half, self).applyProcess()
            if last:
                script.save(self.outputQueue.element(), self.rank)

    cls = _checked(stage, number, "parallelClass", ParallelProcessing)
    half: Any = _half(stage, number, script, cls, applyProcess)
    return half


def _checked(
    stage: Stage, number: int, attribute: str, base: type[StageProcessing]
) -> type[StageProcessing]:
    cls: Any = getattr(stage, attribute)
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise TypeError(
            f"stage {number}: the {attribute} of {type(stage).__qualname__} must be a subclass of"
            f" {base.__qualname__}, not {cls!r:.80}"
        )
    return cls


def _half(
    stage: Stage, number: int, script: Script, cls: type[StageProcessing], *methods: Callable[..., Any]
) -> type[StageProcessing]:
    def make(
        self: StageProcessing, policy: object, log: Log, broker: object, sysdata: dict[str, Any]
    ) -> None:
        # The stage is set up as it was for the test, whatever can be said in a policy file.
        # Its log is apart from that of the run, which tells less.
        own = script.logs[sysdata["rank"]]
        with script.watching(number, sysdata["rank"]):
            cls.__init__(self, stage.stagePolicy, own, stage.eventBroker, {**stage.sysdata, **sysdata})

    body = {
        "__init__": make,
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        **{method.__name__: method for method in methods},
    }
    return type(cls.__name__, (cls,), body)
