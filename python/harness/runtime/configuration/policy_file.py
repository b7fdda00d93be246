# SPDX-License-Identifier: BSD-3-Clause
"""Reading a pipeline policy file: `execute`, and includes whose failures are collected."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.policy import Policy
    from harness.policy.problems import Problem

DEFAULT_POLICY_FILE = "pipeline_policy.paf"


class PolicyText:
    """What a pipeline policy file holds.

    Attributes: `policy` is the pipeline's part of it. `prefix` starts breadcrumbs (`execute.` or nothing).
    `problems` are includes that cannot be resolved, and `broken` the breadcrumbs of the stage blocks that
    hold them: their settings are not known. `missing` are the keys that such an include should have given.
    `lists` says that the stage blocks were made from the parallel lists of DC3a.
    """

    def __init__(self, file: Path, policy: Policy, prefix: str) -> None:
        self.file = file
        self.policy = policy
        self.prefix = prefix
        self.problems: list[Problem] = []
        self.broken: set[str] = set()
        self.missing: set[str] = set()
        self.lists = False


SUFFIXES = (".paf", ".json", ".toml")
"""What policy files are called."""


def require_readable(file: Path, what: str = "pipeline policy") -> None:
    """Raises `ConfigError` for a path that is no file or cannot be read."""
    if not file.exists():
        if file.is_symlink():
            raise ConfigError(f"{what} {file}: no such file; it is a symbolic link that leads to none")
        near = sorted(str(other) for other in file.parent.glob("*") if other.suffix in SUFFIXES)
        hint = f"; policy files there: {', '.join(near[:5])}" if near else ""
        raise ConfigError(f"{what} {file}: no such file (looked in {file.parent.resolve()}){hint}")
    if file.is_dir():
        raise ConfigError(f"{what} {file}: expected a file, saw a directory")
    if not os.access(file, os.R_OK):
        raise ConfigError(f"{what} {file}: not readable by this user; check its permissions")


def read_policy_text(file: Path) -> PolicyText:
    """Reads a pipeline policy with its includes, which are looked up beside it.

    Raises:
        ConfigError: the file is missing or unreadable.
        harness.policy.ParserError: the file is no policy.
    """
    from harness.policy import Policy
    from harness.runtime.configuration.dc3a import modernize

    require_readable(file)
    whole = Policy(str(file))
    if whole.isFile("execute"):
        whole.loadPolicyFiles(os.path.dirname(file))
    is_part = whole.isPolicy("execute")
    text = PolicyText(file, whole.getPolicy("execute") if is_part else whole, "execute." if is_part else "")
    _resolve(text)
    modernize(text)
    return text


def stage_blocks(policy: Policy, prefix: str = "") -> list[tuple[str, Policy]]:
    """The stage blocks of a pipeline policy with their breadcrumbs: `appStage[0]` ..., `failureStage`."""
    blocks = []
    if policy.isPolicy("appStage"):
        stages = policy.getPolicyArray("appStage")
        blocks = [(f"{prefix}appStage[{number}]", block) for number, block in enumerate(stages)]
    if policy.isPolicy("failureStage"):
        blocks.append((f"{prefix}failureStage", policy.getPolicy("failureStage")))
    return blocks


def _resolve(text: PolicyText) -> None:
    """Resolves includes block by block, so that one that is missing hides no other."""
    for breadcrumb, block in stage_blocks(text.policy, text.prefix):
        if not _load(text, block):
            text.broken.add(breadcrumb)
            for name in block.fileNames(True):
                block.set(name, "None")
    if not _load(text, text.policy):
        text.missing = set(text.policy.fileNames(True))
        for name in text.missing:
            text.policy.remove(name)


def _load(text: PolicyText, policy: Policy) -> bool:
    from harness.policy.errors import Located
    from harness.policy.problems import Problem

    try:
        policy.loadPolicyFiles(os.path.dirname(text.file))
    except Located as error:
        text.problems.append(Problem.from_error(error))
        return False
    return True
