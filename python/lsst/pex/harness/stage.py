# SPDX-License-Identifier: BSD-3-Clause
"""DC3b import path of the stage API."""

from harness.stage import (
    NoOpParallelProcessing,
    NoOpSerialProcessing,
    ParallelProcessing,
    SerialProcessing,
    Stage,
    StageProcessing,
    makeStage,
    makeStageFromPolicy,
)

__all__ = [
    "NoOpParallelProcessing",
    "NoOpSerialProcessing",
    "ParallelProcessing",
    "SerialProcessing",
    "Stage",
    "StageProcessing",
    "makeStage",
    "makeStageFromPolicy",
]
