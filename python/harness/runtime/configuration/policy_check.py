# SPDX-License-Identifier: BSD-3-Clause
"""Everything that is wrong with a pipeline policy as far as its text tells, in one list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError
from harness.policy.errors import Located
from harness.policy.errors import TypeError as PolicyTypeError
from harness.policy.problems import ERROR, WARNING, Problem, in_file_order
from harness.policy.validation import ValidationError
from harness.runtime.configuration.dc3a import KEYS_OF_2008, relocated, stage_name_problems
from harness.runtime.configuration.dictionary import pipeline_dictionary
from harness.runtime.configuration.event_settings import host_problem, without_secrets
from harness.runtime.configuration.idle_check import CLASS_KEYS, idle_problems, numbered
from harness.runtime.configuration.policy_file import PolicyText, stage_blocks
from harness.runtime.configuration.sizes import LEAST, SizeError, size_of
from harness.runtime.configuration.topology import Topology, TopologyError

if TYPE_CHECKING:
    from harness.policy import Policy

TYPE_WORDS = {
    "bool": "true or false",
    "int": "an integer",
    "double": "a number with a point, such as 1.0",
    "string": "a string",
    "Policy": "a block in braces",
}
TOPOLOGY_KEYS = {f"topology.{key}" for key in ("type", "param1", "param2")}
UNKNOWN = ValidationError.UNKNOWN_NAME


def config_error(problems: list[Problem]) -> ConfigError:
    """One error that tells of all problems, in file order."""
    found = in_file_order(problems)
    texts = [str(problem) for problem in found]
    heading = [f"the pipeline policy has {len(texts)} problems:"] if len(texts) > 1 else []
    return ConfigError("\n".join([*heading, *texts]), problems=tuple(found))


def policy_problems(text: PolicyText) -> list[Problem]:
    """All problems of a pipeline policy, in file order; unknown keys are warnings."""
    unread = [problem.changed(breadcrumb=numbered(problem.breadcrumb)) for problem in text.problems]
    found = [*unread, *_against_dictionary(text)]
    found += [*_size_problems(text), *_dir_problems(text)]
    for breadcrumb, block in stage_blocks(text.policy, text.prefix):
        problems = _stage_problems(block, breadcrumb, breadcrumb in text.broken)
        found += [relocated(text, breadcrumb, problem) for problem in problems]
    found += [*_share_problems(text.policy, text.prefix), *idle_problems(text)]
    found += _broker_problems(text)
    topology = _topology_problems(text)
    if topology:
        # What parameters are right depends on the type: the topology's own word is the better one.
        found = [problem for problem in found if problem.name not in TOPOLOGY_KEYS]
    return in_file_order([without_secrets(problem, text.prefix) for problem in (*found, *topology)])


def _against_dictionary(text: PolicyText) -> list[Problem]:
    collected = ValidationError("the pipeline policy breaks its dictionary")
    pipeline_dictionary().validate(text.policy, collected)
    found = [_explained(problem) for problem in collected.problems()]
    known = {*text.missing, *KEYS_OF_2008}
    if text.policy.exists("appStages") and not text.policy.exists("appStage"):
        # What is wrong with the lists has been told.
        known.add("appStage")
    return [problem for problem in found if problem.name not in known]


def _explained(problem: Problem) -> Problem:
    """The problem in words that do not send the reader to the dictionary."""
    breadcrumb = numbered(problem.breadcrumb)
    if problem.bits == UNKNOWN:
        return problem.changed(severity=WARNING, breadcrumb=breadcrumb, hint="unknown keys are ignored")
    definition = pipeline_dictionary().getDef(problem.name)
    expected, seen = problem.expected.partition(" (defined in")[0], problem.seen
    if problem.bits == ValidationError.WRONG_TYPE:
        expected = TYPE_WORDS[definition.getTypeName()]
    elif problem.bits == ValidationError.VALUE_OUT_OF_RANGE:
        allowed = definition.getData().getPolicy("allowed")
        expected = f"{allowed.str('min')} to {allowed.str('max')}"
        seen = seen.partition(" ")[2]
    elif problem.bits == ValidationError.MISSING_REQUIRED:
        seen = "none"
    hint = f"{problem.name.rpartition('.')[2]}: {definition.getDescription()}"
    return problem.changed(breadcrumb=breadcrumb, expected=expected, seen=seen, hint=hint)


def _size_problems(text: PolicyText) -> list[Problem]:
    found = []
    for key in LEAST:
        try:
            size_of(text.policy, key)
        except SizeError as error:
            message = f'parameter "{key}" is no size that can be used'
            parts = {"expected": error.expected, "seen": error.seen}
            found.append(_at(text.policy, key, message, text.prefix, **parts))
    return found


def _dir_problems(text: PolicyText) -> list[Problem]:
    """Directories that cannot be worked out, as far as the dictionary does not tell."""
    if not text.policy.isPolicy("dir"):
        return []
    from harness.directories import Directories

    try:
        Directories(text.policy.getPolicy("dir"), "name", "run").getDirs()
    except PolicyTypeError:
        return []
    except Located as error:
        return [Problem.from_error(error)]
    except ValueError as error:
        return [_at(text.policy, "dir", str(error), text.prefix)]
    return []


def _share_problems(policy: Policy, prefix: str) -> list[Problem]:
    """A policy that asks for copies and forbids them."""
    wanted = {"sharePolicy": "snapshot", "copyPolicy": "strict"}
    if not all(policy.isString(key) and policy.getString(key) == value for key, value in wanted.items()):
        return []
    message = 'parameter "copyPolicy" forbids the copies that sharePolicy "snapshot" asks for'
    return [
        _at(
            policy, "copyPolicy", message, prefix,
            expected='copyPolicy: "count", or sharePolicy: "seal"', seen="'strict'",
        )
    ]  # fmt: skip


def _topology_problems(text: PolicyText) -> list[Problem]:
    policy = text.policy
    is_on = policy.isBool("shareDataOn") and policy.getBool("shareDataOn")
    if not policy.exists("topology"):
        return _asks_without_topology(text) if is_on else []
    if not policy.isPolicy("topology"):
        return []
    block = policy.getPolicy("topology")
    try:
        Topology.from_policy(block, policy.getInt("nSlices") if policy.isInt("nSlices") else 0)
    except TopologyError as error:
        parts: dict[str, Any] = {"expected": error.expected, "seen": error.seen}
        parts["suggestion"] = error.suggestion
        message = f'parameter "topology.{error.key}": {error.problem}'
        prefix = f"{text.prefix}topology."
        return [_at(block, error.key, message, prefix, severity=ERROR if is_on else WARNING, **parts)]
    return []


def _asks_without_topology(text: PolicyText) -> list[Problem]:
    """The first stage that wants an exchange although nothing says with whom."""
    for breadcrumb, block in stage_blocks(text.policy, text.prefix):
        if block.isBool("shareData") and block.getBool("shareData"):
            return [
                _at(
                    block, "shareData", "nothing says which slices exchange data", f"{breadcrumb}.",
                    expected='topology: { type: "ring" ... } or another topology, or shareData: false',
                )
            ]  # fmt: skip
    return []


def _stage_problems(block: Policy, breadcrumb: str, is_broken: bool) -> list[Problem]:
    prefix = f"{breadcrumb}."
    found = [_class_problem(block, key, prefix) for key in CLASS_KEYS]
    found += stage_name_problems(block, breadcrumb)
    if not is_broken:
        found.append(stage_policy_problem(block, prefix))
    return [problem for problem in found if problem is not None]


def _class_problem(block: Policy, key: str, prefix: str) -> Problem | None:
    if not block.isString(key) or "." in block.getString(key).strip().strip("."):
        return None
    return _at(
        block, key, f'parameter "{key}" is no class name', prefix,
        expected="a dotted class name such as package.module.Class", seen=repr(block.getString(key)),
    )  # fmt: skip


def stage_policy_problem(block: Policy, prefix: str) -> Problem | None:
    key = "stagePolicy"
    is_none = block.isString(key) and block.getString(key) == "None"
    if not block.exists(key) or block.isPolicy(key) or is_none:
        return None
    return _at(
        block, key, 'parameter "stagePolicy" holds no settings', prefix,
        expected='a policy in braces, an include such as @policy/stage.paf, or "None"', seen=block.str(key),
    )  # fmt: skip


def _broker_problems(text: PolicyText) -> list[Problem]:
    """A host that names neither a spool nor a message broker."""
    key, policy = "eventBrokerHost", text.policy
    message = host_problem(policy.getString(key)) if policy.isString(key) else ""
    return [_at(policy, key, message, text.prefix)] if message else []


def _at(policy: Policy, key: str, message: str, prefix: str, **parts: Any) -> Problem:
    return Problem.at(policy, key, message, breadcrumb=f"{prefix}{key}", **parts)
