# SPDX-License-Identifier: BSD-3-Clause
"""TOML text as events: tomllib is the authority on grammar and values."""

from __future__ import annotations

import re

from harness.policy.foreign.events import Event, Unfit, events_of
from harness.policy.foreign.places import BYTE_ORDER_MARK, Refusal, decoded, seen_at, too_deep
from harness.policy.foreign.toml_library import tomllib
from harness.policy.foreign.toml_places import toml_places

__all__ = ["read_toml"]

_POSITION = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
_KEY_TUPLE = re.compile(r"\(([^()]*)\)")
_MANY_DIGITS = re.compile(rb"[0-9_]{4000,}")
_TOKENS = re.compile(
    rb"#[^\n]*"
    rb'|"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}'
    rb"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    rb'|(?!""")"(?:[^"\\\n]|\\[^\n])*(?:"|\n)'
    rb"|(?!''')'[^'\n]*(?:'|\n)"
    rb"""|[^#"']+""",
    re.DOTALL,
)

_EXPECTED = {
    "Invalid statement": "a line such as: name = value, [table], [[table]] or # comment",
    "Invalid value": 'a number, "string", true, false, an array or an inline table',
    "Expected '=' after a key": "'=' and a value",
    "Expected newline or end of document": "the end of the line, or a comment",
    "Invalid initial character for a key": "a name of letters, digits and '_', or a quoted one",
    "Cannot overwrite a value": "each key once; several values of a parameter are an array",
    "Cannot declare": "each table once; [[name]] starts one more of several",
    "Cannot mutate immutable namespace": "all keys of an inline table inside its braces",
    "Cannot redefine namespace": "each table once; [[name]] starts one more of several",
    "Duplicate inline table key": "each key once; several values of a parameter are an array",
    "Unclosed array": "',' or a closing ]",
    "Unclosed inline table": "',' or a closing }",
    "Unescaped '\\' in a string": "an escape such as \\\\ or \\n, or a string in single quotes",
    "Illegal character": "characters that may stand here; a line end needs a string in three quotes",
}


def read_toml(data: bytes) -> list[Event]:
    """The events of a TOML document.

    Raises
    ------
    Refusal
        The text is no TOML, or holds what a policy cannot.
    """
    text = decoded(data, "TOML")
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _refusal(data, str(error)) from None
    except RecursionError:
        raise too_deep(data) from None
    except ValueError:
        # Python converts no integer of thousands of digits, and says so without a place.
        match = _MANY_DIGITS.search(data)
        if match is None:
            raise
        unfit = Unfit.integer(match.group().decode())
        raise Refusal(unfit.problem, match.start(), unfit.expected, unfit.seen, unfit.kind) from None
    return events_of(parsed, toml_places(data), data)


def _refusal(data: bytes, message: str) -> Refusal:
    match = _POSITION.fullmatch(message)
    words = match.group(1) if match else message
    if match and match.group(2):
        offset = _offset(data, int(match.group(2)), int(match.group(3)))
    else:
        offset = len(data)
        quote = _open_quote(data)
        if quote is not None:
            mark = data[quote : quote + (3 if data[quote : quote + 3] in (b'"""', b"'''") else 1)].decode()
            return Refusal(
                "this string is never closed", quote, f"a closing {mark}", "the end of the input", "EOFError"
            )
    expected = next((text for start, text in _EXPECTED.items() if words.startswith(start)), "TOML")
    # The library stops behind what it has seen before.
    seen = "" if words.startswith(("Cannot", "Duplicate")) else seen_at(data, offset)
    words = _KEY_TUPLE.sub(_dotted, words[:1].lower() + words[1:])
    return Refusal(f"this is no TOML: {words}", offset, expected, seen)


def _dotted(key_tuple: re.Match[str]) -> str:
    return '"' + ".".join(part.strip(" '\"") for part in key_tuple.group(1).rstrip(",").split(",")) + '"'


def _offset(data: bytes, line: int, column: int) -> int:
    """The byte of a line and a column; both count from 1, columns count characters."""
    start = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0
    for _ in range(line - 1):
        end = data.find(b"\n", start)
        if end < 0:
            break
        start = end + 1
    end = data.find(b"\n", start)
    text = data[start : len(data) if end < 0 else end].decode()
    return start + len(text[: column - 1].encode())


def _open_quote(data: bytes) -> int | None:
    """Where the string opens in which the text ends."""
    at = len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0
    while at < len(data):
        match = _TOKENS.match(data, at)
        if match is None:
            return at
        at = match.end()
    return None
