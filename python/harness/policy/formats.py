# SPDX-License-Identifier: BSD-3-Clause
"""The registry of policy formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness._core import Policy, PolicyString, _recognises_paf
from harness.policy.errors import ParserError

__all__ = ["SupportedFormats"]


@dataclass(frozen=True)
class _Format:
    recognises: Callable[[str], bool | None]
    parse: Callable[[str], Policy]


class SupportedFormats:
    """Formats by name, each with a test and a parser; a new registry knows PAF."""

    def __init__(self) -> None:
        self._formats: dict[str, _Format] = {}
        self.registerFormat("PAF", _recognises_paf, lambda text: Policy(PolicyString(text)))

    def registerFormat(
        self, name: str, recognises: Callable[[str], bool | None], parse: Callable[[str], Policy]
    ) -> None:
        """Add a format, or replace the one of that name.

        ``recognises`` tells of a text whether it is in that format, `None` where it cannot tell;
        ``parse`` makes a policy of one.
        """
        self._formats[name] = _Format(recognises, parse)

    def supports(self, name: str) -> bool:
        """Whether there is a format of that name."""
        return name in self._formats

    def size(self) -> int:
        """The number of formats."""
        return len(self._formats)

    def names(self) -> list[str]:
        """The names of the formats, in order of registration."""
        return list(self._formats)

    def recognizeType(self, line: str) -> str:
        """The first format that recognises a line or a whole text, "" where none does."""
        return next((name for name, known in self._formats.items() if known.recognises(line)), "")

    def parse(self, text: str) -> Policy:
        """The policy in a text of any registered format; an empty text is an empty policy.

        Raises
        ------
        ParserError
            No format recognises the text, or its own parser refuses it.
        """
        name = self.recognizeType(text)
        if not name:
            if _recognises_paf(text) is None:
                return Policy()
            raise ParserError(f"unknown format: none of {', '.join(self._formats)} recognises the text")
        return self._formats[name].parse(text)
