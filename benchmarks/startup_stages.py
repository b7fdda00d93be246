# SPDX-License-Identifier: BSD-3-Clause
"""A stage of whose run the start is measured."""

from __future__ import annotations

import numpy as np
from lsst.pex.harness.stage import ParallelProcessing


class Makes(ParallelProcessing):
    """Computes an image of 16 MiB and hands it to the master."""

    def process(self, clipboard) -> None:
        clipboard.put("image", np.ones(1 << 22, np.float32) + np.float32(self.rank), True)
