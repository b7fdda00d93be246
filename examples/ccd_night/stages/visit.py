# SPDX-License-Identifier: BSD-3-Clause
"""Which visit is processed: the master knows, the slices learn it from a shared clipboard item."""

import harness
import lsst.pex.harness.stage as harnessStage

from .defaults import required, with_defaults


class VisitStageSerial(harnessStage.SerialProcessing):
    """Puts ``visit``, ``lastVisit`` and ``jobIdentity`` on the clipboard; the first two travel to the slices.

    The number of the run's visit is the authority: a night that is resumed leaves out those that are done.
    """

    def setup(self):
        self.policy = with_defaults(self.policy, "VisitDictionary.paf")
        self.first = self.policy.getInt("firstVisit")
        self.end = self.first + self.policy.getInt("count")
        self.calls = 0

    def preprocess(self, clipboard):
        self.calls += 1
        # A stage tester has no visits: there the calls are counted.
        visit = self.first + (harness.current_visit() or self.calls) - 1
        clipboard.put("visit", visit, True)
        clipboard.put("lastVisit", visit + 1 == self.end, True)
        clipboard.put("nightIsOver", visit >= self.end, True)
        clipboard.put("jobIdentity", {"visit": visit, "amp": self.getRank()})


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
