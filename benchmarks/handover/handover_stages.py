# SPDX-License-Identifier: BSD-3-Clause
"""Stages that are timed inside runs of the harness: ordinary stage classes, with a clock in them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from bare import check, touch, value_of
from images import ImageSource, pixels
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing


class Timed(SerialProcessing):
    """Notes seconds, and writes them to the file `times` of its policy when the run ends."""

    def setup(self) -> None:
        self.mebibytes = self.policy.getInt("mebibytes") if self.policy.exists("mebibytes") else 0
        self.slices = self.universeSize - 1
        self.visit = 0
        self.times: list[float] = []

    def shutdown(self) -> None:
        if self.policy.exists("times"):
            Path(self.policy.getString("times")).write_text(json.dumps(self.times))


class OutSerial(Timed):
    """Computes an image and hands it to all slices."""

    def setup(self) -> None:
        super().setup()
        self.images = ImageSource(self.mebibytes)

    def preprocess(self, clipboard) -> None:
        image = self.images.compute(value_of(self.visit))
        self.visit += 1
        self.start = time.perf_counter()
        clipboard.put("image", image, True)

    def postprocess(self, clipboard) -> None:
        self.times.append(time.perf_counter() - self.start)


class OutParallel(ParallelProcessing):
    """Reads one byte of every page; raises when they are not those of this visit's image."""

    def setup(self) -> None:
        self.mebibytes = self.policy.getInt("mebibytes")
        self.visit = 0

    def process(self, clipboard) -> None:
        value = value_of(self.visit)
        self.visit += 1
        check(touch(clipboard.get("image")), self.mebibytes, value, f"slice {self.rank}")


class WorkParallel(ParallelProcessing):
    """Computes what is to be handed back; it stays in the slice."""

    def process(self, clipboard) -> None:
        clipboard.put("result", clipboard.get("image") + np.uint32(self.rank + 1))


class BackSerial(Timed):
    """Waits for the slices' images and reads one byte of every page of all."""

    def preprocess(self, clipboard) -> None:
        self.start = time.perf_counter()

    def postprocess(self, clipboard) -> None:
        images = clipboard.gather("back")
        sums = [touch(image) for image in images]
        self.times.append(time.perf_counter() - self.start)
        if len(sums) != self.slices:
            raise RuntimeError(f"{len(sums)} of {self.slices} slices have handed an image back")
        value = value_of(self.visit)
        self.visit += 1
        for rank, found in enumerate(sums):
            check(found, self.mebibytes, value + rank + 1, "the master")


class BackParallel(ParallelProcessing):
    """Hands the image back that an earlier stage computed."""

    def process(self, clipboard) -> None:
        clipboard.put("back", clipboard.get("result"), True)


class EmptySerial(Timed):
    """Does nothing before and after the slices; every stage of this class but a visit's last is timed."""

    # In a list: whoever assigns to a class has every look-up in it begin anew.
    begun = [0.0]

    def preprocess(self, clipboard) -> None:
        now = time.perf_counter()
        if self.stageId > 1:
            self.times.append(now - self.begun[0])
        self.begun[0] = now

    def postprocess(self, clipboard) -> None:
        pass


class EmptyParallel(ParallelProcessing):
    """Does nothing."""

    def process(self, clipboard) -> None:
        pass


class CalibrateSerial(Timed):
    """Makes a raw image per visit, and reads one byte of every page of what each slice made of it.

    The time is from before `put` to after the last byte.
    """

    def setup(self) -> None:
        super().setup()
        self.base = np.full(pixels(self.mebibytes), 9.0, np.float32)

    def preprocess(self, clipboard) -> None:
        self.visit += 1
        raw = self.base + np.float32(self.visit)
        self.start = time.perf_counter()
        clipboard.put("raw", raw, True)

    def postprocess(self, clipboard) -> None:
        images = clipboard.gather("calibrated")
        for image in images:
            touch(image)
        self.times.append(time.perf_counter() - self.start)
        if len(images) != self.slices or any(image[0] != image[-1] for image in images):
            raise RuntimeError(f"visit {self.visit}: {len(images)} images, or a wrong one")
        if any(image[-1] != calibrated(self.visit) for image in images):
            raise RuntimeError(f"visit {self.visit}: expected {calibrated(self.visit)}, saw {images[0][-1]}")


def calibrated(visit: int) -> np.float32:
    """The value of every pixel of visit `visit` once it is calibrated."""
    return (np.float32(9.0 + visit) - np.float32(1.0)) / np.float32(0.5)


class CalibrateParallel(ParallelProcessing):
    """The unchanged stage. How long the expression took goes to the file `computed` of its policy."""

    def setup(self) -> None:
        count = pixels(self.policy.getInt("mebibytes"))
        self.bias, self.flat = np.full(count, 1.0, np.float32), np.full(count, 0.5, np.float32)
        self.computed: list[float] = []

    def process(self, clipboard) -> None:
        raw, bias, flat = clipboard.get("raw"), self.bias, self.flat
        start = time.perf_counter()
        image = (raw - bias) / flat
        self.computed.append(time.perf_counter() - start)
        clipboard.put("calibrated", image, True)

    def shutdown(self) -> None:
        path = Path(f"{self.policy.getString('computed')}-{self.rank}")
        path.write_text(json.dumps(self.computed))
