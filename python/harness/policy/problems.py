# SPDX-License-Identifier: BSD-3-Clause
"""What is wrong with a policy, as data: to be sorted by place, shown to people, handed to programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.policy.errors import Located

if TYPE_CHECKING:
    from harness._core import Policy

__all__ = ["ERROR", "WARNING", "Problem", "in_file_order", "place_order"]

ERROR = "error"
WARNING = "warning"

_LONGEST_LINE = 160
_LONGEST_CHAIN = 20
_END = 1 << 32
# Control characters and bytes that are no UTF-8 take one column each, as in the messages of the core.
_UNSEEN = {code: "\ufffd" for code in (*range(9), *range(10, 32), *range(127, 160), *range(0xDC80, 0xDD00))}
_PARTS = ("file", "line", "column", "source_line", "chain", "breadcrumb", "expected", "seen", "suggestion")
_SHOWN = ("file", "line", "column", "severity", "breadcrumb", "message", "expected", "seen", "suggestion",
          "hint")


class Problem(NamedTuple):
    """One thing that is wrong, with its place.

    Attributes
    ----------
    message : `str`
        What is wrong, in one sentence.
    severity : `str`
        `ERROR` or `WARNING`.
    file, line, column, source_line, chain, breadcrumb, expected, seen, suggestion
        As in `harness.policy.errors.Located`.
    hint : `str`
        What the parameter means, or what to do.
    name, bits : `str`, `int`
        Where a dictionary found it: the dotted name, and the bit of `ValidationError`.
    """

    message: str
    severity: str = ERROR
    file: str | None = None
    line: int | None = None
    column: int | None = None
    source_line: str = ""
    chain: tuple[tuple[str, int, int], ...] = ()
    breadcrumb: str = ""
    expected: str = ""
    seen: str = ""
    suggestion: str = ""
    hint: str = ""
    name: str = ""
    bits: int = 0

    @classmethod
    def from_fields(cls, message: str, fields: Mapping[str, Any], **more: Any) -> Problem:
        """A problem with those of the attributes of `Located` that a mapping has."""
        parts = {key: fields[key] for key in _PARTS if fields.get(key)}
        parts["chain"] = tuple(tuple(link) for link in fields.get("chain") or ())
        return cls(message, **{**parts, **more})

    @classmethod
    def from_error(cls, error: Located) -> Problem:
        """What a policy exception says."""
        fields = {key: getattr(error, key) for key in _PARTS}
        return cls.from_fields(error.problem or str(error), fields)

    @classmethod
    def at(cls, policy: Policy, key: str | None, message: str, *, index: int = -1, **more: Any) -> Problem:
        """A problem where a parameter of a policy stands, or where the policy opens if it has no such one."""
        known = key is not None and policy.exists(key)
        return cls.from_fields(message, policy.place(key if known else None, index) or {}, **more)

    def changed(self, **parts: Any) -> Problem:
        """The same problem with other attributes."""
        return self._replace(**parts)

    @property
    def order(self) -> tuple[Any, ...]:
        """A key that sorts by place; what has no place comes last, by its name."""
        return place_order(self._asdict(), self.name or self.breadcrumb)

    def to_json(self) -> dict[str, Any]:
        """The attributes that concern an editor, as plain values."""
        return {key: getattr(self, key) for key in _SHOWN}

    def __str__(self) -> str:
        meant = f'did you mean "{self.suggestion}"?' if self.suggestion else ""
        lines = [f"{self._spot()}{'' if self.severity == ERROR else self.severity + ': '}{self.message}"]
        if meant and self.severity != ERROR:
            # All that a console shows of a warning is its first line.
            lines[0] += f"; {meant}"
        if self.breadcrumb:
            lines.append(f"  in {self.breadcrumb}")
        if self.line is not None and self.column is not None:
            lines += _pointed(self.source_line, self.column)
        said = [f"{word} {text}" for word, text in (("expected", self.expected), ("saw", self.seen)) if text]
        if said:
            lines.append(f"  {'; '.join(said)}")
        if meant and self.severity == ERROR:
            lines.append(f"  {meant}")
        lines += [f"  {line}" for line in self.hint.splitlines()]
        way = self.chain[:_LONGEST_CHAIN]
        lines += [f"  included from {file}:{line}:{column}" for file, line, column in way]
        if len(self.chain) > _LONGEST_CHAIN:
            lines.append("  and so on")
        return "\n".join(lines)

    def _spot(self) -> str:
        if self.file is None:
            return ""
        return f"{self.file}: " if self.line is None else f"{self.file}:{self.line}:{self.column}: "


def in_file_order(problems: Iterable[Problem]) -> list[Problem]:
    """The problems sorted by place, each once."""
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.order)


def place_order(fields: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    """A key that sorts the attributes of `Located` by place.

    Included files count where they are included. What concerns a whole file, such as a missing parameter,
    comes after what stands in it.
    """
    if not fields.get("file"):
        return (1, "", (), name)
    chain = fields.get("chain") or ()
    root = chain[-1][0] if chain else fields["file"]
    way = [(line, column) for _, line, column in reversed(chain)]
    way.append((fields.get("line") or _END, fields.get("column") or 0))
    return (0, root, tuple(way), "")


def _pointed(line: str, column: int) -> list[str]:
    """The line and a caret below its column; tabs stay tabs, so that the caret lines up."""
    within = min(column - 1, len(line))
    if len(line) > _LONGEST_LINE:
        begin = max(0, within - _LONGEST_LINE // 2)
        line, within = line[begin : begin + _LONGEST_LINE], within - begin
    pad = "".join("\t" if character == "\t" else " " for character in line[:within])
    return [f"    {line.translate(_UNSEEN)}", f"    {pad}^"]
