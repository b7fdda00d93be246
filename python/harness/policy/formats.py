# SPDX-License-Identifier: BSD-3-Clause
"""The registry of policy formats."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from harness._core import Policy, PolicyString, _recognises_paf
from harness.policy.errors import ParserError
from harness.policy.foreign.places import PlacesDisagree, Refusal

__all__ = ["Refusal", "SupportedFormats", "format_name", "read_foreign"]


class _Format(NamedTuple):
    recognises: Callable[[str], bool | None]
    parse: Callable[[str], Policy]
    extensions: tuple[str, ...] = ()
    read: Callable[[bytes], list[Any]] | None = None
    """For formats of this package: the events of a text, with places."""


class SupportedFormats:
    """Formats by name, each with a test and a parser; a new registry knows PAF.

    `default` gives the registry of the process, which knows JSON and TOML besides. What is registered
    there is read wherever a policy is read from a path, a source or an include.
    """

    def __init__(self) -> None:
        self._formats: dict[str, _Format] = {}
        self._add_paf()

    @staticmethod
    def default() -> SupportedFormats:
        """The registry that policies are read with."""
        return _DEFAULT

    def _add_paf(self) -> None:
        self.registerFormat("PAF", _recognises_paf, _parsed, (".paf",))

    def registerFormat(
        self,
        name: str,
        recognises: Callable[[str], bool | None],
        parse: Callable[[str], Policy],
        extensions: Iterable[str] = (),
    ) -> None:
        """Add a format, or replace the one of that name.

        Parameters
        ----------
        recognises
            Tells of a text whether it is in that format, `None` where it cannot tell.
        parse
            Makes a policy of a text; it raises ParserError where it cannot.
        extensions
            Ends of names of files that are in that format whatever they hold, such as ``".yaml"``.
        """
        lowered = tuple(extension.lower() for extension in extensions)
        self._formats[name] = _Format(recognises, parse, lowered)

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

    def _by_extension(self, files: Iterable[str]) -> str:
        """The format of the first file whose name tells it, "" where none does."""
        for file in files:
            extension = os.path.splitext(file)[1].lower()
            for name, known in self._formats.items():
                if extension in known.extensions:
                    return name
        return ""

    def _format_of(self, files: tuple[str, ...], data: bytes) -> str:
        """The format of a text by the names of its file, else by what it holds; "" where none fits."""
        name = self._by_extension(files)
        if name or any(file.endswith(".xml") for file in files):
            return name
        text = data.decode(errors="surrogateescape")
        return self.recognizeType(text) or ("PAF" if _recognises_paf(text) is None else "")


def _parsed(text: str) -> Policy:
    return Policy(PolicyString(text))


def _recognises_json(text: str) -> bool | None:
    # Runs whose policies are called .paf, as most are, ask nobody what a text is.
    from harness.policy.foreign.recognition import recognises_json

    return recognises_json(text)


def _recognises_toml(text: str) -> bool | None:
    from harness.policy.foreign.recognition import recognises_toml

    return recognises_toml(text)


def _read_json(data: bytes) -> list[Any]:
    from harness.policy.foreign.json_reader import read_json

    return read_json(data)


def _read_toml(data: bytes) -> list[Any]:
    from harness.policy.foreign.toml_reader import read_toml

    return read_toml(data)


def _all_formats() -> SupportedFormats:
    formats = SupportedFormats.__new__(SupportedFormats)
    # Before PAF, which takes every line that starts like a name; what these two take is never PAF.
    formats._formats = {
        "JSON": _Format(_recognises_json, _parsed, (".json",), _read_json),
        "TOML": _Format(_recognises_toml, _parsed, (".toml",), _read_toml),
    }
    formats._add_paf()
    return formats


_DEFAULT = _all_formats()


def read_foreign(files: tuple[str, ...], data: bytes) -> list[Any] | Policy | Refusal | None:
    """What the core asks about a text that is not called .paf: its events, or a policy made of it.

    `None` where it is PAF or in no format that is registered.
    """
    name = _DEFAULT._format_of(files, data)
    if name in ("", "PAF"):
        return None
    known = _DEFAULT._formats[name]
    try:
        if known.read is not None:
            return known.read(data)
        made = known.parse(data.decode(errors="surrogateescape"))
    except Refusal as refusal:
        return refusal
    except ParserError as error:
        problem = error.problem or str(error)
        return Refusal(f"{name}: {problem}", None, error.expected, error.seen, type(error).__name__)
    except PlacesDisagree:
        return Refusal(
            f"the places of this {name} text cannot be told; please report it with the text",
            None,
            kind="RuntimeError",
        )
    if not isinstance(made, Policy):
        raise TypeError(f"the parser of {name} made a {type(made).__name__}, not a Policy")
    return made


def format_name(files: tuple[str, ...], data: bytes | None) -> str | None:
    """The name of the format that a text is read as, "" where there is none.

    Without ``data``, `None` where the names do not tell.
    """
    if data is None:
        return _DEFAULT._by_extension(files) or ("" if any(file.endswith(".xml") for file in files) else None)
    return _DEFAULT._format_of(files, data)
