# SPDX-License-Identifier: BSD-3-Clause
"""Everything that is wrong with a pipeline, its stages included, without running it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.check.jobs import ONE_CLASS, PARALLEL, SERIAL, Job
from harness.check.supervision import run_jobs
from harness.errors import ConfigError
from harness.policy.errors import Located
from harness.policy.problems import ERROR, Problem, in_file_order
from harness.policy.validation import ValidationError
from harness.runtime.configuration.idle_check import may_have_slices, slice_count, slice_problems
from harness.runtime.configuration.policy_check import policy_problems, stage_policy_problem
from harness.runtime.configuration.policy_file import PolicyText, read_policy_text, stage_blocks

DEFAULT_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Checked:
    """What a check found: the problems in file order, and how many stages and slices the pipeline has."""

    problems: list[Problem]
    n_stages: int = 0
    n_slices: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing but warnings was found."""
        return all(problem.severity != ERROR for problem in self.problems)


def check_pipeline(
    path: Path, *, allow_unknown: bool = False, setup: bool = True, timeout: float = DEFAULT_TIMEOUT_S
) -> Checked:
    """Checks a pipeline policy file and its stages.

    Args:
        path: the pipeline policy file.
        allow_unknown: unknown keys of the pipeline policy are warnings, not errors.
        setup: whether stages whose class names no dictionary are made, so that their `setup()` checks their
            policy.
        timeout: seconds that importing and setting up one half of a stage may take.

    Returns:
        What was found. Nothing that is wrong with the pipeline raises.
    """
    try:
        text = read_policy_text(path)
    except ConfigError as error:
        return Checked([Problem(str(error).removeprefix(f"pipeline policy {path}: "), file=str(path))])
    except Located as error:
        return Checked([Problem.from_error(error)])
    found = [_judged(problem, allow_unknown) for problem in policy_problems(text)]
    found += slice_problems(text)
    found += run_jobs(path, _jobs(text, setup, allow_unknown), timeout)
    n_stages = text.policy.valueCount("appStage") if text.policy.isPolicy("appStage") else 0
    return Checked(in_file_order(found), n_stages, slice_count(text))


def _judged(problem: Problem, allow_unknown: bool) -> Problem:
    if problem.bits != ValidationError.UNKNOWN_NAME or allow_unknown:
        return problem
    return problem.changed(severity=ERROR, hint="a run ignores unknown keys; to allow them: --allow-unknown")


def _jobs(text: PolicyText, setup: bool, allow_unknown: bool) -> list[Job]:
    """One per class that is named, in the order of the stages."""
    jobs = []
    for where, block in stage_blocks(text.policy, text.prefix):
        usable = where not in text.broken and stage_policy_problem(block, where) is None
        for key in (SERIAL, PARALLEL, ONE_CLASS):
            if not block.isString(key) or "." not in block.getString(key).strip().strip("."):
                continue
            runs = key == SERIAL or (key == PARALLEL and may_have_slices(text))
            jobs.append(Job(where, key, usable, setup and usable and runs, allow_unknown))
    return jobs
