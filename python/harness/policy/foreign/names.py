# SPDX-License-Identifier: BSD-3-Clause
"""The names of parameters in a table: legal, and said once."""

from __future__ import annotations

import re

from harness.policy.foreign.places import MAX_NESTING, Refusal, deeper, quoted

__all__ = ["NAME", "TableNames"]

NAME = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")


class TableNames:
    """The names of one table, so that dotted ones do not say again what others say."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._taken: dict[str, int] = {}
        self._prefixes: dict[str, int] = {}

    def take(self, name: str, offset: int) -> None:
        """Add a name that stands at an offset.

        Raises
        ------
        Refusal
            It is illegal, or gives values that another one gives, too.
        """
        if name.isidentifier() and name.isascii() and name not in self._prefixes and name not in self._taken:
            # Such as most are: one field.
            self._taken[name] = offset
            return
        if not NAME.fullmatch(name):
            raise Refusal(
                f"{quoted(name)} is no name of a parameter",
                offset,
                "letters, digits and '_'; single dots between fields make a hierarchical name",
                quoted(name),
            )
        if name.count(".") >= MAX_NESTING:
            raise deeper(offset)
        self._refuse_overlap(name, name, self._prefixes, offset)
        dot = name.find(".")
        while dot >= 0:
            prefix = name[:dot]
            self._refuse_overlap(name, prefix, self._taken, offset)
            self._prefixes.setdefault(prefix, offset)
            dot = name.find(".", dot + 1)
        self._taken[name] = offset

    def _refuse_overlap(self, name: str, part: str, known: dict[str, int], offset: int) -> None:
        if part not in known:
            return
        line = self._text.count(b"\n", 0, known[part]) + 1
        raise Refusal(
            f"{quoted(name)} gives {quoted(part)} a second time",
            offset,
            f"everything of {quoted(part)} in one place: in one table, or in dotted names",
            f"{quoted(part)} in line {line} already",
        )
