# SPDX-License-Identifier: BSD-3-Clause
"""JSON text as events: the json module is the authority on grammar and values."""

from __future__ import annotations

import json

from harness.policy.foreign.events import Event, Unfit, events_of
from harness.policy.foreign.json_places import json_places
from harness.policy.foreign.places import Refusal, comments_end, decoded, seen_at, too_deep

__all__ = ["read_json"]

MOST_DIGITS = 20
"""Integers with more are far outside 32 bits; Python refuses to convert very long ones."""

_IN_OUR_WORDS = {
    "Expecting value": (
        "a value is missing or misspelt",
        'a number, "string", true, false, an array or an object',
    ),
    "Expecting property name": ("a key is missing", 'a key in double quotes, as in "name": 1'),
    "Expecting ':' delimiter": ("no colon follows the key", "':' and a value"),
    "Expecting ',' delimiter": ("no comma follows the value", "',' or the closing bracket"),
    "Illegal trailing comma": ("a comma stands before the closing bracket", "another element, or no comma"),
    "Extra data": ("something follows the object", "the end of the input: a policy is one object"),
    "Unterminated string": ("this string is never closed", 'a closing "'),
    "Invalid control character": (
        "a string holds a line end or another control character",
        'a closing " on the same line, or an escape such as \\n or \\t',
    ),
    "Invalid \\escape": (
        "a string holds an unknown escape",
        'one of \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX',
    ),
    "Invalid \\uXXXX escape": ("a string holds a malformed escape", "\\u and four hexadecimal digits"),
}


def read_json(data: bytes) -> list[Event]:
    """The events of a JSON object.

    Blank lines and lines of comment, which start with ``#``, may come before it.

    Raises
    ------
    Refusal
        The text is no JSON, or holds what a policy cannot.
    """
    start = comments_end(data)
    decoded(data, "JSON")
    if start == len(data):
        return []
    text = data[start:].decode()
    try:
        parsed = json.loads(text, parse_int=_integer, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise _refusal(data, start + len(text[: error.pos].encode()), error.msg) from None
    except RecursionError:
        raise too_deep(data, start) from None
    root = json_places(data, start)
    if not isinstance(parsed, dict):
        raise Refusal(
            "a JSON policy is one object", root.value, "an object: { ... }", seen_at(data, root.value)
        )
    return events_of(parsed, root, data)


def _integer(digits: str) -> int | Unfit:
    if len(digits) <= MOST_DIGITS:
        return int(digits)
    return Unfit.integer(digits)


def _constant(word: str) -> Unfit:
    return Unfit(
        f"{word} is no JSON number",
        "a finite number; TOML can express nan and inf",
        f'"{word}"',
        "FormatSyntaxError",
    )


def _refusal(data: bytes, offset: int, message: str) -> Refusal:
    kind = "EOFError" if message.startswith("Unterminated string") else "FormatSyntaxError"
    seen = "the end of the input" if kind == "EOFError" else seen_at(data, offset)
    for start, (problem, expected) in _IN_OUR_WORDS.items():
        if message.startswith(start):
            return Refusal(problem, offset, expected, seen, kind)
    return Refusal(f"this is no JSON: {message}", offset, "JSON", seen, kind)
