# SPDX-License-Identifier: BSD-3-Clause
"""Selectors: SQL-92 conditions on the header of an event, as message brokers know them.

`RUNID = 'r12' AND (LEVEL > 3 OR STATUS LIKE 'fail%')`. A property that is absent makes a comparison unknown,
and what is unknown does not select. Parsing is in `selector_grammar`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.events.errors import SelectorError
from harness.events.selector_grammar import Test, parse

__all__ = ["Selector"]

MAX_LENGTH = 4096


class Selector:
    """A parsed selector; the empty text selects everything. Raises `SelectorError` with the column."""

    def __init__(self, text: str = "") -> None:
        if not isinstance(text, str):
            raise SelectorError(f"a selector is text such as \"RUNID = 'r12'\", not {type(text).__name__}")
        if len(text) > MAX_LENGTH:
            raise SelectorError(f"a selector has at most {MAX_LENGTH} characters, saw {len(text)}")
        self.text = text
        self._test: Test | None = parse(text) if text.strip() else None

    def matches(self, header: Mapping[str, Any]) -> bool:
        """Whether the condition is true for these header properties (name: bool, int, float or str)."""
        return self._test is None or self._test(header) is True
