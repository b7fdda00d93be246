# SPDX-License-Identifier: BSD-3-Clause
"""Every rule of the policy language, with texts that keep it and texts that break it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import harness.policy as hp
import pytest
from harness.policy import (
    Dictionary,
    DictionaryWarning,
    PAFWriter,
    Policy,
    PolicyFile,
    PolicyString,
    ValidationError,
)
from rule_book import CASES, RULES, Case, all_rules, read_rule

GOOD = [case for rule in all_rules() for case in rule.cases if case.is_good]
BAD = [case for rule in all_rules() for case in rule.cases if not case.is_good]


@pytest.fixture(autouse=True)
def _in_the_folder_of_the_cases(monkeypatch):
    """Messages name files as they were given: here the bare name."""
    monkeypatch.chdir(CASES)


def load(path: Path) -> Policy:
    return Policy(str(path))


def defined(case: Case) -> Dictionary:
    return Dictionary(load(case.path))


def validated(case: Case) -> Policy:
    policy = load(case.path)
    Dictionary(load(case.path.parent / case.expectation["dictionary"])).validate(policy)
    return policy


def lenient(case: Case) -> Policy:
    policy = Policy()
    policy.set("text", PolicyFile(str(case.path)))
    policy.loadPolicyFiles("", False)
    return policy.getPolicy("text")


ACTIONS = {
    "parse": lambda case: load(case.path),
    "lenient": lenient,
    "create": lambda case: Policy.createPolicy(str(case.path)),
    "define": defined,
    "validate": validated,
    "defaults": lambda case: Policy(False, defined(case)),
}


def act(case: Case) -> Policy:
    return ACTIONS[case.expectation.get("do", "parse")](case)


def plain(value: Any) -> Any:
    """Policies and files as they stand in ``rule.json``."""
    if isinstance(value, PolicyFile):
        return {"PolicyFile": value.getPath()}
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def types(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: types(inner) for name, inner in value.items()}
    return [types(inner) for inner in value] if isinstance(value, list) else type(value)


@pytest.mark.contract(
    "11.grammar", "12.dictionaries", "17.39", "17.40", "17.41", "17.42", "17.43", "17.44", "17.46", "17.47",
    "17.48", "17.50", "17.51", "17.52", "17.53", "17.54", "17.55", "17.56", "17.57", "17.58",
)  # fmt: skip
@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.id)
def test_good_text_gives_what_the_rule_says(case):
    expected = case.expectation
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = act(case)
    assert [type(each.message) for each in caught] == [DictionaryWarning] * expected.get("warnings", 0)
    if "tree" in expected:
        tree = plain(result.toDict())
        assert tree == expected["tree"]
        assert types(tree) == types(expected["tree"])
    for name, text in expected.get("text", {}).items():
        assert result.str(name) == text
    for name, end in expected.get("files", {}).items():
        assert result.getFile(name).getPath().endswith("/" + end)
    if "order" in expected:
        assert result.names() == expected["order"]
    if "defined" in expected:
        assert result.definedNames() == expected["defined"]


@pytest.mark.contract("17.43")
@pytest.mark.parametrize(
    "case", [case for case in GOOD if "do" not in case.expectation], ids=lambda case: case.id
)
def test_good_text_is_written_and_read_back(case):
    policy = load(case.path)
    writer = PAFWriter()
    writer.write(policy)
    assert Policy(PolicyString(writer.toString())) == policy


def caught_from(case: Case) -> Any:
    cls = getattr(hp, case.expectation["error"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DictionaryWarning)
        with pytest.raises(cls) as caught:
            act(case)
    assert type(caught.value) is cls
    return caught.value


@pytest.mark.contract(
    "11.grammar", "12.dictionaries", "17.39", "17.40", "17.41", "17.42", "17.50", "17.51", "17.53", "17.54",
    "17.55", "17.56", "17.57", "17.58",
)  # fmt: skip
@pytest.mark.parametrize("case", BAD, ids=lambda case: case.id)
def test_bad_text_gives_class_place_and_message(case):
    expected = case.expectation
    error = caught_from(case)
    if "line" in expected:
        assert (error.line, error.column) == (expected["line"], expected["column"])
    for key in ("problem", "expected", "seen"):
        assert expected.get(key, "") in getattr(error, key)
        assert expected.get(key, "") in str(error)
    for key in ("breadcrumb", "suggestion"):
        if key in expected:
            assert getattr(error, key) == expected[key]
    if "names" in expected:
        assert {name: error.getErrors(name) for name in error.getParamNames()} == expected["names"]
    if "file" in expected:
        assert Path(error.file).name == expected["file"]
    assert len(error.chain) == expected.get("chain", len(error.chain))


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.id)
def test_message_shows_the_line_with_a_caret_under_the_place(case):
    error = caught_from(case)
    if error.line is None:
        assert error.source_line == ""
        return
    lines = str(error).splitlines()
    shown = next(i for i, line in enumerate(lines) if f"{error.file}:{error.line}:{error.column}: " in line)
    caret = next(line for line in lines[shown:] if line.strip() == "^")
    assert len(caret) == 4 + error.column
    assert caret.replace("\t", " ") == " " * (3 + error.column) + "^"


@pytest.mark.parametrize("name", RULES)
def test_rule_has_good_and_bad_texts_or_says_why_not(name):
    rule = read_rule(name)
    has_good, has_bad = ({case.is_good for case in rule.cases} >= {kind} for kind in (True, False))
    assert has_good != bool(rule.no_good)
    assert has_bad != bool(rule.no_bad)
    assert rule.says.endswith(".")


def test_every_folder_is_a_rule_and_every_file_is_used():
    assert sorted(path.name for path in CASES.iterdir()) == sorted(RULES)
    for rule in all_rules():
        named = {case.path.name for case in rule.cases}
        for path in (CASES / rule.name).iterdir():
            assert path.name in named or not path.name.startswith(("good-", "bad-")), path


@pytest.mark.contract("11.grammar")
def test_sections_and_defects_are_all_there():
    sections = {name.partition("-")[0] for name in RULES if not name.startswith("defect")}
    assert sections == {f"11.{i}" for i in range(1, 10)} | {f"12.{i}" for i in range(1, 5)}
    assert {name for name in RULES if name.startswith("defect")} == {f"defect-{i}" for i in range(39, 59)}


@pytest.mark.parametrize("rule", [rule for rule in all_rules() if rule.tests], ids=lambda rule: rule.name)
def test_tests_named_by_a_rule_exist(rule):
    root = CASES.parents[2]
    for test in rule.tests:
        file, *names = test.split("::")
        source = (root / file).read_text(encoding="utf-8")
        for name in names:
            assert f"def {name}(" in source or f"class {name}" in source, test


@pytest.mark.contract("12.dictionaries")
def test_validation_error_can_be_collected_for_every_bad_policy():
    for case in BAD:
        if case.expectation["error"] != "ValidationError" or case.expectation["do"] != "validate":
            continue
        errors = ValidationError("collecting")
        Dictionary(load(case.path.parent / case.expectation["dictionary"])).validate(load(case.path), errors)
        assert {name: errors.getErrors(name) for name in errors.getParamNames()} == case.expectation["names"]
