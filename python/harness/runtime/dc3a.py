# SPDX-License-Identifier: BSD-3-Clause
"""The DC3a form of a pipeline policy, which cannot be run: seen, named, and shown how to be written today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.policy.problems import Problem

if TYPE_CHECKING:
    from harness.policy import Policy
    from harness.runtime.policy_file import PolicyText

LISTS = ("appStages", "eventTopics", "stagePolicies")
STAGE_NAME = "stageName"
SHOWN = 3


def is_dc3a(policy: Policy) -> bool:
    """Whether a pipeline policy names its stages in the parallel lists of DC3a."""
    return policy.exists("appStages") and not policy.exists("appStage")


def dc3a_problems(text: PolicyText) -> list[Problem]:
    """What to write instead of the lists, and lists whose lengths differ."""
    policy = text.policy
    stages = _strings(policy, "appStages")
    found = [
        Problem.at(
            policy,
            "appStages",
            "this is a DC3a pipeline policy: its stages stand in parallel lists, and their classes have both"
            " halves in one; neither can be run",
            breadcrumb=f"{text.prefix}appStages",
            expected="one appStage block per stage, with a serialClass, a parallelClass or both",
            seen=", ".join(f"{key} ({policy.valueCount(key)})" for key in LISTS if policy.exists(key)),
            hint=_translation(policy, stages),
        )
    ]
    for key in LISTS[1:]:
        if policy.exists(key) and policy.valueCount(key) != len(stages):
            found.append(
                Problem.at(
                    policy,
                    key,
                    f'parameter "{key}" has another length than "appStages"',
                    breadcrumb=f"{text.prefix}{key}",
                    expected=f"{len(stages)} values, one per stage",
                    seen=str(policy.valueCount(key)),
                )
            )
    return found


def stage_name_problem(block: Policy, prefix: str) -> Problem | None:
    """What to write instead of a stage block's `stageName`."""
    if not block.exists(STAGE_NAME):
        return None
    name = block.str(STAGE_NAME).strip('"')
    return Problem.at(
        block,
        STAGE_NAME,
        "this is a DC3a stage: stageName names a class that has both halves in one, which cannot be run",
        breadcrumb=f"{prefix}{STAGE_NAME}",
        expected="serialClass, parallelClass or both",
        seen=f'stageName: "{name}"',
        hint=f'write instead, for the half that the class has:\n  serialClass: "{name}Serial"\n'
        f'  parallelClass: "{name}Parallel"',
    )


def _strings(policy: Policy, key: str) -> list[str]:
    return policy.getStringArray(key) if policy.isString(key) else []


def _translation(policy: Policy, stages: list[str]) -> str:
    """The first stages as blocks of today."""
    topics, policies = _strings(policy, "eventTopics"), _strings(policy, "stagePolicies")
    lines = ["write instead, with the halves that each class has:"]
    for number, stage in enumerate(stages[:SHOWN]):
        topic = topics[number] if number < len(topics) else "None"
        path = policies[number] if number < len(policies) else "None"
        lines += [
            "  appStage: {",
            f'    serialClass: "{stage}Serial"',
            f'    parallelClass: "{stage}Parallel"',
            f'    eventTopic: "{topic}"',
            f'    stagePolicy: {chr(34) + path + chr(34) if path == "None" else "@" + path}',
            "  }",
        ]
    if len(stages) > SHOWN:
        lines.append(f"  and so on for {len(stages) - SHOWN} more")
    return "\n".join(lines)
