# SPDX-License-Identifier: BSD-3-Clause
"""SimpleStageTester: runs stages in the calling thread, as the master or as one worker, or in real slices."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.clipboard import Clipboard
from harness.queue import Queue
from harness.stage import ParallelProcessing, SerialProcessing, Stage, StageProcessing
from harness.tester.visits import Visit, not_a_clipboard

if TYPE_CHECKING:
    from harness.policy import Policy
    from harness.properties import PropertySet
    from harness.tester.visits import Data

__all__ = ["LOG_NAME", "SimpleStageTester"]

LOG_NAME = "SimpleStageTester"
"""Of the log that stages get, in whatever process."""

# Verbosity of the messages about entering and leaving a stage's methods.
_FLOW = 5


class SimpleStageTester:
    """Runs one or more stages; what a stage raises reaches the caller.

    `run`, `runMaster` and `runWorker` run one half of each stage in the calling thread, without visits,
    synchronisation or sharing. The halves are created anew at each run, with the tester's log, and their
    `shutdown` is called when the run returns. `runSlices` and `runVisits` run whole stages in a master and
    real slices, which are processes, as a pipeline does.

    Args:
        stage: the first stage, or None; `addStage` adds more.
        name: name of that first stage.
        runID: run id that the stages see.
        universeSize: number of slices plus one that the stages see.

    Raises:
        TypeError: `stage` is no `Stage` instance.
    """

    def __init__(
        self,
        stage: Stage | None = None,
        name: str = "1",
        runID: str = "simpleTest",
        universeSize: int = 1,
    ) -> None:
        from harness.log import Debug, getDefaultLog
        from harness.log.stage_log import StageLog

        self._log = StageLog(getDefaultLog(), LOG_NAME)
        if Debug.default_max_debug is not None:
            self._log.setThreshold(-Debug.default_max_debug)
        self._stages: list[tuple[str, Stage]] = []
        self._sharing: set[int] = set()
        self._runID = runID
        self._universeSize = universeSize
        self._broker: tuple[str | None, int | None] = (None, None)
        self._events: dict[str, PropertySet] = {}
        if stage is not None:
            self.addStage(stage, name)

    def addStage(
        self, stage: Stage, name: str | None = None, event: object = None, *, shareData: bool = False
    ) -> None:
        """Append a stage; it gets the tester's broker host.

        Args:
            stage: a `Stage` instance.
            name: its name, by default its 1-based number.
            event: ignored.
            shareData: in `runSlices` and `runVisits`, slices exchange what they mark shareable before the
                `process` of this stage.

        Raises:
            TypeError: `stage` is something else.
        """
        if not isinstance(stage, Stage):
            hint = ""
            if isinstance(stage, type):
                hint = (
                    "; pass an instance, such as Class(policy)"
                    if issubclass(stage, Stage)
                    else "; create(policy, SerialClass, ParallelClass) wraps processing classes"
                )
            elif isinstance(stage, StageProcessing):
                hint = "; a Stage creates its processing objects itself: name their classes in one"
            raise TypeError(f"cannot add {stage!r:.100} to the tester: it must be a Stage instance{hint}")
        self._stages.append((str(len(self._stages) + 1) if name is None else name, stage))
        if shareData:
            self._sharing.add(len(self._stages))
        if self._broker[0] is not None:
            stage.setEventBroker(self._broker[0])

    def run(self, clipboard: Clipboard | Mapping[str, Any], sliceID: int) -> Clipboard | None:
        """`runMaster` for a negative `sliceID`, else `runWorker` with that rank."""
        rank = _rank(sliceID)
        return self.runMaster(clipboard) if rank < 0 else self.runWorker(clipboard, rank)

    def runMaster(self, clipboard: Clipboard | Mapping[str, Any], sliceID: int = 0) -> Clipboard | None:
        """Run `preprocess` and `postprocess` of every stage, in order, with rank -1.

        Args:
            clipboard: a Clipboard, which is changed, or a dict, which is not.
            sliceID: accepted, without effect.

        Returns:
            The clipboard that the last stage put out, None if a stage kept it.

        Raises:
            TypeError: `clipboard` is neither.
        """

        def make(stage: Stage, sysdata: dict[str, Any]) -> SerialProcessing:
            return stage.createSerialProcessing(self._log, sysdata)

        def apply(half: SerialProcessing) -> None:
            queue = self._watched(half, "preprocess", half.applyPreprocess)
            self._watched(half, "postprocess", lambda: half.applyPostprocess(queue))

        return self._run(clipboard, make, apply)

    def runWorker(self, clipboard: Clipboard | Mapping[str, Any], sliceID: int = 1) -> Clipboard | None:
        """Run `process` of every stage, in order, with rank `sliceID`.

        Arguments, result and errors are those of `runMaster`, but for the rank.
        """
        rank = _rank(sliceID)

        def make(stage: Stage, sysdata: dict[str, Any]) -> ParallelProcessing:
            return stage.createParallelProcessing(rank, self._log, sysdata)

        def apply(half: ParallelProcessing) -> None:
            self._watched(half, "process", half.applyProcess)

        return self._run(clipboard, make, apply)

    def runSlices(
        self,
        clipboards: Data | Sequence[Data],
        n: int | None = None,
        *,
        master: Data | None = None,
        topology: Policy | Mapping[str, Any] | None = None,
        workers: int | None = None,
        timeout: float | None = None,
    ) -> list[Clipboard]:
        """Run one visit of all stages in a master and real slices; see `runVisits`.

        Args:
            clipboards: what is on the clipboard of each slice at the start: a Clipboard or dict per slice,
                or one for all.
            n: number of slices; by default as many as there are clipboards.
            master: what is on the master's clipboard.
            topology, workers, timeout: as for `runVisits`.

        Returns:
            The clipboard that the last stage put out in each slice, in rank order.
        """
        visits = [Visit(clipboards, {} if master is None else master)]
        (done,) = self.runVisits(visits, n, topology=topology, workers=workers, timeout=timeout)
        slices: Any = done.slices
        return slices

    def runVisits(
        self,
        visits: Sequence[Visit],
        n: int | None = None,
        *,
        topology: Policy | Mapping[str, Any] | None = None,
        workers: int | None = None,
        timeout: float | None = None,
    ) -> list[Visit]:
        """Run visits of all stages in a master and slices, which are processes, one stage after the other.

        Both halves of each stage run, in the order and with the transport of a pipeline: what is marked
        shareable crosses, and stages added with ``shareData`` begin with an exchange. Instances live from the
        first visit to the last, clipboards for one visit. Event data of `setEvent` are on every clipboard.
        Clipboards and dicts that are passed in are not changed: processes work on copies.

        Args:
            visits: what each visit starts with.
            n: number of slices; by default as many as the first visit has clipboards.
            topology: with whom slices exchange: a ``topology`` policy or a dict of its keys.
            workers: number of processes that run the slices; by default one per slice, at most one per core.
            timeout: seconds after which everything is ended; by default never.

        Returns:
            One `Visit` of Clipboards for each one given. Values that crossed from another process are copies.

        Raises:
            TypeError, ValueError: an argument or a stage's class is of the wrong kind, or counts do not fit
                together.
            TimeoutError: the time is over.
            harness.errors.HarnessError: a worker died, or the slices cannot be started.
            Exception: what a stage raised, in the earliest visit and stage, of the lowest rank; its cause
                shows the traceback of the other process.
        """
        from harness.tester.slices import SliceRun

        if not self._stages:
            raise ValueError("the tester has no stage to run: add one with addStage")
        run = SliceRun(
            stages=self._stages,
            sharing=self._sharing,
            events=self._events,
            run_id=self._runID,
            topology=topology,
            workers=workers,
            timeout=timeout,
            log=self._log,
        )
        return run.run(visits, n)

    def setEventBroker(self, host: str | None, port: int | None = None) -> None:
        """Set the broker of all stages, those added later included."""
        self._broker = (host, port)
        for _, stage in self._stages:
            stage.setEventBroker(host)

    def getEventBroker(self) -> tuple[str | None, int | None]:
        """(host, port) of the broker; None for what was not set."""
        return self._broker

    def setEvent(self, name: str, eventData: PropertySet | Mapping[str, Any]) -> None:
        """Have the payload of an event on the clipboard under `name` in every run from now on.

        Args:
            name: the topic.
            eventData: a PropertySet, or a dict of scalars that is turned into one.

        Raises:
            TypeError: it is neither, or a value of the dict is no scalar.
        """
        from harness.properties import PropertySet

        if isinstance(eventData, PropertySet):
            self._events[name] = eventData
            return
        if not isinstance(eventData, Mapping):
            raise TypeError(
                f"the data of event '{name}' must be a PropertySet or a dict,"
                f" not {type(eventData).__name__}: {eventData!r:.80}"
            )
        payload = PropertySet()
        for key, value in eventData.items():
            if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) > 0:
                raise TypeError(
                    f"event '{name}': '{key}' is an array, and a dict holds scalars only;"
                    " pass a PropertySet to send arrays"
                )
            payload.set(key, value)
        self._events[name] = payload

    def toClipboard(self, data: Mapping[str, Any]) -> Clipboard:
        """A new Clipboard with the entries of a dict."""
        clipboard = Clipboard()
        for key, value in data.items():
            clipboard.put(key, value)
        return clipboard

    def setDebugVerbosity(self, verbosity: int) -> None:
        """Set the threshold of the default log to -`verbosity`."""
        self.setLogThreshold(-verbosity)

    def setLogThreshold(self, threshold: int) -> None:
        """Set the threshold of the default log."""
        from harness.log import getDefaultLog

        getDefaultLog().setThreshold(threshold)

    def showAllLogProperties(self, showAll: bool) -> None:
        """Say whether the default log shows all properties of a record."""
        from harness.log import getDefaultLog

        getDefaultLog().setShowAll(showAll)

    def willShowAllLogProperties(self) -> bool:
        """Whether the default log shows all properties of a record."""
        from harness.log import getDefaultLog

        return getDefaultLog().willShowAll()

    def _run(
        self,
        data: Clipboard | Mapping[str, Any],
        make: Callable[[Stage, dict[str, Any]], Any],
        apply: Callable[[Any], None],
    ) -> Clipboard | None:
        clipboard = self._as_clipboard(data)
        for name, payload in self._events.items():
            clipboard.put(name, payload)
        queue = Queue()
        queue.addDataset(clipboard)
        halves: list[StageProcessing] = []
        for number, (name, stage) in enumerate(self._stages, start=1):
            sysdata = {
                "name": name,
                "stageId": number,
                "runId": self._runID,
                "universeSize": self._universeSize,
            }
            halves.append(make(stage, sysdata))
            halves[-1].initialize(output := Queue(), queue)
            queue = output
        for half in halves:
            apply(half)
        for half in halves:
            half.shutdown()
        return queue.getNextDataset()

    def _as_clipboard(self, data: Clipboard | Mapping[str, Any]) -> Clipboard:
        if isinstance(data, Clipboard):
            return data
        if isinstance(data, Mapping):
            return self.toClipboard(data)
        raise not_a_clipboard(data)

    def _watched(self, half: StageProcessing, method: str, call: Callable[[], Any]) -> Any:
        where = f"{method}() of stage {half.stageId} '{half.getName()}' ({type(half).__name__})"
        self._log.debug(_FLOW, f"entering {where}")
        result = call()
        self._log.debug(_FLOW, f"leaving {where}")
        return result


def _rank(sliceID: Any) -> int:
    try:
        return operator.index(sliceID)
    except TypeError:
        raise TypeError(
            f"the slice id must be an integer, not {type(sliceID).__name__}: {sliceID!r}"
        ) from None
