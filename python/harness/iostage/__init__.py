# SPDX-License-Identifier: BSD-3-Clause
"""Stages that read items from files onto the clipboard, and write them from there."""

import contextlib

from harness.iostage.input_stage import InputStage, InputStageParallel, InputStageSerial
from harness.iostage.output_stage import OutputStage, OutputStageParallel, OutputStageSerial

# The process that forks the workers imports this package: they are then born with astropy. What is
# missing or broken is told when a storage is prepared.
with contextlib.suppress(ImportError):
    import astropy.io.fits  # noqa: F401

__all__ = [
    "InputStage",
    "InputStageParallel",
    "InputStageSerial",
    "OutputStage",
    "OutputStageParallel",
    "OutputStageSerial",
]
