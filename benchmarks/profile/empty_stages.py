# SPDX-License-Identifier: BSD-3-Clause
"""Stages that do nothing, so that what a step takes is the harness's."""

from __future__ import annotations

from harness.stage import ParallelProcessing, SerialProcessing


class EmptySerial(SerialProcessing):
    """Does nothing before and after the slices."""

    def preprocess(self, clipboard) -> None:
        pass

    def postprocess(self, clipboard) -> None:
        pass


class EmptyParallel(ParallelProcessing):
    """Does nothing."""

    def process(self, clipboard) -> None:
        pass
