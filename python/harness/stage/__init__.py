# SPDX-License-Identifier: BSD-3-Clause
"""The stage API: what authors of pipeline stages subclass, and the factory that builds their stages."""

from harness.stage.class_lookup import ClassLookupError, WrongClassError, find_class
from harness.stage.factory import Stage, makeStage, makeStageFromPolicy
from harness.stage.noop import NoOpParallelProcessing, NoOpSerialProcessing
from harness.stage.processing import ParallelProcessing, SerialProcessing, StageProcessing

__all__ = [
    "ClassLookupError",
    "NoOpParallelProcessing",
    "NoOpSerialProcessing",
    "ParallelProcessing",
    "SerialProcessing",
    "Stage",
    "StageProcessing",
    "WrongClassError",
    "find_class",
    "makeStage",
    "makeStageFromPolicy",
]
