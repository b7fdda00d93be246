# SPDX-License-Identifier: BSD-3-Clause
"""No row of the contract is without a test, no test names a row that is none, and the document is current."""

from __future__ import annotations

from collections import Counter

from contract_rows import marks, sections
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


def test_the_document_is_current():
    written = DOCUMENT.read_text(encoding="utf-8")
    assert written == render(), "run: python tests/contract/write_conformance.py"
