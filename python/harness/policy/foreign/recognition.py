# SPDX-License-Identifier: BSD-3-Clause
"""Whether a text is JSON or TOML, by its first line that says something."""

from __future__ import annotations

import re

__all__ = ["recognises_json", "recognises_toml"]

_HEAD = re.compile(r"\ufeff?(?:[ \t\r\f\v]*(?:#[^\n]*)?\n)*[ \t\r\f\v]*")
_IDENTIFIER = re.compile(r"^\ufeff?[ \t\r\f\v]*#[ \t]*<\?cfg[ \t]+([^ \t?]+)[^\n]*\?>", re.MULTILINE)
_KEY = r"(?:[A-Za-z0-9_-]+|\"[^\"\n]*\"|'[^'\n]*')"
_KEYS = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_TOML = re.compile(
    rf"(?:{_KEYS}[ \t]*=|\[[ \t]*{_KEYS}[ \t]*\][ \t\r]*(?:#|$)|\[\[[ \t]*{_KEYS}[ \t]*\]\][ \t\r]*(?:#|$))",
    re.MULTILINE,
)


def recognises_json(text: str) -> bool | None:
    """Whether the text behind blank lines and comments starts with an opening brace; `None` if none is left.

    A content identifier, ``#<?cfg json policy ?>``, settles it.
    """
    head, name = _head(text)
    if name is not None:
        return name == "json"
    return None if head == len(text) else text[head] == "{"


def recognises_toml(text: str) -> bool | None:
    """Whether the text behind blank lines and comments starts with ``[table]`` or ``key =``: no PAF does.

    `None` if nothing is left; a content identifier, ``#<?cfg toml policy ?>``, settles it.
    """
    head, name = _head(text)
    if name is not None:
        return name == "toml"
    return None if head == len(text) else _TOML.match(text, head) is not None


def _head(text: str) -> tuple[int, str | None]:
    """Where the head of blank lines and comments ends, and the format that an identifier there names."""
    match = _HEAD.match(text)
    end = match.end() if match else 0
    if text.startswith("#", end):
        end = len(text)
    identifier = _IDENTIFIER.search(text, 0, end)
    return end, identifier.group(1).lower() if identifier else None
