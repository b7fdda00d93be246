# SPDX-License-Identifier: BSD-3-Clause
"""What the files of a stage policy are called, and what is made of them: slips that a run would find late."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.policy.problems import WARNING, Problem

if TYPE_CHECKING:
    from harness.check.jobs import Job
    from harness.policy import Policy

KEY = "stagePolicy"
TYPE = "pythonType"
LOCATIONS = ("location", "sourcePath", "destPath")

_FORMAT = r"[-+ #0]*\d+(?:\.\d+)?[dioxXeEfFgGs]"
_NAMELESS = re.compile(rf"%(?P<format>{_FORMAT})(?![A-Za-z(])")
_BEHIND = re.compile(rf"%\((?P<name>[\w.]+)\)(?P<format>{_FORMAT})(?![A-Za-z])")


def judge_items(block: Policy, job: Job) -> list[Problem]:
    """Holds the location templates and the classes to make, wherever they stand in the stage policy."""
    if not block.isPolicy(KEY):
        return []
    found = []
    for policy, path in _policies(block.getPolicy(KEY), f"{job.where}.{KEY}"):
        for key in (*LOCATIONS, TYPE):
            for index, text in enumerate(policy.getStringArray(key) if policy.isString(key) else []):
                said = _type_problem(text) if key == TYPE else _template_problem(text)
                if said:
                    found.append(Problem.at(policy, key, index=index, breadcrumb=f"{path}.{key}", **said))
    return found


def _policies(policy: Policy, path: str) -> Iterator[tuple[Policy, str]]:
    yield policy, path
    for name in policy.policyNames(True):
        parts = policy.getPolicyArray(name)
        for number, part in enumerate(parts):
            yield from _policies(part, f"{path}.{name}" + (f"[{number}]" if len(parts) > 1 else ""))


def _template_problem(text: str) -> dict[str, Any]:
    """A warning, for it is a template all the same: what has no name in parentheses is plain text."""
    if (slip := _BEHIND.search(text)) is not None:
        meant = f"%{slip['format']}({slip['name']})"
        message = f"'{slip['format']}' behind '%({slip['name']})' is plain text in every location"
    elif (slip := _NAMELESS.search(text)) is not None:
        meant = f"%{slip['format']}(visit)"
        message = f"'{slip[0]}' has no name behind it, and is plain text in every location"
    else:
        return {}
    return {"message": message, "severity": WARNING, "expected": "%FORMAT(NAME)", "seen": text,
            "hint": f"if a value goes there: {meant}"}  # fmt: skip


def _type_problem(text: str) -> dict[str, Any]:
    """What a storage would say of the class once there is a file."""
    import difflib

    from harness.stage.class_lookup import ClassLookupError, WrongClassError, find_class
    from harness.storage.kinds import SHORT_NAMES

    name = text.strip()
    try:
        find_class(SHORT_NAMES.get(name, name))
    except (ClassLookupError, WrongClassError) as error:
        near = difflib.get_close_matches(name, [*SHORT_NAMES, *SHORT_NAMES.values()], n=1)
        return {
            "message": f"{TYPE}: {error.problem}", "expected": f"a class, or one of {', '.join(SHORT_NAMES)}",
            "seen": f'"{text}"', "suggestion": near[0] if near else "", "hint": error.hint,
        }  # fmt: skip
    # Whatever else a module's own code raises is raised in a run, too.
    except BaseException as error:
        return {"message": f"{TYPE}: importing {name} raised {type(error).__name__}: {error}"}
    return {}
