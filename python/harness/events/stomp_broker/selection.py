# SPDX-License-Identifier: BSD-3-Clause
"""Which selectors a broker can be trusted with: to it all properties are text, as headers of STOMP are."""

from __future__ import annotations

import re

from harness.events.errors import SelectorError

__all__ = ["for_queue", "for_topic"]

TEXT = re.compile(r"'(?:[^']|'')*'")
NAME = r"[A-Za-z_$][A-Za-z0-9_$.]*"
# A text literal has become '.
CONDITION = re.compile(
    rf"(?i)(?:{NAME}\s*(?:=|<>)\s*'|'\s*(?:=|<>)\s*{NAME}|{NAME}\s+(?:NOT\s+)?LIKE\s*'(?:\s*ESCAPE\s*')?"
    rf"|{NAME}\s+(?:NOT\s+)?IN\s*\(\s*'(?:\s*,\s*')*\s*\)|{NAME}\s+IS\s+(?:NOT\s+)?NULL)"
)
FRAME = re.compile(r"(?i)(?:\s|[()?]|AND\b|OR\b|NOT\b)*")


def _is_of_text(selector: str) -> bool:
    """Whether a selector compares properties with texts only; numbers never equal the texts of headers."""
    conditions = CONDITION.sub(" ? ", TEXT.sub("'", selector))
    return FRAME.fullmatch(conditions) is not None


def for_topic(selector: str) -> str:
    """What the broker is told: it leaves out nothing that the selector wants; the receiver looks again."""
    return selector if _is_of_text(selector) else ""


def for_queue(selector: str) -> str:
    """What the broker is told; the rest of a queue belongs to others. Raises `SelectorError`."""
    if not _is_of_text(selector):
        raise SelectorError(
            f"selector {selector!r}: over STOMP, a message broker sees all properties as text; for a queue,"
            " expected comparisons with texts only, such as RUNID = 'r1', LIKE, IN ('a', 'b') or IS NULL"
        )
    return selector
