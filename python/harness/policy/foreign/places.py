# SPDX-License-Identifier: BSD-3-Clause
"""Where the keys and values of a text stand, and what a reader says when it refuses the text."""

from __future__ import annotations

import re

__all__ = [
    "MAX_NESTING",
    "PlacesDisagree",
    "Refusal",
    "Spot",
    "comments_end",
    "decoded",
    "deeper",
    "offset_of",
    "quoted",
    "seen_at",
    "too_deep",
]

MAX_NESTING = 200
"""Objects, tables and arrays may nest this deep. The libraries recurse: past a few hundred levels they
fail, how many depends on where they are called."""

LONGEST_SEEN = 40
LONGEST_QUOTED = 60
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# Compiled when a text is refused, or is JSON or TOML: every process of a run imports this module.
_COMMENTS = rb"(?:\xef\xbb\xbf)?(?:[ \t\r\f\v]*(?:#[^\n]*)?\n)*[ \t\r\f\v]*(?:#[^\n]*\Z)?"
_WORD = rb"[\s,:\[\]{}\"']|[^\s,:\[\]{}\"']+"
_BRACKETS = (
    rb"(?s)#[^\n]*|\"\"\".*?(?:\"\"\"|\Z)|'''.*?(?:'''|\Z)|\"(?:[^\"\\\n]|\\.)*\"?|'[^'\n]*'?|[\[\]{}]"
)
_DOTTED = rb"[\w-]+(?:\.[\w-]+){%d,}" % MAX_NESTING


class Refusal(Exception):
    """Why a text is refused: the class of harness.policy.errors to raise, and what it has to tell.

    ``offset`` counts bytes from the start of the text; `None` speaks of the text as a whole.
    """

    def __init__(
        self,
        problem: str,
        offset: int | None,
        expected: str = "",
        seen: str = "",
        kind: str = "FormatSyntaxError",
        breadcrumb: str = "",
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.offset = offset
        self.expected = expected
        self.seen = seen
        self.kind = kind
        self.breadcrumb = breadcrumb


class PlacesDisagree(Exception):
    """The places found in a text are not those of the data that the library found in it."""


class Spot:
    """The place of a value in bytes, that of its name, and the spots of what it holds.

    Elements of arrays that hold nothing, numbers for instance, are mere offsets.
    """

    __slots__ = ("below", "name", "value")

    def __init__(
        self, name: int, value: int, below: dict[str, Spot] | list[Spot | int] | None = None
    ) -> None:
        self.name = name
        self.value = value
        self.below = below


def offset_of(spot: Spot | int) -> int:
    """Where a value stands."""
    return spot if isinstance(spot, int) else spot.value


def decoded(data: bytes, name: str) -> str:
    """The text of UTF-8 bytes, without a byte order mark. ``name`` is that of the format.

    Raises
    ------
    Refusal
        The bytes are no UTF-8.
    """
    try:
        return data.removeprefix(BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as error:
        start = error.start + (len(BYTE_ORDER_MARK) if data.startswith(BYTE_ORDER_MARK) else 0)
        raise Refusal(
            f"{name} text must be UTF-8, and this byte is not",
            start,
            "text encoded as UTF-8",
            f"the byte 0x{data[start]:02x}",
        ) from None


def comments_end(data: bytes) -> int:
    """Where the blank lines and the lines of comment at the head of a text end."""
    match = re.match(_COMMENTS, data)
    return match.end() if match else 0


def seen_at(data: bytes, offset: int) -> str:
    """What stands at an offset, for messages."""
    if offset >= len(data):
        return "the end of the input"
    if data[offset : offset + 1] in b"\r\n":
        return "the end of the line"
    match = re.compile(_WORD).match(data, offset)
    word = match.group().decode(errors="replace") if match else ""
    if not word.isprintable():
        return f"the character {word[0]!r}"
    return f'"{word}"' if len(word) <= LONGEST_SEEN else f'"{word[:LONGEST_SEEN]} ..."'


def quoted(text: str) -> str:
    """A text in quotes for messages: shortened in its middle, and without halves of surrogate pairs."""
    if len(text) > LONGEST_QUOTED:
        text = f"{text[: LONGEST_QUOTED // 2]} ... {text[-LONGEST_QUOTED // 2 :]}"
    return f'"{text.encode(errors="replace").decode()}"'


def too_deep(data: bytes, start: int = 0) -> Refusal:
    """The refusal of a text that nests deeper than MAX_NESTING, at the first bracket or key that does."""
    depth = 0
    for match in re.compile(_BRACKETS).finditer(data, start):
        token = match.group()
        if token in (b"[", b"{"):
            depth += 1
            if depth > MAX_NESTING:
                return deeper(match.start())
        elif token in (b"]", b"}"):
            depth -= 1
    dotted = re.compile(_DOTTED).search(data, start)
    return deeper(dotted.start() if dotted is not None else None)


def deeper(offset: int | None) -> Refusal:
    """The refusal of what opens at that offset, below MAX_NESTING others."""
    return Refusal(
        "values nest too deep", offset, f"at most {MAX_NESTING} levels of objects, tables and arrays"
    )
