# SPDX-License-Identifier: BSD-3-Clause
"""Where in the pipeline policy a half of a stage stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.policy.problems import Problem
from harness.runtime.configuration.dc3a import stage_problem
from harness.runtime.configuration.policy_file import PolicyText, read_policy_text, stage_blocks

if TYPE_CHECKING:
    from harness.check.jobs import Job
    from harness.policy import Policy


def block_of(text: PolicyText, job: Job) -> Policy:
    """The stage block of a job."""
    return dict(stage_blocks(text.policy, text.prefix))[job.where]


def class_problem(block: Policy, job: Job, message: str, **parts: Any) -> Problem:
    """A problem at the class name of a job, in a block that stands in the file."""
    return Problem.at(block, job.key, message, breadcrumb=f"{job.where}.{job.key}", **parts)


def name_problem(text: PolicyText, job: Job, message: str, **parts: Any) -> Problem:
    """A problem at the class name of a job, in a block or in the lists of 2008."""
    block = block_of(text, job)
    return stage_problem(text, job.where, block, job.key, message, **parts)


def at_job(path: Path, job: Job, message: str, **parts: Any) -> Problem:
    """The same for a policy that has to be read again."""
    return name_problem(read_policy_text(path), job, message, **parts)
