# SPDX-License-Identifier: BSD-3-Clause
"""Importing and checking the classes that a pipeline policy names."""

from __future__ import annotations

import importlib

from harness.errors import ConfigError
from harness.runtime.config import PipelineConfig


def import_parallel_classes(config: PipelineConfig) -> None:
    """Imports the parallel halves and what runs them. Raises `ConfigError` with key and reason."""
    from harness.stage import ParallelProcessing

    _check_classes(config, "parallel_class", ParallelProcessing)
    importlib.import_module("harness.runtime.slice")


def import_serial_classes(config: PipelineConfig) -> None:
    """Imports the serial halves. Raises `ConfigError` with the policy's key and the reason."""
    from harness.stage import SerialProcessing

    _check_classes(config, "serial_class", SerialProcessing)


def _check_classes(config: PipelineConfig, attribute: str, base: type) -> None:
    from harness.stage.class_lookup import find_class

    key = "serialClass" if attribute == "serial_class" else "parallelClass"
    for stage in [*config.stages, *([config.failure] if config.failure else [])]:
        name = getattr(stage, attribute)
        if name is None:
            continue
        try:
            find_class(name, base)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"pipeline policy {config.path}: {stage.where}.{key}: {error}") from error
