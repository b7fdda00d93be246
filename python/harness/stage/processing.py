# SPDX-License-Identifier: BSD-3-Clause
"""Base classes of the serial and the parallel half of a stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from harness._steps import apply_postprocess, apply_preprocess, apply_process
from harness.queue import Queue
from harness.streams import Stream

if TYPE_CHECKING:
    from harness.clipboard import Clipboard
    from harness.log import Log
    from harness.policy import Policy

__all__ = ["ParallelProcessing", "SerialProcessing", "StageProcessing"]


class StageProcessing:
    """What both halves of a stage share: configuration, identity in the pipeline, and two queues.

    Authors put their initialisation into `setup` and leave the constructor alone: the harness
    calls it with four positional arguments.

    Args:
        policy: configuration of the stage, or None.
        log: the log to write to, or None. It is never replaced by an invented one.
        eventBroker: host of the event broker, or None.
        sysdata: the execution context. The keys ``stageId`` (1-based, -1 outside a pipeline),
            ``rank`` (-1 in the master), ``runId``, ``name`` and ``universeSize`` (threads of the
            pipeline, the master included) become attributes; the others are kept in the copy
            ``self.sysdata``.
        callSetup: call `setup` as the last act of the constructor.

    Raises:
        TypeError: `sysdata` is not a mapping.
    """

    # The dictionary of the stage's policy: (product, file) or (product, file, directory), such as
    # ("meas_warp", "WarpDictionary.paf", "policy"). With it, `pex-harness check` needs no `setup`.
    policy_dictionary: ClassVar[tuple[str, ...] | None] = None

    # Whether a parallel half keeps from visit to visit what its results depend on. When its worker dies, the
    # visit of its slice is then not run again in a fresh worker, which would lack that, but counts as failed.
    stateful: ClassVar[bool] = False

    # Whether the stage needs nothing of other slices or of the master but what crosses to it: then slices
    # need not wait for each other around it. Where all halves of a pipeline say so, its schedule is fused.
    independent: ClassVar[bool] = False

    # Whether a parallel half keeps nothing from visit to visit, so that it does not matter in which process a
    # slice's visit runs. Where all parallel halves say so, workers that are idle take slices that wait.
    stateless: ClassVar[bool] = False

    # A generator of random numbers for this run, visit, rank and stage, however the slices are spread.
    rng = Stream()

    def __init__(
        self,
        policy: Policy | None = None,
        log: Log | None = None,
        eventBroker: str | None = None,
        sysdata: Mapping[str, Any] | None = None,
        callSetup: bool = True,
    ) -> None:
        if sysdata is not None and not isinstance(sysdata, Mapping):
            raise TypeError(
                f"{type(self).__name__}: sysdata must be a dict such as {{'rank': 0, 'runId': 'r1'}},"
                f" not {type(sysdata).__name__}: {sysdata!r}"
            )
        self.policy = policy
        self.log = log
        self.eventBroker = eventBroker
        self.sysdata: dict[str, Any] = dict(sysdata) if sysdata is not None else {}
        self.stageId: int = self.sysdata.get("stageId", -1)
        self.rank: int = self.sysdata.get("rank", -1)
        self.runId: str = self.sysdata.get("runId", "user-driven")
        self.name: str = self.sysdata.get("name", "processing stage")
        self.universeSize: int = self.sysdata.get("universeSize", 1)
        self.inputQueue: Queue | None = None
        self.outputQueue: Queue | None = None
        if callSetup:
            self.setup()

    def setup(self) -> None:
        """Hook for initialisation: every attribute but the queues is set when it is called."""

    def initialize(self, outQueue: Queue, inQueue: Queue) -> None:
        """Plug the stage in between two queues, the *output* queue first.

        Called once after construction. An override must call this method too.
        """
        self.outputQueue = outQueue
        self.inputQueue = inQueue

    def shutdown(self) -> None:
        """Hook for releasing resources: called once when the run ends in an orderly way."""

    def getEventBrokerHost(self) -> str | None:
        """The host of the event broker, None without one."""
        return self.eventBroker

    def setRun(self, runId: str) -> None:
        """Set the name of the production run."""
        self.runId = runId

    def getRun(self) -> str:
        """The name of the production run."""
        return self.runId

    def setRank(self, rank: int) -> None:
        """Set the rank: -1 for the master, the slice number in a slice."""
        self.rank = rank

    def getRank(self) -> int:
        """The rank: -1 in the master, 0 to nSlices - 1 in a slice."""
        return self.rank

    def setUniverseSize(self, universeSize: int) -> None:
        """Set the number of slices plus one."""
        self.universeSize = universeSize

    def getUniverseSize(self) -> int:
        """The number of slices plus one."""
        return self.universeSize

    def getName(self) -> str:
        """The display name of the stage."""
        return self.name

    def _queues(self) -> tuple[Queue, Queue]:
        """(input, output), or an error that tells what was forgotten."""
        if self.inputQueue is None or self.outputQueue is None:
            raise RuntimeError(
                f"stage '{self.name}' ({type(self).__qualname__}) has no queues yet: call"
                " initialize(outQueue, inQueue) before running it, and let an override of initialize()"
                " call the parent's"
            )
        return self.inputQueue, self.outputQueue


class SerialProcessing(StageProcessing):
    """The half of a stage that runs in the master, before and after the slices' work.

    A subclass overrides `preprocess`, `postprocess` or both.
    """

    def preprocess(self, clipboard: Clipboard) -> None:
        """Work on the clipboard before the slices do; the result is ignored."""
        raise _not_overridden(
            self, "preprocess", "preprocess(self, clipboard) or postprocess(self, clipboard)"
        )

    def postprocess(self, clipboard: Clipboard) -> None:
        """Work on the clipboard after all slices did; the result is ignored."""
        raise _not_overridden(
            self, "postprocess", "preprocess(self, clipboard) or postprocess(self, clipboard)"
        )

    def applyPreprocess(self) -> Queue:
        """Preprocess the head of the input queue and return a new queue that holds it.

        The clipboard leaves the input queue only after `preprocess` returned, so that a failure
        stage finds it there. An empty input queue hands None to `preprocess`.

        Raises:
            RuntimeError: the stage was never initialized, or overrides neither of its methods.
        """
        inputQueue, _ = self._queues()
        return apply_preprocess(self, inputQueue, _BASE_METHODS)

    def applyPostprocess(self, queue: Queue) -> None:
        """Postprocess every clipboard of `queue` and move each to the output queue.

        Args:
            queue: what `applyPreprocess` returned.

        Raises:
            RuntimeError: the stage was never initialized, or overrides neither of its methods.
        """
        _, outputQueue = self._queues()
        apply_postprocess(self, queue, outputQueue, _BASE_METHODS)


class ParallelProcessing(StageProcessing):
    """The half of a stage that runs in every slice. A subclass overrides `process`."""

    def process(self, clipboard: Clipboard) -> None:
        """Work on the slice's clipboard; the result is ignored."""
        raise _not_overridden(self, "process", "process(self, clipboard)")

    def applyProcess(self) -> None:
        """Process the head of the input queue and move it to the output queue.

        The clipboard leaves the input queue only after `process` returned, so that a failure stage
        finds it there. An empty input queue hands None to `process`.

        Raises:
            RuntimeError: the stage was never initialized, or does not override `process`.
        """
        apply_process(self, *self._queues())


_BASE_METHODS = frozenset({SerialProcessing.preprocess, SerialProcessing.postprocess})


def _not_overridden(stage: StageProcessing, method: str, wanted: str) -> RuntimeError:
    return RuntimeError(
        f"{type(stage).__qualname__}.{method}() was called, but stage '{stage.name}' does not implement it:"
        f" define {wanted} in the class {type(stage).__module__}.{type(stage).__qualname__}"
    )
