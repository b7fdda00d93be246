# SPDX-License-Identifier: BSD-3-Clause
"""Stages as they were written in 2008: one class has both halves, and moves its clipboard itself.

What the master computes does not reach the slices, so that each slice makes its own flat field.
"""

import os

import numpy
from harness.examples.generations import images, reduction
from lsst.pex.harness.Stage import Stage
from lsst.pex.logging import Log


class ReadStage(Stage):
    def __init__(self, stageId=-1, policy=None):
        Stage.__init__(self, stageId, policy)
        self.visit = 0

    def process(self):
        self.activeClipboard = self.inputQueue.getNextDataset()
        self.visit += 1
        self.activeClipboard.put("visit", self.visit)
        self.activeClipboard.put("raw", images.raw_frame(self.visit, self.getRank()))
        self.outputQueue.addDataset(self.activeClipboard)


class CalibrateStage(Stage):
    def __init__(self, stageId=-1, policy=None):
        Stage.__init__(self, stageId, policy)
        self.log = Log(Log.getDefaultLog(), "example.calibrate")
        self.flat = None

    def process(self):
        self.activeClipboard = self.inputQueue.getNextDataset()
        if self.flat is None:
            self.log.log(Log.INFO, "making the flat field in slice %d" % self.getRank())
            self.flat = images.flat_field()
        bias = self._policy.getDouble("bias")
        raw = self.activeClipboard.get("raw")
        self.activeClipboard.put("image", reduction.calibrate(raw, bias, self.flat))
        self.outputQueue.addDataset(self.activeClipboard)


class SkyStage(Stage):
    def process(self):
        self.activeClipboard = self.inputQueue.getNextDataset()
        image = self.activeClipboard.get("image")
        clip = self._policy.getDouble("clip")
        level = reduction.sky_level(image, clip, self._policy.getInt("iterations"))
        self.activeClipboard.put("image", reduction.subtract_sky(image, level))
        self.outputQueue.addDataset(self.activeClipboard)


class WriteStage(Stage):
    def preprocess(self):
        # In the master, before the slices write.
        self.activeClipboard = self.inputQueue.getNextDataset()
        directory = self._policy.getString("directory")
        if not os.path.isdir(directory):
            os.makedirs(directory)

    def process(self):
        self.activeClipboard = self.inputQueue.getNextDataset()
        name = "frame-%d-%d.npy" % (self.activeClipboard.get("visit"), self.getRank())
        path = os.path.join(self._policy.getString("directory"), name)
        numpy.save(path, self.activeClipboard.get("image"))
        self.outputQueue.addDataset(self.activeClipboard)
