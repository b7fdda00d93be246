# SPDX-License-Identifier: BSD-3-Clause
"""The stage as a task: process() on a clipboard of its own, as other ways to run it in parallel call it."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from harness.bench.halves import Images, find_halves
from harness.bench.order import Order
from harness.bench.pipelines import read_stage_policy
from harness.clipboard import Clipboard
from harness.queue import Queue
from harness.stage import ParallelProcessing

WARN = 10
Result = tuple[int, int, dict[str, Any]]
"""The process that ran a task, the rank, and what its stage marked shareable."""


class _Slice:
    """The stage of one rank, with queues of its own."""

    def __init__(self, order: Order, rank: int) -> None:
        from harness.log import Log

        assert order.stage is not None
        cls = find_halves(order.stage)[1]
        log = Log()
        log.setThreshold(WARN)
        sysdata = {
            "name": order.stage.rpartition(".")[2], "rank": rank, "stageId": 1, "runId": "bench",
            "universeSize": order.slices + 1,
        }  # fmt: skip
        self._in, self._out = Queue(), Queue()
        self._stage: ParallelProcessing = cls(read_stage_policy(order.policy), log, None, sysdata)
        self._stage.initialize(self._out, self._in)

    def run(self, key: str, image: Any) -> dict[str, Any]:
        """What the stage shares of its clipboard when it was given an image."""
        clipboard = Clipboard()
        clipboard.put(key, image)
        self._in.addDataset(clipboard)
        try:
            self._stage.applyProcess()
        finally:
            for queue in (self._in, self._out):
                while queue.size() > 0:
                    queue.getNextDataset()
        return {name: clipboard.get(name) for name in clipboard.getSharedKeys()}


@cache
def _slice_of(order: Order, rank: int) -> _Slice:
    return _Slice(order, rank)


@cache
def _images_of(order: Order) -> Images:
    return Images(order)


def run_task(order: Order, rank: int, visit: int, image: Any) -> Result:
    """Runs the stage of a rank on an image; `None` for one that this process makes itself."""
    if image is None:
        image = _images_of(order).new(visit, rank)
    return os.getpid(), rank, _slice_of(order, rank).run(order.key, image)
