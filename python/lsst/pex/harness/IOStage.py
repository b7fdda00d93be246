# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of the input and output stages."""

from harness.iostage import (
    InputStage,
    InputStageParallel,
    InputStageSerial,
    OutputStage,
    OutputStageParallel,
    OutputStageSerial,
)

__all__ = [
    "InputStage",
    "InputStageParallel",
    "InputStageSerial",
    "OutputStage",
    "OutputStageParallel",
    "OutputStageSerial",
]
