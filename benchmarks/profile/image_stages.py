# SPDX-License-Identifier: BSD-3-Clause
"""The stages of the hand-over, with more clocks; what they note they write to files when the run ends."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from time import perf_counter_ns

from bare import check, touch, value_of
from images import ImageSource
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing


class Noting:
    """Keeps nanoseconds by name for every visit, and counts page faults if asked to."""

    def setup(self) -> None:
        self.mebibytes = self.policy.getInt("mebibytes")
        self.counts_faults = self.policy.getBool("faults")
        self.visit = 0
        self.marks: list[dict[str, int]] = []

    def shutdown(self) -> None:
        Path(f"{self.policy.getString('marks')}{self.rank}").write_text(json.dumps(self.marks))

    def faults(self) -> int:
        """Page faults of this process so far that took no disk; 0 if they are not counted."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt if self.counts_faults else 0

    def next_value(self) -> int:
        """The pixel value of this visit's image."""
        self.visit += 1
        return value_of(self.visit - 1)


class OutSerial(Noting, SerialProcessing):
    """As `handover_stages.OutSerial`."""

    def setup(self) -> None:
        super().setup()
        self.images = ImageSource(self.mebibytes)

    def preprocess(self, clipboard) -> None:
        image = self.images.compute(self.next_value())
        self.put = perf_counter_ns()
        clipboard.put("image", image, True)

    def postprocess(self, clipboard) -> None:
        self.marks.append({"put": self.put, "ended": perf_counter_ns()})


class OutParallel(Noting, ParallelProcessing):
    """As `handover_stages.OutParallel`."""

    def process(self, clipboard) -> None:
        faults = self.faults()
        begun = perf_counter_ns()
        image = clipboard.get("image")
        got = perf_counter_ns()
        found = touch(image)
        read = perf_counter_ns()
        self.marks.append({"begun": begun, "got": got, "read": read, "faults": self.faults() - faults})
        check(found, self.mebibytes, self.next_value(), f"slice {self.rank}")


class BackSerial(Noting, SerialProcessing):
    """As `handover_stages.BackSerial`."""

    def preprocess(self, clipboard) -> None:
        self.begun = perf_counter_ns()

    def postprocess(self, clipboard) -> None:
        ended = perf_counter_ns()
        faults = self.faults()
        images = clipboard.gather("back")
        gathered = perf_counter_ns()
        sums = [touch(image) for image in images]
        read = perf_counter_ns()
        self.marks.append({"begun": self.begun, "ended": ended, "gathered": gathered, "read": read,
                           "faults": self.faults() - faults})
        value = self.next_value()
        for rank, found in enumerate(sums):
            check(found, self.mebibytes, value + rank + 1, "the master")


class BackParallel(Noting, ParallelProcessing):
    """As `handover_stages.BackParallel`."""

    def process(self, clipboard) -> None:
        clipboard.put("back", clipboard.get("result"), True)
        self.marks.append({"put": perf_counter_ns()})
