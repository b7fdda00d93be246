# SPDX-License-Identifier: BSD-3-Clause
"""Importing and checking the classes that a pipeline policy names."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from harness import streams
from harness.errors import ConfigError
from harness.runtime.configuration.config import PipelineConfig
from harness.runtime.processes.strangers import ImportWatch

if TYPE_CHECKING:
    from harness.runtime.configuration.schedule import Halves

def import_parallel_classes(
    config: PipelineConfig, *, watched: bool = True
) -> tuple[list[str], Halves]:
    """Imports the parallel halves and what runs them.

    Returns a text for each thing that forked workers would lack, and what the halves declare.

    Without `watched` nobody looks for such things. Raises `ConfigError` with places and reasons.
    """
    from harness.stage import ParallelProcessing

    watch = ImportWatch() if watched else None
    found = _check_classes(config, "parallel_class", ParallelProcessing, watch)
    importlib.import_module("harness.runtime.halves.slice")
    streams.import_generators()
    if watch is not None:
        found += watch.look("harness.runtime.halves.slice")
    from harness.runtime.configuration.declared import declared_parallel

    return found, declared_parallel(config)


def import_serial_classes(config: PipelineConfig) -> Halves:
    """Imports the serial halves; what they declare. Raises `ConfigError` with places and reasons."""
    from harness.stage import SerialProcessing

    _check_classes(config, "serial_class", SerialProcessing)
    from harness.runtime.configuration.declared import declared_serial

    return declared_serial(config)


def _check_classes(
    config: PipelineConfig, attribute: str, base: type, watch: ImportWatch | None = None
) -> list[str]:
    from harness.dc3a import find_half

    key = "serialClass" if attribute == "serial_class" else "parallelClass"
    failed: list[tuple[str, Exception]] = []
    found: list[str] = []
    for stage in [*config.stages, *([config.failure] if config.failure else [])]:
        name = getattr(stage, attribute)
        if name is None:
            continue
        try:
            find_half(name, base, one_class=stage.one_class)
        except (ImportError, ValueError) as error:
            failed.append((stage.where, error))
        if watch is not None:
            found += watch.look(name)
    if failed:
        raise _at_names(config, key, failed) from failed[0][1]
    return found


def _at_names(config: PipelineConfig, key: str, failed: list[tuple[str, Exception]]) -> ConfigError:
    """One error that shows where the policy names the classes. The file is read again, for its places."""
    from harness.runtime.configuration.dc3a import STAGE_NAME, stage_problem
    from harness.runtime.configuration.policy_check import config_error
    from harness.runtime.configuration.policy_file import read_policy_text, stage_blocks

    text = read_policy_text(config.path)
    blocks = dict(stage_blocks(text.policy, text.prefix))
    problems = []
    for where, error in failed:
        message = getattr(error, "problem", "") or str(error)
        place = f"{text.prefix}{where}"
        name = STAGE_NAME if blocks[place].exists(STAGE_NAME) else key
        problem = stage_problem(text, place, blocks[place], name, message)
        said = {part: getattr(error, part, "") for part in ("expected", "hint")}
        problems.append(problem.changed(**said))
    return config_error(problems)
