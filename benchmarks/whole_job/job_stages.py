# SPDX-License-Identifier: BSD-3-Clause
"""The job as ordinary stages of the harness: hand out, reduce, sum up; a slice per amplifier."""

from __future__ import annotations

import json
import time
from pathlib import Path

import harness
from job import AMPLIFIERS, DISTINCT, Sums, calibration, exposure_time, raw_images, reduced
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing


class HandOut(SerialProcessing):
    """Has the raw images, and hands those of the visit out; the first `warm` of its policy are begun anew."""

    def setup(self) -> None:
        self.warm = self.policy.getInt("warm")
        # As a stage that reads files has them: born in shared memory.
        with harness.shared_arrays():
            self.raw = raw_images()
        self.begun = 0

    def preprocess(self, clipboard) -> None:
        number = self.begun if self.begun < self.warm else self.begun - self.warm
        for amplifier, image in enumerate(self.raw[number % DISTINCT]):
            clipboard.put(f"raw {amplifier}", image, True)
        clipboard.put("seconds", exposure_time(number), True)
        self.begun += 1


class SumUp(SerialProcessing):
    """Sums what came back. The file `out` of its policy gets time and sums of all visits behind `warm`."""

    def setup(self) -> None:
        self.warm = self.policy.getInt("warm")
        self.visits, self.unused, self.sums = 0, Sums(), Sums()
        self.start = self.end = 0.0

    def postprocess(self, clipboard) -> None:
        sums = self.unused if self.visits < self.warm else self.sums
        counts = clipboard.gather("count")
        for amplifier, image in enumerate(clipboard.gather("image")):
            sums.add(amplifier, image, counts[amplifier])
        self.visits += 1
        self.end = time.perf_counter()
        if self.visits == self.warm:
            self.start = self.end

    def shutdown(self) -> None:
        found = {"seconds": self.end - self.start, **self.sums.told()}
        Path(self.policy.getString("out")).write_text(json.dumps(found))


class Reduce(ParallelProcessing):
    """One amplifier."""

    def setup(self) -> None:
        assert self.universeSize == AMPLIFIERS + 1
        self.calibration = calibration(self.rank)

    def process(self, clipboard) -> None:
        image, count = reduced(
            clipboard.get(f"raw {self.rank}"), self.calibration, clipboard.get("seconds")
        )
        clipboard.put("image", image, True)
        clipboard.put("count", count, True)


class LooseReduce(Reduce):
    """The same in whatever worker is idle: it keeps nothing of a visit."""

    stateless = True
