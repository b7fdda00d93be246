# SPDX-License-Identifier: BSD-3-Clause
"""The table of rules for people is the one the rules give."""

from rule_book import RULES
from write_document import CALLS_DOCUMENT, DOCUMENT, render, render_calls


def test_document_is_current():
    written = DOCUMENT.read_text(encoding="utf-8")
    assert written == render(), "run: python tests/policy_rules/write_document.py"


def test_document_of_calls_is_current():
    written = CALLS_DOCUMENT.read_text(encoding="utf-8")
    assert written == render_calls(), "run: python tests/policy_rules/write_document.py"


def test_document_has_a_row_for_every_rule():
    lines = [line for line in render().splitlines() if line.startswith("| ")]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in lines]
    assert [row for row in rows if row != "rule"] == RULES
