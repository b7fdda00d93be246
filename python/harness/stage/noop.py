# SPDX-License-Identifier: BSD-3-Clause
"""Stage halves that do nothing: the harness puts them where a stage has no serial or parallel class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.stage.processing import ParallelProcessing, SerialProcessing

if TYPE_CHECKING:
    from harness.clipboard import Clipboard

__all__ = ["NoOpParallelProcessing", "NoOpSerialProcessing"]


class NoOpSerialProcessing(SerialProcessing):
    """A serial half without effect on the clipboard."""

    def preprocess(self, clipboard: Clipboard) -> None:
        """Leave the clipboard as it is."""

    def postprocess(self, clipboard: Clipboard) -> None:
        """Leave the clipboard as it is."""


class NoOpParallelProcessing(ParallelProcessing):
    """A parallel half without effect on the clipboard."""

    def process(self, clipboard: Clipboard) -> None:
        """Leave the clipboard as it is."""
