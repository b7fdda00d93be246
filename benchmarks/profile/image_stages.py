# SPDX-License-Identifier: BSD-3-Clause
"""The stages of the hand-over benchmark, with more clocks."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from time import perf_counter_ns

import numpy as np
from bare import check, library, value_of
from handover_stages import pixels
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing


def touch(image):
    return library().bare_touch(image.__array_interface__["data"][0], image.nbytes)


def no_faults():
    return 0


def count_faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


class Marked:
    def setup(self):
        self.mebibytes = self.policy.getInt("mebibytes")
        self.foreign = self.policy.getBool("foreign")
        self.faults = count_faults if self.policy.getBool("faults") else no_faults
        self.visit = 0
        self.marks = []
        library()

    def shutdown(self):
        Path(f"{self.policy.getString('marks')}{self.rank}").write_text(json.dumps(self.marks))


class OutSerial(Marked, SerialProcessing):
    def setup(self):
        super().setup()
        count = pixels(self.mebibytes)
        self.bias = np.full(count, 7, np.uint32)
        self.raw = np.zeros(count, np.uint32)
        self.images = [np.full(count, value_of(number), np.uint32) for number in (0, 1)]

    def preprocess(self, clipboard):
        if self.foreign:
            image = self.images[self.visit % 2]
        else:
            self.raw[...] = value_of(self.visit) + 7
            image = self.raw - self.bias
        self.visit += 1
        self.begun = self.faults()
        self.start = perf_counter_ns()
        clipboard.put("image", image, True)

    def postprocess(self, clipboard):
        now = perf_counter_ns()
        self.marks.append((self.start, now, self.faults() - self.begun))


class Counting(Marked):
    def next_value(self):
        self.visit += 1
        return value_of((self.visit - 1) % 2 if self.foreign else self.visit - 1)


class OutParallel(Counting, ParallelProcessing):
    def process(self, clipboard):
        faults = self.faults()
        t0 = perf_counter_ns()
        image = clipboard.get("image")
        t1 = perf_counter_ns()
        found = touch(image)
        t2 = perf_counter_ns()
        self.marks.append((t0, t1, t2, self.faults() - faults))
        check(found, self.mebibytes, self.next_value(), f"slice {self.rank}")


class WorkParallel(Counting, ParallelProcessing):
    def setup(self):
        super().setup()
        if self.foreign:
            count = pixels(self.mebibytes)
            self.images = [np.full(count, value_of(number) + self.rank + 1, np.uint32) for number in (0, 1)]

    def process(self, clipboard):
        value = self.next_value()
        if self.foreign:
            clipboard.put("result", self.images[value - value_of(0)])
        else:
            clipboard.put("result", clipboard.get("image") + np.uint32(self.rank + 1))


class BackSerial(Marked, SerialProcessing):
    def preprocess(self, clipboard):
        self.start = perf_counter_ns()

    def postprocess(self, clipboard):
        t0 = perf_counter_ns()
        faults = self.faults()
        images = clipboard.gather("back")
        t1 = perf_counter_ns()
        sums = [touch(image) for image in images]
        t2 = perf_counter_ns()
        self.marks.append((self.start, t0, t1, t2, self.faults() - faults))
        value = value_of(self.visit % 2 if self.foreign else self.visit)
        self.visit += 1
        for rank, found in enumerate(sums):
            check(found, self.mebibytes, value + rank + 1, "the master")


class BackParallel(Marked, ParallelProcessing):
    def process(self, clipboard):
        t0 = perf_counter_ns()
        clipboard.put("back", clipboard.get("result"), True)
        self.marks.append((t0, perf_counter_ns()))


class Zero(SerialProcessing):
    def preprocess(self, clipboard):
        pass


class ZeroP(ParallelProcessing):
    def process(self, clipboard):
        pass
