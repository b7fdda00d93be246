# SPDX-License-Identifier: BSD-3-Clause
"""Writes docs/conformance.md: every row of the DC3b contract with the tests that hold it.

usage: python tests/contract/write_conformance.py
"""

from __future__ import annotations

from contract_rows import TESTS, Row, sections

DOCUMENT = TESTS.parent / "docs" / "conformance.md"

HEAD = """# Conformance to the DC3b contract

One row per promise of the harness of 2007 to 2014, numbered by section of the contract, in our own words,
with the tests that hold it: {held} of {all} rows. {open} rows are open: what they name is not built yet, or
left out on purpose. Section 17 lists defects of the original that must not come back.

The rules of the policy language have a page of their own, [policy.md](conformance/policy.md), and so has
every call of the Policy API, [policy_api.md](conformance/policy_api.md).

A row is a line of `tests/contract/rows.txt`; a test says which rows it holds by
`@pytest.mark.contract("5.5.keys")`. This page is made by `python tests/contract/write_conformance.py`. A test
fails when a row has no test and is not marked as open, when a marker names no row, or when this page is not
current.
"""


COLUMNS = "| row | says | held by |\n|---|---|---|"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def line(row: Row) -> str:
    tests = "<br>".join(f"`{test}`" for test in row.tests)
    return f"| {row.number} | {cell(row.says)} | {tests or f'**open**: {cell(row.open_because)}'} |"


def render() -> str:
    """The whole document."""
    found = sections()
    rows = [row for _, part in found for row in part]
    held = sum(bool(row.tests) for row in rows)
    texts = [HEAD.format(all=len(rows), held=held, open=len(rows) - held)]
    for heading, part in found:
        texts.append("\n".join([f"## {heading}\n", COLUMNS, *map(line, part), ""]))
    return "\n".join(texts)


if __name__ == "__main__":
    DOCUMENT.write_text(render(), encoding="utf-8")
    print(DOCUMENT)
