# SPDX-License-Identifier: BSD-3-Clause
"""Which visit is processed: the master counts, the slices learn it from a shared clipboard item."""

import lsst.pex.harness.stage as harnessStage

from .defaults import required, with_defaults


class VisitStageSerial(harnessStage.SerialProcessing):
    """Puts ``visit``, ``lastVisit`` and ``jobIdentity`` on the clipboard; the first two travel to the slices.

    The count lives in the master alone: a slice that is replaced during the night needs no memory.
    """

    def setup(self):
        self.policy = with_defaults(self.policy, "VisitDictionary.paf")
        self.visit = self.policy.getInt("firstVisit")
        self.end = self.visit + self.policy.getInt("count")

    def preprocess(self, clipboard):
        clipboard.put("visit", self.visit, True)
        clipboard.put("lastVisit", self.visit + 1 == self.end, True)
        clipboard.put("nightIsOver", self.visit >= self.end, True)
        clipboard.put("jobIdentity", {"visit": self.visit, "amp": self.getRank()})
        self.visit += 1


class VisitStageParallel(harnessStage.ParallelProcessing):
    """Names this slice's share of the visit: the amplifier is the rank."""

    def process(self, clipboard):
        visit = required(clipboard, "visit", self)
        clipboard.put("jobIdentity", {"visit": visit, "amp": self.getRank()})
        if clipboard.get("nightIsOver"):
            clipboard.put("noMoreDatasets", True)


class VisitStage(harnessStage.Stage):
    """Both halves."""

    serialClass = VisitStageSerial
    parallelClass = VisitStageParallel


class FinishStageParallel(harnessStage.ParallelProcessing):
    """Asks for the end of the run once the last visit has passed all stages. The last stage of the night."""

    def process(self, clipboard):
        if required(clipboard, "lastVisit", self):
            clipboard.put("noMoreDatasets", True)


class FinishStage(harnessStage.Stage):
    """Parallel half only."""

    parallelClass = FinishStageParallel
