# SPDX-License-Identifier: BSD-3-Clause
"""Patterns for names of files, with named fields whose values are read from the names that match.

A pattern is a sequence of plain text and fields. What a field may look like follows from how a value would be
written there: an integer of at least so many digits, a decimal number, or text.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

__all__ = ["ANY", "AnyText", "Field", "NamePattern", "PatternError", "patterns_in_braces"]

Value = bool | int | float | str


class PatternError(ValueError):
    """A pattern that cannot be understood; the message quotes it."""


@dataclass(frozen=True)
class Field:
    """One named field.

    Attributes:
        name: an identifier.
        kind: `str`, `int` or `float`: the type of its value.
        digits: of an integer, how many there are at least.
        base: of an integer: 8, 10 or 16.
        is_padded: whether blanks may stand before a number.
    """

    name: str
    kind: type = str
    digits: int = 1
    base: int = 10
    is_padded: bool = False

    DIGITS: ClassVar = {8: "[0-7]", 10: "[0-9]", 16: "[0-9A-Fa-f]"}

    @property
    def expression(self) -> str:
        """The regular expression of what may stand for it in the name of a file."""
        blanks = " *" if self.is_padded else ""
        if self.kind is int:
            return f"{blanks}-?{self.DIGITS[self.base]}{{{self.digits},}}"
        if self.kind is float:
            return blanks + r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
        return "[^/]+?"

    def value(self, text: str) -> Value:
        """The value that a text stands for."""
        if self.kind is int:
            return int(text, self.base)
        return float(text) if self.kind is float else text


class AnyText:
    """Text that is not looked at, perhaps none."""


ANY = AnyText()
Part = str | Field | AnyText


class NamePattern:
    """A pattern for the name of one file or directory.

    A field that comes twice must have one text in both places.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        self.parts: tuple[Part, ...] = tuple(part for part in parts if part != "")
        self.fields: dict[str, Field] = {}
        expression = ""
        for part in self.parts:
            if isinstance(part, str):
                expression += re.escape(part)
            elif isinstance(part, AnyText):
                expression += "[^/]*"
            elif part.name in self.fields:
                expression += f"(?P={part.name})"
            else:
                self.fields[part.name] = part
                expression += f"(?P<{part.name}>{part.expression})"
        self._matcher = re.compile(expression, re.DOTALL)

    @property
    def text(self) -> str | None:
        """The only name that it matches; `None` where there may be several."""
        return "".join(map(str, self.parts)) if all(isinstance(part, str) for part in self.parts) else None

    def match(self, name: str) -> dict[str, Value] | None:
        """The values of the fields in a name; `None` if the name does not match."""
        found = self._matcher.fullmatch(name)
        if found is None:
            return None
        return {key: self.fields[key].value(text) for key, text in found.groupdict().items()}


def patterns_in_braces(text: str) -> list[NamePattern]:
    """The patterns, one per directory level, of a text such as ``{night}/raw-{visit:06d}-{ccd}.fits``.

    A field is ``{name}`` (text), ``{name:d}`` or ``{name:06d}`` (an integer, of at least six digits here) or
    ``{name:f}`` (a decimal number); ``{{`` and ``}}`` are braces. ``*`` stands for any text.

    Raises:
        PatternError: a field cannot be understood, or the text is empty, absolute or leads out of its place.
    """
    levels = text.split("/")
    if any(level in ("", ".", "..") for level in levels):
        raise PatternError(
            f"pattern {text!r}: expected the name of a file, with directories before it perhaps, relative to"
            " the directory that is watched"
        )
    return [NamePattern(_parts_in_braces(level, text)) for level in levels]


_SPEC = re.compile(r"0?(?P<digits>\d*)d")


def _parts_in_braces(level: str, whole: str) -> Sequence[Part]:
    parts: list[Part] = []
    try:
        pieces = list(string.Formatter().parse(level))
    except ValueError as error:
        raise PatternError(f"pattern {whole!r}: {error}; for a brace itself write {{{{ or }}}}") from error
    for literal, name, spec, conversion in pieces:
        for number, piece in enumerate(literal.split("*")):
            parts += [ANY, piece] if number else [piece]
        if name is None:
            continue
        if not name.isidentifier() or conversion:
            raise PatternError(
                f"pattern {whole!r}: expected a field such as {{visit:d}} or {{filter}}, saw"
                f" {{{name}{'!' + conversion if conversion else ''}{':' + spec if spec else ''}}}"
            )
        parts.append(_field_in_braces(name, spec or "", whole))
    return parts


def _field_in_braces(name: str, spec: str, whole: str) -> Field:
    if spec in ("", "s"):
        return Field(name)
    if spec == "f":
        return Field(name, float)
    if found := _SPEC.fullmatch(spec):
        return Field(name, int, max(1, int(found["digits"] or 1)))
    raise PatternError(
        f"pattern {whole!r}: field {name!r} has the format {spec!r}; expected none (text), d or 06d (an"
        " integer) or f (a decimal number)"
    )
