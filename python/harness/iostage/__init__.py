# SPDX-License-Identifier: BSD-3-Clause
"""Stages that read items from files onto the clipboard, and write them from there."""

from harness.iostage.input_stage import InputStage, InputStageParallel, InputStageSerial
from harness.iostage.output_stage import OutputStage, OutputStageParallel, OutputStageSerial

__all__ = [
    "InputStage",
    "InputStageParallel",
    "InputStageSerial",
    "OutputStage",
    "OutputStageParallel",
    "OutputStageSerial",
]
