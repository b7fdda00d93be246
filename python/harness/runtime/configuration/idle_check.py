# SPDX-License-Identifier: BSD-3-Clause
"""What a pipeline policy asks for and will not get, though nothing in it is wrong: warnings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harness.policy.problems import WARNING, Problem
from harness.runtime.configuration.dc3a import STAGE_NAME
from harness.runtime.configuration.policy_file import PolicyText, stage_blocks

if TYPE_CHECKING:
    from harness.policy import Policy

PARALLEL = "parallelClass"
CLASS_KEYS = ("serialClass", PARALLEL)
ONE_LOOP = "oneloop"


def idle_problems(text: PolicyText) -> list[Problem]:
    """Words for `oneloop` that are not it, stages without a class, exchanges that never happen."""
    return [*_mode_problems(text), *_class_problems(text), *_exchange_problems(text)]


def numbered(breadcrumb: str) -> str:
    """A breadcrumb in which the only stage has its number, too: `appStage[0].name`."""
    return re.sub(r"^((?:execute\.)?appStage)(?=\.)", r"\1[0]", breadcrumb)


def slice_count(text: PolicyText) -> int:
    """How many slices a policy asks for; 0 also where that can't be read."""
    return text.policy.getInt("nSlices") if text.policy.isInt("nSlices") else 0


def may_have_slices(text: PolicyText) -> bool:
    """False only if there are none; a count that cannot be read may mean any."""
    return text.policy.exists("nSlices") and (not text.policy.isInt("nSlices") or slice_count(text) != 0)


def _mode_problems(text: PolicyText) -> list[Problem]:
    """A word for `oneloop` that is not that word: such a run goes on for ever."""
    key, policy = "executionMode", text.policy
    mode = policy.getString(key) if policy.isString(key) else ONE_LOOP
    if mode == ONE_LOOP:
        return []
    from difflib import get_close_matches

    if not get_close_matches(mode.lower().replace(" ", ""), [ONE_LOOP], cutoff=0.8):
        return []
    message = f'parameter "{key}" asks for no single visit'
    return _warn(policy, key, message, text.prefix, seen=repr(mode), suggestion=ONE_LOOP)


def _class_problems(text: PolicyText) -> list[Problem]:
    """Stages without a class."""
    return [
        Problem.at(
            block, None, f"{numbered(where + '.')[:-1]} names no class, and so does nothing",
            severity=WARNING, breadcrumb=where, expected="serialClass, parallelClass or both",
        )
        for where, block in stage_blocks(text.policy, text.prefix)
        if not any(block.exists(key) for key in (*CLASS_KEYS, STAGE_NAME))
    ]  # fmt: skip


def slice_problems(text: PolicyText) -> list[Problem]:
    """Halves that never run, and slices without work. Not told in a run, which may well be of one half."""
    policy, n_slices = text.policy, slice_count(text)
    blocks = [
        (where, block)
        for where, block in stage_blocks(policy, text.prefix)
        if (block.exists(PARALLEL) or block.exists(STAGE_NAME)) and not where.endswith("failureStage")
    ]
    halves = [(where, block) for where, block in blocks if block.exists(PARALLEL)]
    if not may_have_slices(text) and halves:
        where, block = halves[0]
        message = "nSlices is 0, so that no parallelClass ever runs"
        return _warn(block, PARALLEL, message, f"{where}.", expected="nSlices: 1 or more")
    if n_slices > 0 and not blocks and policy.isPolicy("appStage"):
        message = "no stage has a parallelClass, so that the slices have nothing to do"
        return _warn(policy, "nSlices", message, text.prefix, expected="nSlices: 0", seen=str(n_slices))
    return []


def _exchange_problems(text: PolicyText) -> list[Problem]:
    """Exchanges that are asked for and never happen, and a switch without effect."""
    policy = text.policy
    is_on = policy.isBool("shareDataOn") and policy.getBool("shareDataOn")
    wishes = [
        (breadcrumb, block)
        for breadcrumb, block in stage_blocks(policy, text.prefix)
        if block.isBool("shareData") and block.getBool("shareData")
    ]
    if wishes and not is_on:
        breadcrumb, block = wishes[0]
        message = "nothing is exchanged before this stage, for the pipeline has no shareDataOn: true"
        return _warn(block, "shareData", message, f"{breadcrumb}.")
    if is_on and not wishes:
        message = "nothing is exchanged, for no stage has shareData: true"
        return _warn(policy, "shareDataOn", message, text.prefix)
    return []


def _warn(policy: Policy, key: str, message: str, prefix: str, **parts: Any) -> list[Problem]:
    breadcrumb = f"{prefix}{key}"
    return [Problem.at(policy, key, message, breadcrumb=breadcrumb, severity=WARNING, **parts)]
