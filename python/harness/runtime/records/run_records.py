# SPDX-License-Identifier: BSD-3-Clause
"""Opening the ledger for a run: its description, and what a resumed run leaves out."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import place_of
from harness.ledger.provenance import code_versions, machine, sha256_of
from harness.ledger.schema import LEDGER_NAME, describe
from harness.ledger.writer import Ledger

if TYPE_CHECKING:
    from harness.ledger.lock import RunLock
    from harness.ledger.resume import ResumePlan
    from harness.runtime.configuration.config import PipelineConfig

MOST_REASONS = 20
EXIT_SLICES_LOST = 6
"""Of a run that came to its end, but lacks results of slices whose workers died."""
LOST = "failed"
"""How a run is recorded to have ended that an error ended; the others are named after the loop's ends."""


def exit_code_of(error: BaseException) -> int:
    """The exit code of a run that `error` ended."""
    is_signal = isinstance(error, KeyboardInterrupt) and not place_of(error)
    code = getattr(error, "exit_code", 130 if is_signal else 2)
    return code if isinstance(code, int) else 2


def open_ledger(
    config: PipelineConfig, run_dir: Path, lock: RunLock | None, run_id: str, *, resume: bool, anyway: bool
) -> tuple[Ledger, ResumePlan | None]:
    """Opens the ledger of the run directory, whose `lock` the caller holds, and adds this run.

    Returns the plan, too, where there is a run to continue; `None` otherwise.

    Raises:
        LedgerError: it cannot be used.
        ResumeRefused: policy or code are not those of the run to continue.
    """
    ledger = Ledger(run_dir / LEDGER_NAME, lock)
    try:
        code = code_versions(_classes(config))
        policy_text = config.policy_text()
        plan = None
        if resume:
            from harness.ledger.resume import plan_resume

            try:
                plan = plan_resume(ledger.connection, run_id, policy_text, code, anyway=anyway)
            except sqlite3.Error as error:
                raise describe(error, ledger.path, "reading what is complete") from error
        ledger.begin_run(
            {
                "run_id": run_id,
                "pipeline": config.pipeline_name,
                "slices": config.n_slices,
                "workers": config.n_workers,
                "stages": json.dumps([stage.name for stage in config.stages]),
                "policy_file": str(config.path.absolute()),
                "policy": policy_text,
                "policy_sha256": sha256_of(policy_text),
                "code": json.dumps(code),
                "started": time.time(),
                **machine(),
            },
            resumed_series=plan.series if plan is not None else None,
        )
    except BaseException:
        ledger.close()
        raise
    return ledger, plan


def describe_plan(plan: ResumePlan | None) -> list[str]:
    """What the log says about a resumed run."""
    if plan is None:
        return ["there is no earlier run here: this one starts from the beginning"]
    are = "visit is" if plan.skipped == 1 else "visits are"
    lines = [f"resuming: {plan.skipped} {are} complete and left out"]
    how = "run again when its event comes, under a new number" if plan.follows_events else "run again"
    lines += [f"{how}: visit {visit}: {why}" for visit, why in sorted(plan.redone.items())[:MOST_REASONS]]
    if len(plan.redone) > MOST_REASONS:
        lines.append(f"and {len(plan.redone) - MOST_REASONS} visits more are run again")
    lines += [f"resumed although it differs: {difference}" for difference in plan.differences]
    lines += [f"changed since, no result depends on it: {change}" for change in plan.changes]
    return lines


def _classes(config: PipelineConfig) -> Iterable[str]:
    for stage in [*config.stages, *([config.failure] if config.failure else [])]:
        for name in (stage.serial_class, stage.parallel_class):
            if name is not None:
                yield name
