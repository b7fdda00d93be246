# SPDX-License-Identifier: BSD-3-Clause
"""Stages as they were written in 2009: a class per half, set up in `setup()`, given their clipboard.

What the master computes does not reach the slices, so that each slice makes its own flat field.
"""

import os

import lsst.pex.harness.stage as harnessStage
import numpy
from harness.examples.generations import images, reduction
from lsst.pex.logging import BlockTimingLog, Log
from lsst.pex.policy import DefaultPolicyFile, Policy


def withDefaults(policy):
    """The policy of a stage, completed and checked by the dictionary of this example."""
    source = DefaultPolicyFile("harness.examples.generations.dc3b", "FrameDictionary.paf", "policy")
    defaults = Policy.createPolicy(source, source.getRepositoryPath(), True)
    own = policy if policy is not None else Policy()
    own.mergeDefaults(defaults.getDictionary())
    return own


class ReadParallel(harnessStage.ParallelProcessing):
    def setup(self):
        self.visit = 0

    def process(self, clipboard):
        self.visit += 1
        clipboard.put("visit", self.visit)
        clipboard.put("raw", images.raw_frame(self.visit, self.getRank()))


class ReadStage(harnessStage.Stage):
    parallelClass = ReadParallel


class CalibrateParallel(harnessStage.ParallelProcessing):
    def setup(self):
        self.policy = withDefaults(self.policy)
        self.log = BlockTimingLog(self.log, "calibrate")
        self.bias = self.policy.getDouble("bias")
        self.log.log(Log.INFO, "making the flat field in slice %d" % self.getRank())
        self.flat = images.flat_field()

    def process(self, clipboard):
        self.log.start()
        clipboard.put("image", reduction.calibrate(clipboard.get("raw"), self.bias, self.flat))
        self.log.done()


class CalibrateStage(harnessStage.Stage):
    parallelClass = CalibrateParallel


class SkyParallel(harnessStage.ParallelProcessing):
    def setup(self):
        self.policy = withDefaults(self.policy)
        self.clip = self.policy.getDouble("clip")
        self.iterations = self.policy.getInt("iterations")

    def process(self, clipboard):
        image = clipboard.get("image")
        level = reduction.sky_level(image, self.clip, self.iterations)
        clipboard.put("image", reduction.subtract_sky(image, level))


class SkyStage(harnessStage.Stage):
    parallelClass = SkyParallel


class WriteSerial(harnessStage.SerialProcessing):
    def setup(self):
        self.policy = withDefaults(self.policy)

    def preprocess(self, clipboard):
        directory = self.policy.getString("directory")
        if not os.path.isdir(directory):
            os.makedirs(directory)


class WriteParallel(harnessStage.ParallelProcessing):
    def setup(self):
        self.policy = withDefaults(self.policy)

    def process(self, clipboard):
        name = "frame-%d-%d.npy" % (clipboard.get("visit"), self.getRank())
        numpy.save(os.path.join(self.policy.getString("directory"), name), clipboard.get("image"))


class WriteStage(harnessStage.Stage):
    serialClass = WriteSerial
    parallelClass = WriteParallel
