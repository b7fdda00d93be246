# SPDX-License-Identifier: BSD-3-Clause
"""The exception that collects what is wrong with a policy in the eyes of its dictionary."""

from __future__ import annotations

import builtins
from typing import Any, overload

import harness.exceptions as pex
from harness._core import _validation_message
from harness.policy.errors import Located
from harness.policy.problems import Problem, in_file_order, place_order

__all__ = ["ValidationError"]


class ValidationError(Located, pex.LogicError, builtins.ValueError):
    """All violations of a dictionary, as OR-ed bits by full dotted parameter name.

    Raised with everything that was found, or made empty, ``ValidationError(message)`` or
    ``ValidationError(file, line, function)``, and handed to validate() or mergeDefaults() to collect.
    The attributes of `Located` speak of the violation that stands first in its file.
    """

    OK = 0
    WRONG_TYPE = 1
    MISSING_REQUIRED = 2
    NOT_AN_ARRAY = 4
    ARRAY_TOO_SHORT = 8
    TOO_FEW_VALUES = 14
    TOO_MANY_VALUES = 16
    WRONG_OCCURRENCE_COUNT = 30
    VALUE_DISALLOWED = 32
    VALUE_OUT_OF_RANGE = 64
    BAD_VALUE = 96
    UNKNOWN_NAME = 128
    BAD_DEFINITION = 256
    NOT_LOADED = 512
    UNKNOWN_ERROR = 1024

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._bits: dict[str, int] = {}
        # Name, bits, message and the attributes of `Located`, in the order of addError().
        self._found: list[tuple[str, int, str, dict[str, Any]]] = []

    def addError(self, name: str, bits: int, text: str = "", fields: dict[str, Any] | None = None) -> None:
        """Add error bits to those of a parameter.

        ``text`` is the full message about them, and ``fields`` the attributes of `Located` that go with it.
        """
        self._bits[name] = self._bits.get(name, self.OK) | int(bits)
        text = text or f"{name}: {self.getErrorMessageFor(bits)}"
        fields = fields or {}
        if place_order(fields, name) < place_order(vars(self), ""):
            for key, value in fields.items():
                setattr(self, key, value)
        self._found.append((name, int(bits), text, fields))

    def problems(self) -> list[Problem]:
        """Every violation, in the order of the files; those without a place come last, by name."""
        return in_file_order(
            Problem.from_fields(fields.get("problem") or text, fields, name=name, bits=bits)
            for name, bits, text, fields in self._found
        )

    def getParamCount(self) -> int:
        """The number of parameters with errors."""
        return len(self._bits)

    def getParamNames(self) -> list[str]:
        """The full names of the parameters with errors, sorted."""
        return sorted(self._bits)

    @overload
    def getErrors(self) -> int: ...
    @overload
    def getErrors(self, name: str) -> int: ...
    def getErrors(self, name: str | None = None) -> int:
        """The bits of a parameter, OK where it has none; without a name those of all, OR-ed."""
        if name is not None:
            return self._bits.get(name, self.OK)
        combined = self.OK
        for bits in self._bits.values():
            combined |= bits
        return combined

    @staticmethod
    def getErrorMessageFor(bits: int) -> str:
        """A sentence for error bits; those of several are joined by "; "."""
        return _validation_message(int(bits))

    def describe(self, prefix: str = "") -> str:
        """One line per parameter, sorted by name, each after the prefix."""
        messages = {name: self.getErrorMessageFor(bits) for name, bits in self._bits.items()}
        return "".join(f"{prefix}{name}: {messages[name]}\n" for name in self.getParamNames())

    def what(self) -> str:
        """The whole message: every violation with its place, in the order of the files."""
        return str(self)

    def __str__(self) -> str:
        heading = str(self.args[0]) if len(self.args) == 1 else "the policy breaks its dictionary"
        count = self.getParamCount()
        if count:
            heading += f" in {count} parameter{'' if count == 1 else 's'}"
        found = sorted(self._found, key=lambda issue: place_order(issue[3], issue[0]))
        return "\n".join([heading, *(text for _, _, text, _ in found)])

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "_bits": self._bits, "_found": self._found}
