# SPDX-License-Identifier: BSD-3-Clause
"""The calls of the policy classes as data: each with the tests that hold it, as file::[class::]function."""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent.parent

CALLS: dict[str, dict[str, list[str]]] = json.loads(
    (Path(__file__).parent / "calls.json").read_text(encoding="ascii")
)
"""Class of `harness.policy` -> call or constant of section 10 or 12.2 of the DC3b contract -> tests."""


@cache
def functions(file: str) -> dict[str, str]:
    """The test functions of a file below `tests`, each with its text and decorators."""
    text = (TESTS / file).read_text(encoding="utf-8")
    lines = text.splitlines()
    found = {}

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for item in body:
            if isinstance(item, ast.ClassDef):
                collect(item.body, f"{prefix}{item.name}::")
            elif isinstance(item, ast.FunctionDef):
                first = min([item.lineno, *(decorator.lineno for decorator in item.decorator_list)])
                found[prefix + item.name] = "\n".join(lines[first - 1 : item.end_lineno])

    collect(ast.parse(text).body, "")
    return found


def text_of(test: str) -> str:
    """The text of a test. Raises `KeyError` where there is no such one."""
    file, _, function = test.partition("::")
    return functions(file)[function]
