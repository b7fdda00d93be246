# SPDX-License-Identifier: BSD-3-Clause
"""The base classes that stages of 2007 (DC2) and 2008 (DC3a) inherit from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.policy import Policy

__all__ = ["Dc2Stage", "Dc3aStage"]


class Dc3aStage:
    """A stage whose one class has both halves; the Pipeline and every Slice make their own instance.

    The author moves the clipboard: takes it with ``self.inputQueue.getNextDataset()`` at the start of
    `preprocess` (in the master) or `process` (in a slice), and adds it with
    ``self.outputQueue.addDataset(clipboard)`` at the end of `postprocess` or `process`. There is no `setup`
    and no log: stages make their own, as children of the default log.

    Args:
        stageId: 1-based position in the pipeline, -1 outside one.
        stagePolicy: configuration of the stage, or None.
    """

    def __init__(self, stageId: int = -1, stagePolicy: Policy | None = None) -> None:
        self.stageId = stageId
        self._policy = stagePolicy
        self._rank = -1
        self._runId = "TEST"
        self._lookup: dict[str, Any] = {}
        self.inputQueue: Any = None
        self.outputQueue: Any = None
        self.activeClipboard: Any = None

    def initialize(self, outQueue: Any, inQueue: Any) -> None:
        """Plug the stage in between two queues, the *output* queue first. An override must call this too."""
        self.outputQueue = outQueue
        self.inputQueue = inQueue

    def preprocess(self) -> None:
        """Work in the master before the slices do. By default: take the clipboard."""
        self.activeClipboard = self.inputQueue.getNextDataset()

    def process(self) -> None:
        """Work in a slice. By default: hand the clipboard on."""
        self.outputQueue.addDataset(self.inputQueue.getNextDataset())

    def postprocess(self) -> None:
        """Work in the master after all slices did. By default: hand on the clipboard taken before."""
        self.outputQueue.addDataset(self.activeClipboard)

    def setStageId(self, stageId: int) -> None:
        """Set the 1-based position in the pipeline."""
        self.stageId = stageId

    def getStageId(self) -> int:
        """The 1-based position in the pipeline, -1 outside one."""
        return self.stageId

    def setRank(self, rank: int) -> None:
        """Set the number of the slice."""
        self._rank = rank

    def getRank(self) -> int:
        """The number of the slice, -1 in the master."""
        return self._rank

    def setUniverseSize(self, universeSize: int) -> None:
        """Set the number of slices plus one."""
        self._universeSize = universeSize

    def getUniverseSize(self) -> int:
        """The number of slices plus one. AttributeError before it was set."""
        return self._universeSize

    def setRun(self, runId: str) -> None:
        """Set the name of the production run."""
        self._runId = runId

    def getRun(self) -> str:
        """The name of the production run."""
        return self._runId

    def setLookup(self, lookup: dict[str, Any]) -> None:
        """Set the table of names that the stage may look up."""
        self._lookup = lookup

    def getLookup(self) -> dict[str, Any]:
        """The table of names that the stage may look up."""
        return self._lookup


class Dc2Stage(Dc3aStage):
    """A stage of 2007: as `Dc3aStage`, but its clipboards have four methods, and `get` raises KeyError."""
