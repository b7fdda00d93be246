# SPDX-License-Identifier: BSD-3-Clause
"""The measured process: does one order and answers."""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import asdict
from typing import Any

from harness.bench.order import CONFIG, DIED, FULL, PROBE, Answer, Order
from harness.bench.plan import HARNESS
from harness.errors import ArenaFull, HarnessError, SliceDied


def main(values: dict[str, Any], answer_fd: int) -> None:
    """Does what an order says, and writes one line of JSON."""
    order = Order(**{**values, "images": tuple(values["images"])})
    # Workers that a contender starts anew find the same modules.
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    try:
        answer = _do(order)
    except Exception as error:
        answer = Answer(problem=_text(order, error), kind=_kind(error))
        answer.details = getattr(error, "details", "") or "".join(traceback.format_exception(error))
    with os.fdopen(answer_fd, "w") as pipe:
        json.dump(asdict(answer), pipe)


def _do(order: Order) -> Answer:
    if order.contender == PROBE:
        from harness.bench.halves import find_halves
        from harness.bench.pipelines import read_stage_policy

        assert order.stage is not None
        read_stage_policy(order.policy)
        serial, parallel = find_halves(order.stage)
        return Answer(halves={"serial": serial and serial.__qualname__, "parallel": parallel.__qualname__})
    if order.contender == HARNESS:
        from harness.bench.harness_run import run_harness

        return run_harness(order)
    from harness.runtime.processes.cores import limit_threads

    limit_threads(order.workers)
    from harness.bench.peer_run import run_peer

    return run_peer(order)


def _text(order: Order, error: Exception) -> str:
    if isinstance(error, SliceDied):
        # Its logs go with the folder.
        return error.what
    if isinstance(error, HarnessError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _kind(error: Exception) -> str:
    if isinstance(error, SliceDied):
        return DIED
    return FULL if isinstance(error, (ArenaFull, MemoryError)) else CONFIG
