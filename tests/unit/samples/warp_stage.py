# SPDX-License-Identifier: BSD-3-Clause
"""A stage in the style of 2009: every slice shifts and scales its band of rows of the master's frame."""

import numpy
from lsst.daf.base import PropertySet
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing, Stage
from lsst.pex.logging import Log, LogRec, Prop
from lsst.pex.policy import DefaultPolicyFile, Policy

SHAPE = (24, 16)


def make_frame(visit):
    """The master's frame of a visit: float64, shape (24, 16), integral values below 1000."""
    return (numpy.arange(SHAPE[0] * SHAPE[1], dtype=float).reshape(SHAPE) * (7 + visit)) % 1000


def warp(frame, rank, nSlices, shift, gain):
    """The band of rows that belongs to a rank, shifted by columns and scaled."""
    rows = slice(rank * len(frame) // nSlices, (rank + 1) * len(frame) // nSlices)
    return numpy.roll(frame[rows], shift, axis=1) * gain


def configure(stage, logName):
    """Merge the defaults into the stage's policy and give it a log of its own."""
    source = DefaultPolicyFile("warp_sample", "WarpDictionary.paf", "policy")
    defaults = Policy.createPolicy(source, source.getRepositoryPath(), True)
    policy = stage.policy if stage.policy is not None else Policy()
    policy.mergeDefaults(defaults.getDictionary())
    stage.policy = policy
    stage.log = Log(stage.log, logName)


class WarpSerial(SerialProcessing):
    """Makes the frame of each visit and adds up what the slices found."""

    def setup(self):
        configure(self, "warp.master")
        self.visit = 0

    def preprocess(self, clipboard):
        self.visit += 1
        clipboard.put("visit", self.visit, True)
        clipboard.put("frame", make_frame(self.visit), True)
        LogRec(self.log, Log.INFO) << "frame made" << Prop("visit", self.visit) << LogRec.endr

    def postprocess(self, clipboard):
        found = [clipboard.get(key) for key in clipboard.getKeys() if key.startswith("partial-")]
        clipboard.put("ranks", sorted(partial["rank"] for partial in found))
        clipboard.put("total", sum(partial["sum"] for partial in found))


class WarpParallel(ParallelProcessing):
    """Warps one band of the frame."""

    def setup(self):
        configure(self, "warp.slice")
        self.shift = self.policy.getInt("shift")
        self.gain = self.policy.getDouble("gain")

    def process(self, clipboard):
        nSlices = max(self.getUniverseSize() - 1, 1)
        band = warp(clipboard.get("frame"), self.getRank(), nSlices, self.shift, self.gain)
        edge = PropertySet()
        edge.set("lastRow", [float(value) for value in band[-1]])
        clipboard.put("warped", band, True)
        clipboard.put("edge", edge, True)
        clipboard.put("partial", {"rank": self.getRank(), "sum": float(band.sum())}, True)
        LogRec(self.log, Log.INFO) << "band warped" << Prop("rank", self.getRank()) << LogRec.endr


class WarpStage(Stage):
    """Both halves together."""

    serialClass = WarpSerial
    parallelClass = WarpParallel
