# SPDX-License-Identifier: BSD-3-Clause
"""Running an order in a fresh process, whose whole group ends with it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace

from harness.bench.order import DIED, FULL, Answer, Order
from harness.errors import ArenaFull, ConfigError, HarnessError, describe_end
from harness.ordered_process import ordered_process

LAST_LINES = 5
LEAVING_S = 10.0
"""What a process has for its end once it has answered: contenders clean up behind themselves."""


class RunDied(HarnessError):
    """A measured process, or a worker of it, has died."""

    exit_code = 3


def run_order(order: Order) -> Answer:
    """What a fresh process answers, in a folder of its own below the order's.

    Raises:
        ConfigError: the stage, the policy or the images cannot be used, or the stage has raised.
        RunDied: a process has died.
        ArenaFull: memory could not be had.
    """
    with tempfile.TemporaryDirectory(dir=order.folder, prefix="run") as folder:
        answer, said, code = _run(replace(order, folder=folder))
    if answer is None:
        last = [line for line in said.splitlines() if line.strip()][-LAST_LINES:]
        how = describe_end(code < 0, abs(code))
        words = "".join(f"\n  {line}" for line in last)
        raise RunDied(f"the measured process has ended before its answer: {how}{words}")
    if not answer.problem:
        return answer
    if answer.kind == DIED:
        raise RunDied(answer.problem)
    if answer.kind == FULL:
        raise ArenaFull(answer.problem)
    raise ConfigError(answer.problem, details=answer.details)


def _run(order: Order) -> tuple[Answer | None, str, int]:
    """The answer if there is one, what the process said, and its exit code."""
    path = [os.path.abspath(entry) if entry else entry for entry in sys.path]
    with tempfile.TemporaryFile() as output:
        with ordered_process("harness.bench.child", asdict(order), path, output) as (process, read):
            with open(read, "rb", closefd=False) as pipe:
                text = pipe.read()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LEAVING_S)
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    try:
        return Answer(**json.loads(text)), said, process.returncode
    except ValueError:
        return None, said, process.returncode
