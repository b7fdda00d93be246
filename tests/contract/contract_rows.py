# SPDX-License-Identifier: BSD-3-Clause
"""The rows of the DC3b contract (rows.txt), and the tests that say they hold them (the marker `contract`)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROWS_FILE = Path(__file__).with_name("rows.txt")
MARKER = "pytest.mark.contract"
OPEN = "open: "


@dataclass
class Row:
    """One promise: its number (section and name), what it says, why it is open, the tests that hold it."""

    number: str
    says: str
    open_because: str = ""
    tests: list[str] = field(default_factory=list)


def sections() -> list[tuple[str, list[Row]]]:
    """Headings with their rows, and each row with its tests."""
    found: list[tuple[str, list[Row]]] = []
    for line in ROWS_FILE.read_text().splitlines():
        if line.startswith("# "):
            found.append((line[2:], []))
            continue
        number, says, *rest = line.split(" | ")
        found[-1][1].append(Row(number, says, rest[0].removeprefix(OPEN) if rest else ""))
    rows = {row.number: row for _, part in found for row in part}
    for number, test in marks():
        if number in rows:
            rows[number].tests.append(test)
    return found


def marks() -> Iterator[tuple[str, str]]:
    """Every (row, test) that a marker names, without importing a test."""
    for path in sorted(TESTS.rglob("test_*.py")):
        name = path.relative_to(TESTS).as_posix()
        tree = ast.parse(path.read_text())
        yield from _of_body(name, tree.body, _of_module(tree))


def _of_body(name: str, body: list[ast.stmt], inherited: list[str]) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            numbers = [*inherited, *_of_decorators(node.decorator_list)]
            yield from _of_body(f"{name}::{node.name}", node.body, numbers)
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            for number in dict.fromkeys([*inherited, *_of_decorators(node.decorator_list)]):
                yield number, f"{name}::{node.name}"


def _of_module(tree: ast.Module) -> list[str]:
    found: list[ast.expr] = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
            found += node.value.elts if isinstance(node.value, (ast.List, ast.Tuple)) else [node.value]
    return _of_decorators(found)


def _of_decorators(decorators: list[ast.expr]) -> list[str]:
    return [
        ast.literal_eval(argument)
        for node in decorators
        if isinstance(node, ast.Call) and ast.unparse(node.func) == MARKER
        for argument in node.args
    ]
