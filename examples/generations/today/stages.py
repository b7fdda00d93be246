# SPDX-License-Identifier: BSD-3-Clause
"""Stages as they are written today: the master shares what all need, and slices fill one canvas, uncopied."""

from __future__ import annotations

from pathlib import Path

import harness
import numpy as np
from harness.clipboard import Clipboard
from harness.examples.generations import images, reduction
from harness.stage import ParallelProcessing, SerialProcessing, Stage


class ReduceSerial(SerialProcessing):
    """Shares the flat field and a canvas with all slices, and writes what they painted."""

    def setup(self) -> None:
        self.visit = 0
        # What setup() makes is private otherwise, and would be copied at the first crossing.
        with harness.shared_arrays():
            self.flat = images.flat_field()
        self.directory = Path(self.policy.getString("directory"))

    def preprocess(self, clipboard: Clipboard) -> None:
        self.visit += 1
        clipboard.put("visit", self.visit, True)
        clipboard.put("flat", self.flat, True)
        canvas = harness.zeros((self.universeSize - 1, *images.SHAPE), np.float32)
        clipboard.put("frames", canvas, True, writeable=True)

    def postprocess(self, clipboard: Clipboard) -> None:
        self.directory.mkdir(exist_ok=True)
        for ccd, frame in enumerate(clipboard.get("frames")):
            np.save(self.directory / f"frame-{clipboard.get('visit')}-{ccd}.npy", frame)
        levels = clipboard.gather("level")
        self.log.info(f"visit {self.visit}: sky levels {', '.join(f'{level:.2f}' for level in levels)}")


class ReduceParallel(ParallelProcessing):
    """Reduces the frame of one CCD and paints it into its part of the canvas."""

    def process(self, clipboard: Clipboard) -> None:
        raw = images.raw_frame(clipboard.get("visit"), self.rank)
        image = reduction.calibrate(raw, self.policy.getDouble("bias"), clipboard.get("flat"))
        level = reduction.sky_level(image, self.policy.getDouble("clip"), self.policy.getInt("iterations"))
        clipboard.get("frames")[self.rank] = reduction.subtract_sky(image, level)
        clipboard.put("level", level, True)


class ReduceStage(Stage):
    """Both halves of the reduction."""

    serialClass = ReduceSerial
    parallelClass = ReduceParallel
