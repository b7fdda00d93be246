# SPDX-License-Identifier: BSD-3-Clause
"""Policies as JSON and as TOML text that reads back to an equal policy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from harness._core import DefaultPolicyFile, Policy, PolicyFile, UrnPolicyFile
from harness.policy import errors
from harness.policy.foreign.names import NAME
from harness.policy.foreign.places import MAX_NESTING

__all__ = ["to_json", "to_toml"]


def to_json(policy: Policy) -> str:
    """The policy as a JSON object of indented lines, parameters in their order, with a line feed at the end.

    Reading the text gives an equal policy: bool, int, double and string keep their types, several values
    are an array, sub-policies are objects, unresolved files are strings ``"@path"``. An attached dictionary
    is not written.

    Raises
    ------
    harness.policy.RuntimeError
        JSON cannot hold a value: a string that starts with ``@`` (it would be an include), infinity, NaN,
        bytes that are no UTF-8, a name of other characters than letters, digits and ``_``, more than 200
        levels.
    """
    import json

    return json.dumps(_Plain("JSON").table_of(policy), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_toml(policy: Policy) -> str:
    """The policy as a TOML document.

    Reading the text gives an equal policy, as for `to_json`. TOML has plain values before tables, so within a
    policy the names of sub-policies come last.

    Raises
    ------
    harness.policy.RuntimeError
        TOML cannot hold a value: what `to_json` refuses, but for infinity and NaN.
    """
    import tomli_w

    return tomli_w.dumps(_Plain("TOML").table_of(policy), indent=2)


class _Pending(NamedTuple):
    policy: Policy
    table: dict[str, Any]
    path: str
    depth: int


class _Plain:
    """Turns a policy into dicts, lists and plain values, with a list of its own in place of recursion."""

    def __init__(self, format_name: str) -> None:
        self._format = format_name
        self._pending: list[_Pending] = []

    def table_of(self, policy: Policy) -> dict[str, Any]:
        root: dict[str, Any] = {}
        self._pending.append(_Pending(policy, root, "", 1))
        while self._pending:
            block = self._pending.pop()
            if block.depth > MAX_NESTING:
                self._refuse("policies so deep", block.path, f"at most {MAX_NESTING} levels", "more")
            for name in block.policy.names(True):
                path = f"{block.path}.{name}" if block.path else name
                if not NAME.fullmatch(name):
                    self._refuse("this name", path, "letters, digits and '_'", repr(name))
                block.table[name] = self._values(block, name, path)
        return root

    def _values(self, block: _Pending, name: str, path: str) -> Any:
        values = block.policy.getArray(name)
        convert: Callable[[Any, str], Any] = self._plain
        if block.policy.isPolicy(name):

            def convert(element: Policy, where: str) -> dict[str, Any]:
                table: dict[str, Any] = {}
                self._pending.append(_Pending(element, table, where, block.depth + 1))
                return table

        elif block.policy.isFile(name):
            convert = self._include
        if len(values) == 1:
            return convert(values[0], path)
        return [convert(value, f"{path}[{i}]") for i, value in enumerate(values)]

    def _plain(self, value: Any, path: str) -> Any:
        if isinstance(value, str):
            if value.startswith("@"):
                self._refuse(
                    "a string that starts with '@'", path, "other strings: these are includes", repr(value)
                )
            self._require_utf8(value, path)
        elif isinstance(value, float) and self._format == "JSON" and not math.isfinite(value):
            self._refuse("a double that is no number", path, "finite doubles", repr(value))
        return value

    def _include(self, file: PolicyFile, path: str) -> str:
        reference = file.reference()
        is_product_file = isinstance(file, (DefaultPolicyFile, UrnPolicyFile))
        misread = UrnPolicyFile.looksLikeUrn(reference) != is_product_file
        if misread or not reference or reference.strip(" \t") != reference:
            expected = "a path that is no URN, without blanks at its ends"
            self._refuse("this file reference", path, expected, repr(reference))
        self._require_utf8(reference, path)
        return f"@{reference}"

    def _require_utf8(self, text: str, path: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            self._refuse("bytes that are no UTF-8", path, "text", repr(text))

    def _refuse(self, what: str, path: str, expected: str, seen: str) -> NoReturn:
        problem = f"{self._format} cannot hold {what}"
        shown = seen if len(seen) <= 60 else f"{seen[:30]} ... {seen[-25:]}"
        where = path if len(path) <= 200 else f"{path[:100]} ... {path[-100:]}"
        error = errors.RuntimeError(f"{problem}\n  in {where}\n  expected {expected}; saw {shown}")
        error.problem, error.breadcrumb, error.expected, error.seen = problem, path, expected, shown
        raise error
