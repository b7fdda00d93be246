# SPDX-License-Identifier: BSD-3-Clause
"""Writes docs/conformance/policy.md, every rule of the policy language, and policy_api.md, every call.

usage: python tests/policy_rules/write_document.py
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from call_book import CALLS
from rule_book import CASES, Rule, all_rules

FOLDER = CASES.parents[2] / "docs" / "conformance"
DOCUMENT = FOLDER / "policy.md"
CALLS_DOCUMENT = FOLDER / "policy_api.md"

CALLS_HEAD = """# Conformance of the Policy API

One row per call or constant of sections 10 and 12.2 of the DC3b contract, with tests that hold it. All are
names of `harness.policy` and `lsst.pex.policy`. A test looks whether each class has the calls, and whether
the tests exist and name them (`tests/policy_rules/calls.json`).

This page is made by `python tests/policy_rules/write_document.py`; a test compares it with what that writes.
"""

HEAD = """# Conformance of the policy language

One row per rule: what it says, and what holds it. Numbers are sections of the DC3b contract (11: PAF, 12:
dictionaries) or of its list of defects not to repeat. The texts are in `tests/policy_rules/cases/<rule>/`;
`rule.json` beside them says what each has to give: the tree, or the class of the exception with line, column
and parts of the message. `tests/policy_rules/test_rules.py` walks them.

This page is made by `python tests/policy_rules/write_document.py`; a test compares it with what that writes.
"""

COLUMNS = "| rule | says | good texts | bad texts | tests besides |\n|---|---|---|---|---|"

HEADINGS = {
    "11.1": "11.1 Structure",
    "11.2": "11.2 Names",
    "11.3": "11.3 Values",
    "11.4": "11.4 Quoted strings",
    "11.5": "11.5 Bare strings and includes",
    "11.6": "11.6 Sub-policies",
    "11.7": "11.7 Repetition and hierarchy",
    "11.8": "11.8 Comments",
    "11.9": "11.9 Errors",
    "12.1": "12.1 Schema of dictionaries",
    "12.2": "12.2 Dictionary and Definition",
    "12.3": "12.3 Validation",
    "12.4": "12.4 Defaults",
    "defect": "Defects of the original that do not come back",
}


def section_of(rule: Rule) -> str:
    return rule.name.partition("-")[0]


def names_of(rule: Rule, good: bool) -> str:
    names = [case.path.name.partition("-")[2] for case in rule.cases if case.is_good is good]
    reason = rule.no_good if good else rule.no_bad
    return ", ".join(f"`{name}`" for name in names) or f"none: {reason}"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def row(rule: Rule) -> str:
    tests = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in rule.tests)
    columns = (rule.name, rule.says, names_of(rule, True), names_of(rule, False), tests)
    return "| " + " | ".join(cell(column) for column in columns) + " |"


def parts() -> Iterator[str]:
    yield HEAD
    for section, rules in groupby(all_rules(), section_of):
        table = "\n".join(row(rule) for rule in rules)
        yield f"## {HEADINGS[section]}\n\n{COLUMNS}\n{table}\n"


def render() -> str:
    """The whole document."""
    return "\n".join(parts())


def render_calls() -> str:
    """The document of calls."""
    tables = [CALLS_HEAD]
    for name, calls in CALLS.items():
        cells = {call: "<br>".join(f"`{test}`" for test in tests) for call, tests in calls.items()}
        rows = [f"| `{call}` | {tests} |" for call, tests in cells.items()]
        tables.append("\n".join([f"## {name}\n", "| call | tests |\n|---|---|", *rows, ""]))
    return "\n".join(tables)


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(parents=True, exist_ok=True)
    Path(DOCUMENT).write_text(render(), encoding="utf-8")
    CALLS_DOCUMENT.write_text(render_calls(), encoding="utf-8")
    print(f"{DOCUMENT}: {len(all_rules())} rules")
    print(f"{CALLS_DOCUMENT}: {sum(map(len, CALLS.values()))} calls")
