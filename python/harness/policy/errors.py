# SPDX-License-Identifier: BSD-3-Clause
"""The exceptions of policies: each knows the place it speaks of, and each is a Python built-in's cousin.

Several classes share their name with a builtin, because that is what stage authors import. Inside
this module a bare name means the class defined here; builtins are written ``builtins.<Name>``.
"""

from __future__ import annotations

import builtins
from typing import Any

import harness.exceptions as pex

__all__ = [
    "BadNameError",
    "DictionaryError",
    "DictionaryWarning",
    "EOFError",
    "FormatSyntaxError",
    "InvalidParameterError",
    "IoError",
    "Located",
    "LogicError",
    "NameNotFound",
    "NotFoundError",
    "ParserError",
    "RuntimeError",
    "SyntaxError",
    "TypeError",
    "UnsupportedSyntax",
]

_PLACE = ("file", "line", "column", "source_line", "chain", "breadcrumb")
_FIELDS = ("problem", *_PLACE, "expected", "seen", "suggestion")


class Located(pex.Exception):
    """An exception that says where in a policy file something is wrong.

    ``str()`` has everything, for people; the attributes have the parts, for programs.

    Attributes
    ----------
    problem : `str`
        What is wrong, in one sentence.
    file : `str` or `None`
        The file, or "<string>"; `None` where the policy was not read from text.
    line, column : `int` or `None`
        The place in it; both count from 1, columns count characters.
    source_line : `str`
        The line.
    chain : `list` of (`str`, `int`, `int`)
        The includes that led to the file: file, line and column of each, innermost first.
    breadcrumb : `str`
        Where in the policy, such as ``appStage[2].stagePolicy``; subscripts count from 0.
    expected, seen : `str`
        What would have been right, and what was there.
    suggestion : `str`
        A valid name close to an unknown one.
    """

    problem: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None
    source_line: str = ""
    chain: tuple[tuple[str, int, int], ...] | list[tuple[str, int, int]] = ()
    breadcrumb: str = ""
    expected: str = ""
    seen: str = ""
    suggestion: str = ""

    # KeyError, OSError and SyntaxError would each show the message in a way of their own.
    def __str__(self) -> str:
        return builtins.Exception.__str__(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self._state())

    def _state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*_FIELDS, "errno", "filename") if hasattr(self, name)}


def _restore(cls: type[Located], args: tuple[Any, ...], state: dict[str, Any]) -> Located:
    error = cls(*args)
    for name, value in state.items():
        setattr(error, name, value)
    return error


class NameNotFound(Located, pex.NotFoundError, builtins.KeyError):
    """There is no such parameter."""


class TypeError(Located, pex.DomainError, builtins.TypeError):
    """A parameter has another type than asked for, or a value has a type no policy can hold."""


class BadNameError(Located, pex.RuntimeError, builtins.ValueError):
    """An illegal parameter name, a malformed URN, an unknown type name."""


class DictionaryError(Located, pex.DomainError, builtins.ValueError):
    """A dictionary is malformed, or there is none where one is needed."""


class DictionaryWarning(UserWarning):
    """A definition has no effect although its author expects one."""


class ParserError(Located, pex.RuntimeError, builtins.ValueError):
    """Text cannot be parsed."""


class EOFError(ParserError, builtins.EOFError):
    """The text ends inside a quoted string."""


class SyntaxError(ParserError, builtins.SyntaxError):
    """The text breaks a rule of its format."""


class FormatSyntaxError(SyntaxError):
    """The text is no PAF."""


class UnsupportedSyntax(SyntaxError):
    """A number is outside the range of its type: 32 bits for an int, 64 for a double."""


class IoError(Located, pex.IoError):
    """A file cannot be read or written; ``errno`` and ``filename`` are set."""


class NotFoundError(Located, pex.NotFoundError):
    """The directory of a product cannot be found."""


class InvalidParameterError(Located, pex.InvalidParameterError, builtins.ValueError):
    """A name stands below something that is no policy, or a policy would hold itself."""


class LogicError(Located, pex.LogicError):
    """The call makes no sense in the present state."""


class RuntimeError(Located, pex.RuntimeError):
    """The operation failed for a reason that has no class of its own."""
