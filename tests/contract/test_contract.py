# SPDX-License-Identifier: BSD-3-Clause
"""No row of the contract is without a test, no test names a row that is none, and the document is current."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from contract_rows import TESTS, marks, sections
from write_conformance import DOCUMENT, render

ROWS = [row for _, part in sections() for row in part]


def test_every_row_is_held_by_a_test_or_says_why_it_is_open():
    bare = [row.number for row in ROWS if not row.tests and not row.open_because]
    assert bare == [], "no test is marked with these rows of tests/contract/rows.txt"


def test_no_row_is_called_open_although_a_test_holds_it():
    assert [row.number for row in ROWS if row.tests and row.open_because] == []


def test_every_marker_names_a_row_and_every_row_is_one():
    known = Counter(row.number for row in ROWS)
    assert [number for number, count in known.items() if count > 1] == []
    assert sorted({(number, test) for number, test in marks() if number not in known}) == []


def test_every_section_of_the_contract_has_rows():
    assert {row.number.split(".")[0] for row in ROWS} == {str(section) for section in range(1, 18)}
    defects = [row.number for row in ROWS if row.number.startswith("17.")]
    assert defects == [f"17.{number}" for number in range(1, 66)]


WALKS = {
    "good-": "policy_rules/test_rules.py::test_good_text_gives_what_the_rule_says",
    "bad-": "policy_rules/test_rules.py::test_bad_text_gives_class_place_and_message",
}
"""What walks the texts of rules, by how the names of these begin."""
RULES = sorted((TESTS / "policy_rules" / "cases").glob("defect-*/rule.json"))


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.parent.name)
def test_a_defect_of_policies_names_the_texts_and_tests_that_hold_it_and_no_walk_without_a_text(path):
    rule = json.loads(path.read_text(encoding="ascii"))
    (row,) = [row for row in ROWS if row.number == path.parent.name.replace("defect-", "17.")]
    named = {test.removeprefix("tests/") for test in rule.get("tests", [])}
    assert named <= set(row.tests), "tests that the rule names have no marker"
    walks = {walk for kind, walk in WALKS.items() if any(text.startswith(kind) for text in rule["cases"])}
    assert set(row.tests) & set(WALKS.values()) <= walks, "a walk without a text of this rule is marked"
    assert set(row.tests) & (walks | named), "what holds this rule is not marked"


def test_the_document_is_current():
    written = DOCUMENT.read_text(encoding="utf-8")
    assert written == render(), "run: python tests/contract/write_conformance.py"
