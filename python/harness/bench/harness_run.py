# SPDX-License-Identifier: BSD-3-Clause
"""One measured run of the harness, in a process of its own."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from harness.bench import halves
from harness.bench.memory import family, pss_bytes
from harness.bench.order import Answer, Order
from harness.bench.pipelines import write_pipeline
from harness.bench.shares import read_shares
from harness.errors import ConfigError, SliceDied, StageFailed
from harness.ledger import LEDGER_NAME
from harness.runtime.pipeline.pipeline import Pipeline

WARN = 10


def run_harness(order: Order) -> Answer:
    """Runs the pipeline of an order.

    Raises:
        ConfigError: the policy or a class cannot be used, or a stage has raised.
        SliceDied: a worker has died.
    """
    policy = write_pipeline(order)
    sys.path.append(order.folder)
    run_dir = Path(order.folder) / "run"
    last = order.warm_up + order.visits
    name = Path(order.policy).stem if order.policy is not None and order.stage is None else "bench"
    pipeline = Pipeline("bench", policy, name, workers=order.workers, run_dir=run_dir, max_visits=last)
    pipeline.setLogThreshold(WARN)
    stamps: list[float] = []
    answer = Answer()

    def progress(visit: int, stage: str) -> None:
        if stage:
            return
        stamps.append(time.perf_counter())
        if visit == last:
            answer.pss = sum(pss_bytes(pid) for pid in family(os.getpid()))
            pids = {slice_thread.pid for slice_thread in pipeline.getSliceThreadList()}
            answer.pss_workers = [pss_bytes(pid) for pid in sorted(pids)]

    pipeline.on_progress = progress
    try:
        pipeline.run()
    except StageFailed as error:
        raise StageFailed(
            f"{error}{_cure(order, error.details)}", rank=error.rank, details=error.details
        ) from error
    _raise_failures(run_dir, order)
    if len(stamps) < last:
        raise ConfigError(
            f"the run ended after {len(stamps)} visits: expected {last}, of which {order.warm_up} warm up."
            " Does a stage say that there are no more data sets?"
        )
    first = order.warm_up - 1
    ends = stamps[first:]
    answer.seconds = [after - before for before, after in zip(ends, ends[1:], strict=False)]
    answer.prints = list(halves.PRINTS)
    answer.shares = asdict(
        read_shares(run_dir, order.warm_up + 1, last, order.workers, ends[-1] - ends[0])
    )
    summary = json.loads((run_dir / "summary.json").read_text())
    answer.copied = sum(row["bytes_copied"] for row in summary["stages"])
    answer.shared = sum(row["bytes_shared"] for row in summary["stages"])
    answer.arena = summary["arena"]["committed_bytes"]
    return answer


def _cure(order: Order, details: str) -> str:
    """What to do where a stage has looked for its policy, and there is none."""
    if order.stage is None or order.policy is not None or "NoneType" not in details:
        return ""
    return (
        f"; {order.stage} was measured without a policy, so that self.policy is None: if it reads one,"
        " name its file with --policy"
    )


def _raise_failures(run_dir: Path, order: Order) -> None:
    """A run goes on when a stage raises; a benchmark does not. Raises for the first failure."""
    with closing(sqlite3.connect(run_dir / LEDGER_NAME)) as ledger:
        rows = ledger.execute(
            "SELECT visit, rank, stage, kind, text FROM failures ORDER BY failure LIMIT 1"
        ).fetchall()
    for visit, rank, stage, kind, text in rows:
        where = "in the master" if rank < 0 else f"on slice {rank}"
        lines = [line for line in text.splitlines() if line.strip()]
        words = lines[-1].strip() if lines else kind
        error = ConfigError(f"stage {stage} has failed {where} in visit {visit}: {words}{_cure(order, text)}")
        error.details = text
        raise error


__all__ = ["SliceDied", "run_harness"]
