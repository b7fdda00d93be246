# SPDX-License-Identifier: BSD-3-Clause
"""What a process that is started by exec gets from its master in place of what a fork would inherit.

    master: memory file with all below, as a pickle ──descriptor──> process: unpickles, maps the segments
"""

from __future__ import annotations

import copy
import os
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harness import __version__
from harness.errors import HarnessError
from harness.ledger.post_mortem import PostMortems
from harness.runtime.configuration.config import PipelineConfig
from harness.runtime.logs.run_log import LogSettings
from harness.runtime.processes.main_classes import pack_main_classes
from harness.runtime.processes.memory_files import memory_file, read_whole

if TYPE_CHECKING:
    from harness.runtime.processes.worker import RunContext

FILE_NAME = "pex-inheritance"


class Inheritance(NamedTuple):
    """The parts.

    `levels` are those that were set for loggers of the standard library, by name; `""` is the root.
    `main_classes` holds the stage classes that `__main__` of the master defines, if the policy names any.
    """

    config: PipelineConfig
    run_id: str
    logs: LogSettings
    master_pid: int
    run_dir: Path
    post_mortems: PostMortems
    levels: dict[str, int]
    main_classes: bytes | None
    last_words: str | None


def write_inheritance(context: RunContext) -> int:
    """The descriptor of a file for `read_inheritance`. Raises `ConfigError` as `pack_main_classes` does."""
    run_dir, post_mortems, _ = context.kept()
    post_mortems = copy.copy(post_mortems)
    # Writes out the master's logs, which is the master's to do.
    post_mortems.settle = None
    parts = Inheritance(
        config=context.config,
        run_id=context.run_id,
        logs=context.logs,
        master_pid=context.master_pid,
        run_dir=run_dir,
        post_mortems=post_mortems,
        levels=_levels(),
        main_classes=pack_main_classes(context.config),
        last_words=context.last_words,
    )
    data = pickle.dumps((__version__, sys.path, sys.argv, pickle.dumps(parts)))
    descriptor = memory_file(FILE_NAME)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    return descriptor


def read_inheritance(descriptor: int) -> Inheritance:
    """The parts; modules are found from now on where the master finds them.

    Raises `HarnessError` when the master is of another version of the harness.
    """
    version, sys.path[:], sys.argv[:], parts = pickle.loads(read_whole(descriptor))
    os.close(descriptor)
    if version != __version__:
        raise HarnessError(
            f"the run was started by pex-harness {version}, and a process that it starts now finds"
            f" {__version__}: the installation was changed while the run went on, so start it anew"
        )
    found = pickle.loads(parts)
    assert isinstance(found, Inheritance)
    return found


def _levels() -> dict[str, int]:
    logging = sys.modules.get("logging")
    if logging is None:
        return {}
    loggers = {"": logging.getLogger(), **logging.Logger.manager.loggerDict}
    # The dictionary also has names above loggers, which are none themselves.
    found = {name: getattr(logger, "level", logging.NOTSET) for name, logger in loggers.items()}
    return {name: level for name, level in found.items() if level != logging.NOTSET}


def set_levels(levels: dict[str, int]) -> None:
    """Sets the levels of loggers, by name."""
    if levels:
        import logging

        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
