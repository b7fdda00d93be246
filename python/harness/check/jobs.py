# SPDX-License-Identifier: BSD-3-Clause
"""What the checking process is asked to do, and what it answers, line by line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from harness.policy.problems import Problem

SERIAL, PARALLEL, ONE_CLASS = "serialClass", "parallelClass", "stageName"


@dataclass(frozen=True)
class Job:
    """One half of a stage.

    Attributes: `where` is the breadcrumb of its block and `key` the parameter that names the class. `judge`
    says whether its stage policy is known, so that it may be held against a dictionary, and `setup` whether
    the class may be made for that. `allow_unknown` makes warnings of unknown keys that a run ignores.
    """

    where: str
    key: str
    judge: bool
    setup: bool
    allow_unknown: bool = False


def encode(**message: Any) -> bytes:
    """A message as one line."""
    return json.dumps(message).encode() + b"\n"


def job_to_json(job: Job) -> dict[str, Any]:
    """A job as plain values."""
    return asdict(job)


def problem_to_json(problem: Problem) -> dict[str, Any]:
    """All attributes of a problem as plain values."""
    return problem._asdict()


def problem_from_json(values: dict[str, Any]) -> Problem:
    """The inverse of `problem_to_json`."""
    return Problem(**{**values, "chain": tuple(tuple(link) for link in values["chain"])})
