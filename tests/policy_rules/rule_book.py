# SPDX-License-Identifier: BSD-3-Clause
"""The rules of the policy language as data: one folder of texts per rule, and what each text has to give."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "cases"

RULES = """
11.1-lines 11.1-line-ends 11.1-bytes 11.1-lenient
11.2-characters 11.2-colon 11.2-dots
11.3-nothing 11.3-double 11.3-int 11.3-bool 11.3-bare 11.3-one-kind 11.3-garbage 11.3-versions-and-dates
11.4-quotes 11.4-rows 11.4-several-lines 11.4-end 11.4-open
11.5-bare 11.5-include 11.5-urn 11.5-merging
11.6-opening 11.6-own-lines 11.6-empty 11.6-unclosed
11.7-repetition 11.7-policies 11.7-dotted 11.7-kinds
11.8-comments 11.8-identifier
11.9-places 11.9-classes
12.1-top 12.1-keywords 12.1-type 12.1-counts 12.1-default 12.1-dictionary 12.1-dictionary-file 12.1-allowed
12.1-bounds 12.1-without-effect 12.1-child-definition 12.1-dotted
12.2-construction 12.2-look-up
12.3-clean 12.3-wrong-type 12.3-missing 12.3-not-an-array 12.3-too-short 12.3-too-many 12.3-disallowed
12.3-out-of-range 12.3-policies 12.3-unknown 12.3-not-loaded 12.3-recursion 12.3-raised 12.3-collecting
12.4-files 12.4-own-rules 12.4-nested 12.4-together
defect-39 defect-40 defect-41 defect-42 defect-43 defect-44 defect-45 defect-46 defect-47 defect-48
defect-49 defect-50 defect-51 defect-52 defect-53 defect-54 defect-55 defect-56 defect-57 defect-58
""".split()
"""Every rule there is: section of the DC3b contract and a word, or the number of a defect not to repeat."""


@dataclass(frozen=True)
class Case:
    """One text and what has to come of it; ``expectation`` is its entry in ``rule.json``."""

    rule: str
    path: Path
    expectation: dict[str, Any]

    @property
    def is_good(self) -> bool:
        return self.path.name.startswith("good-")

    @property
    def id(self) -> str:
        return f"{self.rule}/{self.path.name}"


@dataclass(frozen=True)
class Rule:
    """A rule in one sentence, its cases, and tests elsewhere that hold what no text can show."""

    name: str
    says: str
    cases: list[Case]
    tests: list[str] = field(default_factory=list)
    no_good: str = ""
    no_bad: str = ""


def read_rule(name: str) -> Rule:
    """The rule of that name, from its folder."""
    folder = CASES / name
    data = json.loads((folder / "rule.json").read_text(encoding="ascii"))
    cases = [Case(name, folder / file, expectation) for file, expectation in data.pop("cases").items()]
    return Rule(name, data.pop("says"), cases, **data)


def all_rules() -> list[Rule]:
    """All rules, in the order of the contract."""
    return [read_rule(name) for name in RULES]
