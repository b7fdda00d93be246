# SPDX-License-Identifier: BSD-3-Clause
"""Dictionaries held against the dictionary of dictionaries, and any policy against any dictionary."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from harness.errors import ConfigError
from harness.policy import Dictionary, Policy
from harness.policy.errors import Located
from harness.policy.problems import WARNING, Problem, in_file_order
from harness.policy.validation import ValidationError
from harness.runtime.configuration.dictionary import own_dictionary
from harness.runtime.configuration.policy_file import require_readable


def is_dictionary(path: Path) -> bool:
    """Whether a file can be read and has top-level `definitions`."""
    try:
        return path.is_file() and Policy(str(path)).isDictionary()
    except Located:
        return False


def open_dictionary(path: Path) -> Dictionary:
    """A dictionary file with the files that it names, which are looked up beside it.

    Raises:
        ConfigError: the file is missing or unreadable.
        Located: it is no dictionary, or malformed.
    """
    require_readable(path, "dictionary")
    dictionary = Dictionary(str(path))
    dictionary.loadPolicyFiles(os.path.dirname(path))
    return dictionary


def check_dictionary(path: Path) -> list[Problem]:
    """What is wrong with a dictionary, the nested ones included; definitions without effect are warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            dictionary = open_dictionary(path)
        except ConfigError as error:
            return [Problem(str(error).removeprefix(f"dictionary {path}: "), file=str(path))]
        except Located as error:
            return [Problem.from_error(error)]
    texts = dict.fromkeys(str(warning.message) for warning in caught)
    found = [Problem(text, severity=WARNING) for text in texts]
    return in_file_order([*found, *dictionary_problems(dictionary)])


def dictionary_problems(dictionary: Policy) -> list[Problem]:
    """The violations of the dictionary of dictionaries, at every depth."""
    judge = own_dictionary("DictionaryDictionary.paf")
    collected = ValidationError("the dictionary breaks the dictionary of dictionaries")
    pending = [dictionary]
    while pending:
        level = pending.pop()
        judge.validate(level, collected)
        if level.isPolicy("definitions"):
            definitions = level.getPolicy("definitions")
            blocks = [definitions.getPolicy(name) for name in definitions.policyNames(True)]
            pending += [block.getPolicy("dictionary") for block in blocks if block.isPolicy("dictionary")]
    return collected.problems()


def check_against(path: Path, dictionary_path: Path, *, allow_unknown: bool = False) -> list[Problem]:
    """What is wrong with a policy file in the eyes of a dictionary file, the defaults of which count."""
    collected = ValidationError("the policy breaks its dictionary")
    try:
        require_readable(path, "policy")
        policy = Policy(str(path))
        policy.loadPolicyFiles(os.path.dirname(path))
        policy.mergeDefaults(open_dictionary(dictionary_path), True, collected)
    except ConfigError as error:
        return [Problem(str(error))]
    except Located as error:
        return [Problem.from_error(error)]
    unknown = ValidationError.UNKNOWN_NAME
    return [
        problem.changed(severity=WARNING) if problem.bits == unknown and allow_unknown else problem
        for problem in collected.problems()
    ]
