# SPDX-License-Identifier: BSD-3-Clause
"""What a fresh worker does for a rank whose worker died in a visit: the visit again, or its failure."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from harness import _core
from harness.errors import SliceDied

if TYPE_CHECKING:
    from harness.runtime.halves.slice import SliceHalf


def resume(half: SliceHalf, visit: int, step: int) -> int:
    """The first step of a rank in a replacement: the one the master waits for. Returns the outcome bits.

    What came of the steps before it was published before the worker died, and stands. They run again, from
    what arrived in them, so that the clipboard and the stages become what they were.
    """
    half.start_visit(visit)
    if step > len(half.stages):
        half.end_visit()
        return _core.OUTCOME_OK
    verdict, stage = half.run.verdict(half.rank, visit)
    if verdict == _core.Verdict.SKIP:
        half.error_flagged = True
        _pass_on(half, 1, step)
        return half.process(step)
    if verdict == _core.Verdict.FAIL:
        # The master keeps the reason where reports are; what the failure stage raises is reported there too.
        error: SliceDied = pickle.loads(half.run.read_report(half.rank))
        _pass_on(half, 1, stage)
        return _fail(half, stage, step, error)
    for number in range(1, step):
        half.run.note_replay(number)
        try:
            half.repeat(number)
        except Exception as error:
            return _fail(half, number, step, error)
    if step > 1:
        half.log.info(f"visit {visit}: stages 1 to {step - 1} have run again in a fresh worker")
        half.run.note_replay(step)
    return half.process(step)


def _fail(half: SliceHalf, stage: int, step: int, error: Exception) -> int:
    """Stage `stage`, the one the master waits for or one before it, counts as failed in step `step`."""
    half.enter_stage(stage)
    half.publish_nothing(step)
    outcome = half.fail_step(stage, error)
    _pass_on(half, stage + 1, step + 1)
    return outcome


def _pass_on(half: SliceHalf, first: int, end: int) -> None:
    """Moves the clipboard over the stages from `first` to before `end`, as if they had been skipped."""
    for number in range(first, end):
        half.pass_on(number)
