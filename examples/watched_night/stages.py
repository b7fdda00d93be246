# SPDX-License-Identifier: BSD-3-Clause
"""The stages between the butlers: which dataset is meant, and what is done with it."""

from __future__ import annotations

import numpy as np
from harness.clipboard import Clipboard
from lsst.pex.harness.stage import ParallelProcessing


class JobParallel(ParallelProcessing):
    """Makes the properties of the event, which come from the file's name, the ids of the job."""

    def process(self, clipboard: Clipboard) -> None:
        event = clipboard.get("newRaw")
        clipboard.put("jobIdentity", {"visit": event.getInt("visit"), "ccd": event.getInt("ccd")})


class SkyParallel(ParallelProcessing):
    """Subtracts the median of the pixels."""

    def process(self, clipboard: Clipboard) -> None:
        pixels = clipboard.get("frame").array
        sky = np.median(pixels)
        clipboard.put("result", pixels - sky)
        self.log.info(f"sky level {sky:.1f}")
