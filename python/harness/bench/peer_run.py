# SPDX-License-Identifier: BSD-3-Clause
"""One measured run of a contender that is not the harness, in a process of its own."""

from __future__ import annotations

import os
import time

from harness.bench.contenders import CONTENDERS
from harness.bench.fingerprints import fingerprint
from harness.bench.halves import Images
from harness.bench.memory import family, pss_bytes
from harness.bench.order import Answer, Order
from harness.bench.plan import MASTER
from harness.bench.tasks import Result
from harness.errors import ConfigError


def run_peer(order: Order) -> Answer:
    """Runs the visits of an order. Raises what the stage or the contender raises."""
    images = Images(order)
    answer = Answer()
    results: list[Result] = []
    with CONTENDERS[order.contender].open(order.workers) as visit:
        end = time.perf_counter()
        for number in range(1, order.warm_up + order.visits + 1):
            handed = order.source == MASTER
            tasks = [
                (order, rank, number, images.new(number, rank) if handed else None)
                for rank in range(order.slices)
            ]
            results = list(visit(tasks))
            shared = [(rank, key, value) for _, rank, items in results for key, value in items.items()]
            answer.prints.append(fingerprint(shared, number <= order.warm_up))
            start, end = end, time.perf_counter()
            if number > order.warm_up:
                answer.seconds.append(end - start)
            if sorted(rank for _, rank, _ in results) != list(range(order.slices)):
                raise ConfigError(f"visit {number}: expected {order.slices} results, saw {len(results)}")
        answer.pss = sum(pss_bytes(pid) for pid in family(os.getpid()))
        answer.pss_workers = [pss_bytes(pid) for pid in sorted({pid for pid, _, _ in results})]
    return answer
