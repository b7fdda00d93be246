# SPDX-License-Identifier: BSD-3-Clause
"""docs/design/faults.md has a row for every fault that was asked for, and the tests that it names exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "design" / "faults.md"
ASKED_FOR = [
    "SIGKILL of a worker.*every fault point", "SIGSEGV", "SIGABRT", "SIGBUS", r"_exit\(0\)", r"sys\.exit",
    "can't be pickled", "or printed", "BaseException", "RecursionError", "stuck in Python",
    "in C with the interpreter's lock", "`sleep`", "FIFO", "stopped by SIGSTOP",
    "revived after it was replaced", "SIGKILL of the master", "SIGKILL of the nursery",
    "SIGKILL of the whole group", "SIGINT once, twice", "SIGINT thrice", "SIGTERM", "SIGHUP",
    r"\^Z and `fg`", "core dump", "uninterruptible sleep", "memory limit by control group",
    "memory limit by RLIMIT", "EMFILE", "EAGAIN on fork", "ENOSPC", "read-only output",
    "failure stage that fails", "children, threads or pools", "clock jump",
]  # fmt: skip
NAMED = re.compile(r"`(tests/[\w/.]+)::(\w+)`")


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    """The cells of all table rows but heads and rules."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if "|---" not in line]


@pytest.mark.parametrize("fault", ASKED_FOR)
def test_every_fault_that_was_asked_for_has_a_row(rows, fault):
    assert any(re.search(fault, " ".join(row)) for row in rows)


def test_every_row_of_the_matrix_names_a_test(rows):
    matrix = [row for row in rows if len(row) == 5]
    assert len(matrix) > 40
    assert [row for row in matrix[1:] if not NAMED.search(row[4])] == []


def test_the_tests_that_the_page_names_exist():
    named = NAMED.findall(PAGE.read_text())
    assert len(named) > 60
    missing = []
    for path, name in named:
        text = (ROOT / path).read_text() if (ROOT / path).exists() else ""
        head = rf"PEX_TEST\({name}\)" if path.endswith(".cpp") else rf"^def {name}\("
        if not re.search(head, text, re.MULTILINE):
            missing.append(f"{path}::{name}")
    assert missing == []
