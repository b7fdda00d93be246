# SPDX-License-Identifier: BSD-3-Clause
"""Stage classes that the program itself defines, in a notebook's cell or a script, on their way to a process
that did not run that program."""

from __future__ import annotations

import importlib
import pickle
import sys
from types import FunctionType, ModuleType
from typing import Any

from harness.errors import ConfigError
from harness.runtime.configuration.config import PipelineConfig

MAIN = "__main__"
CURE = "put the class into a module that can be imported"


def pack_main_classes(config: PipelineConfig) -> bytes | None:
    """The classes of `__main__` that the policy names, with what of `__main__` their code refers to.

    `None` where it names none. Raises `ConfigError` with a class and what to do when they can't be carried.
    """
    classes = _named_classes(config)
    if not classes:
        return None
    names = ", ".join(f"{MAIN}.{name}" for name in classes)
    try:
        cloudpickle = importlib.import_module("cloudpickle")
    except ImportError:
        raise ConfigError(
            f"{config.path}: {names}: a process that is started by exec does not run this program, and has no"
            f" class of it; {CURE}, or install cloudpickle (pip install 'pex-harness[notebook]'), which"
            " carries it there"
        ) from None
    try:
        return bytes(cloudpickle.dumps(classes))
    except Exception as error:
        raise ConfigError(
            f"{config.path}: {names} can't be carried to a process that is started by exec:"
            f" {type(error).__name__}: {error}; {CURE}"
        ) from error


def unpack_main_classes(data: bytes | None) -> None:
    """Puts the classes into `__main__` of this process, and what of the other `__main__` they refer to."""
    if data is None:
        return
    main = sys.modules[MAIN]
    for name, cls in pickle.loads(data).items():
        for value in vars(cls).values():
            if isinstance(value, FunctionType):
                _adopt(main, value.__globals__)
        setattr(main, name, cls)


def _adopt(main: ModuleType, names: dict[str, Any]) -> None:
    """Objects of these classes are pickled by name, in both directions."""
    for name, value in names.items():
        if isinstance(value, (type, FunctionType)) and value.__module__ == MAIN:
            setattr(main, name, value)


def _named_classes(config: PipelineConfig) -> dict[str, type]:
    """Of both halves: what the master's put on a clipboard is made of classes that they refer to."""
    found = {}
    main = sys.modules[MAIN]
    for stage in [*config.stages, *([config.failure] if config.failure else [])]:
        for dotted in filter(None, (stage.serial_class, stage.parallel_class)):
            module, _, name = dotted.rpartition(".")
            if module == MAIN and isinstance(cls := getattr(main, name, None), type):
                found[name] = cls
    return found
