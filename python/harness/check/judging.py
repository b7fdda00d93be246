# SPDX-License-Identifier: BSD-3-Clause
"""What a stage says about its policy: by the dictionary that its class names, or by its `setup()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.check.jobs import SERIAL, Job
from harness.check.places import class_problem
from harness.policy import Policy
from harness.policy.errors import Located
from harness.policy.problems import WARNING, Problem
from harness.policy.validation import ValidationError
from harness.runtime.configuration.dictionary import load_dictionary
from harness.runtime.configuration.idle_check import numbered

if TYPE_CHECKING:
    from harness.runtime.configuration.policy_file import PolicyText

KEY = "stagePolicy"


def judge_by_dictionary(block: Policy, job: Job, declared: Any) -> list[Problem]:
    """Holds the stage policy against the dictionary that `policy_dictionary` of the class names."""
    is_named = isinstance(declared, tuple) and all(isinstance(part, str) for part in declared)
    if not is_named or len(declared) not in (2, 3):
        return [
            class_problem(
                block, job, "policy_dictionary of the class names no dictionary",
                expected='(product, file) or (product, file, directory), all strings', seen=repr(declared),
            )
        ]  # fmt: skip
    own = _own_policy(block) or Policy()
    collected = ValidationError("the stage policy breaks its dictionary")
    try:
        own.mergeDefaults(load_dictionary(*declared), True, collected)
    except Located as error:
        return [_placed(block, job, Problem.from_error(error))]
    return [_placed(block, job, _judged(problem, job)) for problem in collected.problems()]


def _judged(problem: Problem, job: Job) -> Problem:
    if problem.bits == ValidationError.UNKNOWN_NAME and job.allow_unknown:
        return problem.changed(severity=WARNING)
    return problem


def judge_by_setup(
    text: PolicyText, block: Policy, job: Job, cls: type, relevant_line: Callable[[BaseException], str]
) -> list[Problem]:
    """Makes the half as a worker does, with a copy of its policy; `setup()` runs."""
    from harness.log import Log

    try:
        cls(_own_policy(block), Log(), _broker(text.policy), _sysdata(text.policy, block, job))
    except ValidationError as error:
        return [_placed(block, job, problem) for problem in error.problems()]
    except Located as error:
        return [_placed(block, job, Problem.from_error(error).changed(hint=relevant_line(error)))]
    # Whatever else comes out would end a run, too.
    except BaseException as error:
        message = f"setup() of {block.getString(job.key).strip()} raised {type(error).__name__}: {error}"
        return [class_problem(block, job, message, seen=relevant_line(error))]
    return []


def _own_policy(block: Policy) -> Policy | None:
    return Policy(block.getPolicy(KEY), True) if block.isPolicy(KEY) else None


def _broker(policy: Policy) -> str:
    """The host that a run tells its stages; the directory of its spool is not known here."""
    host = policy.getString("eventBrokerHost") if policy.isString("eventBrokerHost") else ""
    return "spool:" if host in ("", "None") else host


def _sysdata(policy: Policy, block: Policy, job: Job) -> dict[str, Any]:
    """What a half is told of its surroundings, in the master or in slice 0."""
    name = block.getString(job.key).strip().rpartition(".")[2]
    is_failure = job.where.endswith("failureStage")
    n_slices = policy.getInt("nSlices") if policy.isInt("nSlices") else 0
    return {
        "name": block.getString("name") if block.isString("name") else name,
        "rank": -1 if job.key == SERIAL else 0,
        "stageId": -1 if is_failure else int(job.where.rpartition("[")[2].rstrip("]")) + 1,
        "universeSize": n_slices + 1,
        "runId": "check",
    }


def _placed(block: Policy, job: Job, problem: Problem) -> Problem:
    """The problem with the block's `stagePolicy` as its place where it has none of its own."""
    if problem.file is not None:
        return problem.changed(breadcrumb=numbered(problem.breadcrumb))
    key = KEY if block.exists(KEY) else job.key
    place = block.place(key) or {}
    return Problem.from_fields(
        problem.message, {**problem._asdict(), **place}, severity=problem.severity, hint=problem.hint,
        breadcrumb=".".join(part for part in (f"{job.where}.{KEY}", problem.breadcrumb) if part),
        name=problem.name, bits=problem.bits,
    )  # fmt: skip
