# SPDX-License-Identifier: BSD-3-Clause
"""What stage classes declare about themselves. Importing this imports what stages are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

from harness.dc3a import acts, find_half
from harness.runtime.configuration.schedule import Declared
from harness.stage import ParallelProcessing, SerialProcessing, StageProcessing

if TYPE_CHECKING:
    from harness.runtime.configuration.config import PipelineConfig, StageConfig


HalfT = TypeVar("HalfT", bound=StageProcessing)


def declared_serial(config: PipelineConfig) -> dict[int, Declared]:
    """What the serial halves declare. Imports them; raises as `find_half`."""
    return {
        stage.number: Declared(
            independent=half.independent,
            preprocesses=acts(half, "preprocess"),
            postprocesses=acts(half, "postprocess"),
        )
        for stage, half in _halves(config, SerialProcessing)
    }


def declared_parallel(config: PipelineConfig) -> dict[int, Declared]:
    """What the parallel halves declare. Imports them; raises as `find_half`."""
    return {
        stage.number: Declared(
            independent=half.independent, stateless=half.stateless and not half.stateful
        )
        for stage, half in _halves(config, ParallelProcessing)
    }


def _halves(config: PipelineConfig, base: type[HalfT]) -> Iterable[tuple[StageConfig, type[HalfT]]]:
    for stage in [*config.stages, *([config.failure] if config.failure else [])]:
        name = stage.serial_class if issubclass(base, SerialProcessing) else stage.parallel_class
        if name is not None:
            yield stage, find_half(name, base, one_class=stage.one_class)
