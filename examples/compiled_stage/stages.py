# SPDX-License-Identifier: BSD-3-Clause
"""The stages around the compiled part: ordinary Python, as every stage.

The master makes a frame and a canvas; every slice measures the frame and paints its rows of the canvas; the
master sees both. Needs `_clip` (see `build.py`) on the import path.
"""

from __future__ import annotations

from typing import Any

import _clip  # built by build.py
import harness
import numpy as np
from harness.clipboard import Clipboard
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing

ROWS, COLUMNS = 1024, 1024


class FrameSerial(SerialProcessing):
    """Puts a frame with a few outliers, and gathers what the slices made of it."""

    def preprocess(self, clipboard: Clipboard) -> None:
        frame = harness.full((ROWS, COLUMNS), 100.0, np.float32)
        frame[::2] += 1.0
        frame[5, 5:9] = 60_000.0
        clipboard.put("frame", frame, True)
        clipboard.put("map", harness.zeros((ROWS, 16), np.float32), True, writeable=True)

    def postprocess(self, clipboard: Clipboard) -> None:
        measured: list[Any] = clipboard.gather("level")
        level, deviation, used = measured[0]
        total = clipboard.get("map").sum(axis=1)
        print(f"level {level:.3f} deviation {deviation:.3f} pixels {used}")
        print(f"slices agree: {len(set(measured)) == 1}; rows painted: {int(np.count_nonzero(total))}")


class ClipParallel(ParallelProcessing):
    """Measures the frame without a copy and without the interpreter's lock, then paints this slice's rows."""

    def process(self, clipboard: Clipboard) -> None:
        clipboard.put("level", _clip.clipped_mean(clipboard, "frame"), True)
        slices = self.universeSize - 1
        first, end = self.rank * ROWS // slices, (self.rank + 1) * ROWS // slices
        _clip.fill_rows(clipboard, "map", first, end, float(self.rank + 1))
