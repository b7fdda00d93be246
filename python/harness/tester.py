# SPDX-License-Identifier: BSD-3-Clause
"""SimpleStageTester: runs stages in the calling thread, as the master or as one worker."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from harness.clipboard import Clipboard
from harness.queue import Queue
from harness.stage import (
    NoOpParallelProcessing,
    NoOpSerialProcessing,
    ParallelProcessing,
    SerialProcessing,
    Stage,
    StageProcessing,
    WrongClassError,
    find_class,
)

if TYPE_CHECKING:
    from harness.policy import Policy
    from harness.properties import PropertySet

__all__ = ["SimpleStageTester", "create", "test"]

_LOG_NAME = "SimpleStageTester"
# Verbosity of the messages about entering and leaving a stage's methods.
_FLOW = 5


class SimpleStageTester:
    """Runs one or more stages without visits, synchronisation, sharing or containment of errors.

    The halves of every stage are created anew at each run, with the tester's log, and their
    `shutdown` is called when the run returns. What a stage raises reaches the caller.

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
        from harness.log import Debug

        self._log = Debug(_LOG_NAME)
        self._stages: list[tuple[str, Stage]] = []
        self._runID = runID
        self._universeSize = universeSize
        self._broker: tuple[str | None, int | None] = (None, None)
        self._events: dict[str, PropertySet] = {}
        if stage is not None:
            self.addStage(stage, name)

    def addStage(self, stage: Stage, name: str | None = None, event: object = None) -> None:
        """Append a stage; it gets the tester's broker host.

        Args:
            stage: a `Stage` instance.
            name: its name, by default its 1-based number.
            event: ignored.

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
        raise TypeError(
            f"the tester runs on a Clipboard or a dict, not on {type(data).__name__}: {data!r:.80}"
        )

    def _watched(self, half: StageProcessing, method: str, call: Callable[[], Any]) -> Any:
        where = f"{method}() of stage {half.stageId} '{half.getName()}' ({type(half).__name__})"
        self._log.debug(_FLOW, f"entering {where}")
        result = call()
        self._log.debug(_FLOW, f"leaving {where}")
        return result


def create(
    policy: Any,
    stageSerial: type[SerialProcessing] | str | None = None,
    stageParallel: type[ParallelProcessing] | str | None = None,
    runID: str = "simpleTest",
    universeSize: int = 1,
) -> SimpleStageTester:
    """A tester for one stage, made from its policy and its classes.

    Args:
        policy: a Policy, a PolicyFile, or the path of a policy file.
        stageSerial: class or dotted class name; None for the no-op class.
        stageParallel: class or dotted class name; None for the no-op class.
        runID: run id that the stage sees.
        universeSize: number of slices plus one that the stage sees.

    Raises:
        TypeError: an argument is of the wrong kind, or a name leads to the wrong kind of class.
        ImportError: a class name leads nowhere.
    """
    stage = Stage(_as_policy(policy))
    # Attributes of the instance, so that Stage itself keeps its defaults.
    stage.serialClass = _as_class(stageSerial, SerialProcessing, NoOpSerialProcessing)
    stage.parallelClass = _as_class(stageParallel, ParallelProcessing, NoOpParallelProcessing)
    return SimpleStageTester(stage, runID=runID, universeSize=universeSize)


def test(stage: Stage, runID: str = "simpleTest", universeSize: int = 1) -> SimpleStageTester:
    """A tester for a ready `Stage`; TypeError if it is something else."""
    if stage is None:
        raise TypeError("a tester needs a Stage instance, not None")
    return SimpleStageTester(stage, runID=runID, universeSize=universeSize)


# Test runners collect functions by this name; the contract gave it.
test.__test__ = False  # type: ignore[attr-defined]  # mypy knows no attributes of functions


def _rank(sliceID: Any) -> int:
    try:
        return operator.index(sliceID)
    except TypeError:
        raise TypeError(
            f"the slice id must be an integer, not {type(sliceID).__name__}: {sliceID!r}"
        ) from None


def _as_policy(policy: Any) -> Policy:
    from harness.policy import Policy as PolicyClass
    from harness.policy import PolicyFile

    if isinstance(policy, PolicyClass):
        return policy
    if isinstance(policy, PolicyFile):
        return PolicyClass.createPolicy(policy, os.path.dirname(policy.getPath()), True)
    if isinstance(policy, (str, os.PathLike)):
        return PolicyClass.createPolicy(os.fspath(policy), True)
    raise TypeError(
        f"the policy must be a Policy, a PolicyFile or a path, not {type(policy).__name__}: {policy!r:.80};"
        " Policy() is an empty one"
    )


def _as_class(given: Any, base: type, default: type) -> Any:
    if given is None:
        return default
    if isinstance(given, str):
        try:
            return find_class(given, base)
        except WrongClassError as error:
            raise TypeError(str(error)) from error
    if isinstance(given, type) and issubclass(given, base):
        return given
    raise TypeError(
        f"expected a subclass of {base.__module__}.{base.__qualname__}, its dotted name or None,"
        f" not {given!r:.100}"
    )
