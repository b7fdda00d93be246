# SPDX-License-Identifier: BSD-3-Clause
"""Importing and checking the classes that a pipeline policy names."""

from __future__ import annotations

import importlib

from harness.errors import ConfigError
from harness.runtime.config import PipelineConfig


def import_parallel_classes(config: PipelineConfig) -> None:
    """Imports the parallel halves and what runs them. Raises `ConfigError` with places and reasons."""
    from harness.stage import ParallelProcessing

    _check_classes(config, "parallel_class", ParallelProcessing)
    importlib.import_module("harness.runtime.slice")


def import_serial_classes(config: PipelineConfig) -> None:
    """Imports the serial halves. Raises `ConfigError` with places and reasons."""
    from harness.stage import SerialProcessing

    _check_classes(config, "serial_class", SerialProcessing)


def _check_classes(config: PipelineConfig, attribute: str, base: type) -> None:
    from harness.stage.class_lookup import find_class

    key = "serialClass" if attribute == "serial_class" else "parallelClass"
    failed: list[tuple[str, Exception]] = []
    for stage in [*config.stages, *([config.failure] if config.failure else [])]:
        name = getattr(stage, attribute)
        if name is None:
            continue
        try:
            find_class(name, base)
        except (ImportError, ValueError) as error:
            failed.append((stage.where, error))
    if failed:
        raise _at_names(config, key, failed) from failed[0][1]


def _at_names(config: PipelineConfig, key: str, failed: list[tuple[str, Exception]]) -> ConfigError:
    """One error that shows where the policy names the classes. The file is read again, for its places."""
    from harness.policy.problems import Problem
    from harness.runtime.policy_check import config_error
    from harness.runtime.policy_file import read_policy_text, stage_blocks

    text = read_policy_text(config.path)
    blocks = dict(stage_blocks(text.policy))
    problems = []
    for where, error in failed:
        message = getattr(error, "problem", "") or str(error)
        breadcrumb = f"{text.prefix}{where}.{key}"
        problem = Problem.at(blocks[where], key, message, breadcrumb=breadcrumb)
        said = {part: getattr(error, part, "") for part in ("expected", "hint")}
        problems.append(problem.changed(**said))
    return config_error(problems)
