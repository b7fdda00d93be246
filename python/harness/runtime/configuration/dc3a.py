# SPDX-License-Identifier: BSD-3-Clause
"""Pipeline policies of DC3a, read as policies of today: parallel lists, and classes with both halves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.policy.problems import WARNING, Problem

if TYPE_CHECKING:
    from harness.policy import Policy
    from harness.runtime.configuration.policy_file import PolicyText

LISTS = ("appStages", "eventTopics", "stagePolicies")
BROKER = "activemqBroker"
KEYS_OF_2008 = (*LISTS, BROKER)
"""What the dictionary of pipeline policies does not know, and what is not unknown for all that."""

STAGE_NAME = "stageName"
STAGE_POLICY = "stagePolicy"
NONE = "None"
MS_PER_POLL = 1000


def is_dc3a(policy: Policy) -> bool:
    """Whether a pipeline policy names its stages in the parallel lists of DC3a."""
    return policy.exists("appStages") and not policy.exists("appStage")


def modernize(text: PolicyText) -> None:
    """Writes what DC3a said otherwise as it is said today; what is wrong with it goes to `text.problems`.

    Lists become `appStage` blocks with a `stageName`. A `stagePolicy` that is a path, which DC3a looked up in
    the current directory, becomes the policy it names.
    """
    from harness.runtime.configuration.policy_file import stage_blocks

    policy = text.policy
    if is_dc3a(policy):
        _lists_to_blocks(text)
        if policy.isInt("eventTimeout"):
            # Milliseconds then, polls of about a second today.
            policy.set("eventTimeout", max(1, -(-policy.getInt("eventTimeout") // MS_PER_POLL)))
    if policy.isString(BROKER) and not policy.exists("eventBrokerHost"):
        policy.set("eventBrokerHost", policy.getString(BROKER))
    blocks = stage_blocks(policy, text.prefix)
    of_2008 = [(where, block) for where, block in blocks if block.exists(STAGE_NAME)]
    for where, block in of_2008:
        _load_stage_policy(text, where, block)
    if of_2008 and not policy.exists("nSlices"):
        text.problems.append(_no_count(text))


def list_place(text: PolicyText, where: str, key: str) -> tuple[Policy, str, int, str] | None:
    """Where a parameter of a stage block stands that was made from lists: policy, list, index, breadcrumb."""
    if not text.lists or not where.startswith(f"{text.prefix}appStage["):
        return None
    names = dict(zip((STAGE_NAME, "eventTopic", STAGE_POLICY), LISTS, strict=True))
    number = int(where.rpartition("[")[2].rstrip("]"))
    name = names.get(key, LISTS[0])
    return text.policy, name, number, f"{text.prefix}{name}[{number}]"


def stage_problem(
    text: PolicyText, where: str, block: Policy, key: str, message: str, **parts: Any
) -> Problem:
    """A problem at a parameter of a stage block, or at the list element that the block was made from."""
    listed = list_place(text, where, key)
    if listed is None:
        return Problem.at(block, key, message, breadcrumb=f"{where}.{key}", **parts)
    policy, name, number, breadcrumb = listed
    return Problem.at(policy, name, message, index=number, breadcrumb=breadcrumb, **parts)


def relocated(text: PolicyText, where: str, problem: Problem) -> Problem:
    """A problem of a stage block, moved to the list element where it stands in the file."""
    listed = list_place(text, where, problem.breadcrumb.rpartition(".")[2])
    if listed is None:
        return problem
    policy, name, number, breadcrumb = listed
    place = policy.place(name, number) or {}
    parts = {part: place[part] for part in ("file", "line", "column", "source_line") if place.get(part)}
    return problem.changed(breadcrumb=breadcrumb, **parts)


def stage_name_problems(block: Policy, where: str) -> list[Problem]:
    """What is wrong with the `stageName` of a block, if it has one."""
    if not block.isString(STAGE_NAME):
        return []
    found = []
    name = block.getString(STAGE_NAME).strip()
    if "." not in name.strip("."):
        found.append(
            Problem.at(
                block, STAGE_NAME, 'parameter "stageName" is no class name',
                breadcrumb=f"{where}.{STAGE_NAME}",
                expected="a dotted class name such as mypipe.Warp.WarpStage", seen=repr(name),
            )
        )  # fmt: skip
    beside = [key for key in ("serialClass", "parallelClass") if block.exists(key)]
    if beside:
        found.append(
            Problem.at(
                block, beside[0], f'parameter "{beside[0]}" stands beside "stageName"',
                breadcrumb=f"{where}.{beside[0]}",
                expected="stageName for a class with both halves, or serialClass and parallelClass",
                seen="both",
            )
        )  # fmt: skip
    return found


def _lists_to_blocks(text: PolicyText) -> None:
    from harness.policy import Policy

    policy = text.policy
    wrong = [_list_problem(text, key) for key in LISTS]
    text.problems += [problem for problem in wrong if problem is not None]
    if any(wrong):
        return
    text.lists = True
    classes = policy.getStringArray("appStages")
    for number, name in enumerate(classes):
        block = Policy()
        block.set(STAGE_NAME, name.strip())
        for key, source in (("eventTopic", "eventTopics"), (STAGE_POLICY, "stagePolicies")):
            if policy.exists(source):
                block.set(key, policy.getStringArray(source)[number])
        policy.add("appStage", block)


def _list_problem(text: PolicyText, key: str) -> Problem | None:
    policy, breadcrumb = text.policy, f"{text.prefix}{key}"
    if not policy.exists(key):
        return None
    if not policy.isString(key):
        return Problem.at(
            policy, key, f'parameter "{key}" has the wrong type', breadcrumb=breadcrumb,
            expected='strings, one per stage; "None" for none', seen=policy.getTypeName(key),
        )  # fmt: skip
    count = policy.valueCount("appStages")
    if policy.valueCount(key) == count:
        return None
    return Problem.at(
        policy, key, f'parameter "{key}" has another length than "appStages"', breadcrumb=breadcrumb,
        expected=f"{count} values, one per stage", seen=str(policy.valueCount(key)),
    )  # fmt: skip


def _load_stage_policy(text: PolicyText, where: str, block: Policy) -> None:
    """Reads the file that a `stagePolicy` of 2008 names."""
    from harness.policy import Policy
    from harness.policy.errors import Located

    if not block.isString(STAGE_POLICY) or block.getString(STAGE_POLICY).strip() == NONE:
        return
    path = block.getString(STAGE_POLICY).strip()
    try:
        loaded = Policy.createPolicy(path, True)
    except Located as error:
        text.broken.add(where)
        problem = Problem.from_error(error)
        if not os.path.exists(path):
            hint = f"a path in a policy of DC3a is relative to the current directory, {os.getcwd()}"
            if (Path(text.file).parent / path).exists():
                hint += f"; there is one beside {text.file}: start from there"
            message = f"stage policy {path}: no such file"
            problem = stage_problem(text, where, block, STAGE_POLICY, message, seen=repr(path), hint=hint)
        text.problems.append(problem)
        block.set(STAGE_POLICY, NONE)
        return
    block.set(STAGE_POLICY, loaded)


def _no_count(text: PolicyText) -> Problem:
    return Problem.at(
        text.policy, "appStages", "nothing says how many slices there are: process() of no stage will run",
        breadcrumb=f"{text.prefix}nSlices", severity=WARNING, expected="nSlices: 1 or more",
        hint="in 2008 the number came from the list of nodes",
    )  # fmt: skip
