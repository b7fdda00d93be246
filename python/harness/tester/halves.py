# SPDX-License-Identifier: BSD-3-Clause
"""Halves of a tested stage as a pipeline finds them: they fill the first clipboard and report to the test."""

from __future__ import annotations

import contextlib
import pickle
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.clipboard import Clipboard
from harness.stage import Stage, StageProcessing
from harness.whole_files import write_atomically

if TYPE_CHECKING:
    from harness.log import Log
    from harness.properties import PropertySet
    from harness.queue import Queue
    from harness.tester.visits import Data

__all__ = ["Failure", "Script", "load_clipboard", "parallel_half", "serial_half"]

MASTER = -1


@dataclass(frozen=True)
class Failure:
    """What a stage raised: the exception pickled (None if it cannot be), and where and how as text."""

    pickled: bytes | None
    text: str


class Script:
    """What a run of the tester puts in, and where its processes leave what comes out. Inherited by fork.

    Args:
        folder: where results go; private to the run.
        given: per visit, the data of each rank: the master's at -1.
        events: payloads by topic, for every clipboard.
    """

    def __init__(
        self, folder: Path, given: list[dict[int, Data]], events: dict[str, PropertySet]
    ) -> None:
        self._folder = folder
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
        items, shared = {}, []
        if clipboard is not None:
            shared = list(clipboard.getSharedKeys())
            for key in clipboard.getKeys():
                try:
                    items[key] = pickle.dumps(clipboard.get(key), protocol=5)
                except Exception as error:
                    raise TypeError(
                        f"the clipboard of {_who(rank)} holds a value under {key!r} that cannot be brought"
                        f" back to the test, for it does not pickle: {error}"
                    ) from error
        self._write(self.path(self._visits[rank], rank), (clipboard is None, items, shared))

    @contextlib.contextmanager
    def watching(self, stage: int, rank: int) -> Iterator[None]:
        """Leaves what is raised within for the test, and lets it go on."""
        try:
            yield
        except Exception as error:
            self._fail(error, stage, rank)
            raise

    def _fail(self, error: Exception, stage: int, rank: int) -> None:
        try:
            pickled: bytes | None = pickle.dumps(error)
            pickle.loads(pickled or b"")
        except Exception:
            pickled = None
        visit = self._visits[rank]
        when = f"visit {visit}" if visit else "set-up"
        text = f"stage {stage} in {_who(rank)}, {when}:\n{''.join(traceback.format_exception(error))}"
        self._write(self._folder / f"failure-{visit:06d}-{stage:06d}-{rank + 1:06d}", Failure(pickled, text))

    def first_failure(self) -> Failure | None:
        """What was raised first: in the earliest visit, then stage, then rank."""
        for path in sorted(self._folder.glob("failure-*")):
            failure: Failure = pickle.loads(path.read_bytes())
            return failure
        return None

    def path(self, visit: int, rank: int) -> Path:
        """Where the result of a rank is; visits count from 1."""
        return self._folder / f"result-{visit}-{rank}"

    def _write(self, path: Path, content: Any) -> None:
        write_atomically(path, pickle.dumps(content, protocol=5))


def load_clipboard(path: Path) -> Clipboard | None:
    """The clipboard that `Script.save` left; only ever called on files of an own fork."""
    is_none, items, shared = pickle.loads(path.read_bytes())
    if is_none:
        return None
    clipboard = Clipboard()
    for key, pickled in items.items():
        clipboard.put(key, pickle.loads(pickled), key in shared)
    return clipboard


def _who(rank: int) -> str:
    return "the master" if rank < 0 else f"slice {rank}"


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

    half: Any = _half(stage, number, script, stage.serialClass, applyPreprocess, applyPostprocess)
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

    half: Any = _half(stage, number, script, stage.parallelClass, applyProcess)
    return half


def _half(
    stage: Stage, number: int, script: Script, cls: type[StageProcessing], *methods: Callable[..., Any]
) -> type[StageProcessing]:
    def make(
        self: StageProcessing, policy: object, log: Log, broker: object, sysdata: dict[str, Any]
    ) -> None:
        # The stage is set up as it was for the test, whatever can be said in a policy file.
        with script.watching(number, sysdata["rank"]):
            cls.__init__(self, stage.stagePolicy, log, stage.eventBroker, {**stage.sysdata, **sysdata})

    body = {
        "__init__": make,
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        **{method.__name__: method for method in methods},
    }
    return type(cls.__name__, (cls,), body)
