# SPDX-License-Identifier: BSD-3-Clause
"""LogicalLocation: path templates such as ``%(input)/v%06d(visit).fits``, filled in from properties."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from harness.properties import PropertySet

__all__ = ["SUBSTITUTION", "LogicalLocation", "formatted"]

SUBSTITUTION = re.compile(r"%(?P<format>[-+ #0]*\d*(?:\.\d+)?[A-Za-z]*)\((?P<name>[\w.]+)\)")
"""%, a printf format that may be empty, and a name in parentheses. Any other % is plain text."""
_LENGTH_MODIFIER = re.compile(r"(?:hh|ll|[hlLqjzt])(?=[A-Za-z]\Z)")


class LogicalLocation:
    """A location template with its substitutions made.

    ``%<format>(name)`` is replaced by the value of `name`: from the location map, else from the
    additional data. Strings go in verbatim; numbers are formatted with the printf format, or in
    decimal without one. What a substitution yields is not expanded again.

    Args:
        template: the location, such as ``%(input)/%(filt)/v%06d(visit).fits``.
        additionalData: PropertySet or dict with values for this location, or None.

    Raises:
        TypeError: the template is not a string.
        harness.exceptions.RuntimeError: (a RuntimeError) a name is in neither place, its value is
            not a scalar, or the format does not fit the value.
    """

    _map: ClassVar[dict[str, Any]] = {}

    def __init__(self, template: str, additionalData: PropertySet | Mapping[str, Any] | None = None) -> None:
        if not isinstance(template, str):
            raise TypeError(
                "a location is a string such as '%(input)/v%06d(visit).fits',"
                f" not {type(template).__name__}: {template!r}"
            )
        if not (
            additionalData is None or isinstance(additionalData, Mapping) or hasattr(additionalData, "exists")
        ):
            raise TypeError(
                f"location '{template}': the additional data must be a PropertySet, a dict or None,"
                f" not {type(additionalData).__name__}"
            )
        self._template = template
        self._location = SUBSTITUTION.sub(lambda match: self._expand(match, additionalData), template)

    @classmethod
    def setLocationMap(cls, locationMap: PropertySet | Mapping[str, Any] | None) -> None:
        """Set the process-wide values that every template may use; copied, None clears them.

        Raises:
            TypeError: it is neither a property set nor a dict.
        """
        LogicalLocation._map = _flat(locationMap, "the location map")

    def locString(self) -> str:
        """The location with every substitution made."""
        return self._location

    def __str__(self) -> str:
        return self._location

    def __repr__(self) -> str:
        return f"<LogicalLocation {self._location!r} from {self._template!r}>"

    def _expand(self, match: re.Match[str], additionalData: Any) -> str:
        name = match["name"]
        value = LogicalLocation._map.get(name)
        if value is None:
            value = _lookup(additionalData, name)
        if value is None:
            raise self._error(
                f"unknown substitution '{name}'",
                f"it is neither in the location map ({_names(LogicalLocation._map)})"
                f" nor in the additional data ({_names(_flat(additionalData, 'the additional data'))})",
            )
        if isinstance(value, (list, tuple)) and value:
            value = value[-1]
        try:
            return formatted(value, match["format"])
        except (OverflowError, TypeError, ValueError) as error:
            raise self._error(f"cannot insert '{name}' as '{match[0]}'", str(error)) from error

    def _error(self, what: str, why: str) -> Exception:
        from harness.exceptions import RuntimeError as LsstRuntimeError

        return LsstRuntimeError(f"location '{self._template}': {what}: {why}")


def formatted(value: Any, spec: str) -> str:
    """A value as a substitution inserts it: strings verbatim, numbers by the printf format.

    Raises:
        TypeError: the value is no string, number, bool or DateTime.
        OverflowError, ValueError: the format does not fit it.
    """
    if isinstance(value, str):
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if not isinstance(value, (bool, int, float)):
        from harness.properties import DateTime

        if isinstance(value, DateTime):
            return value.toString()
        raise TypeError(
            f"its value must be a string, a number, a bool or a DateTime, not {type(value).__name__}"
        )
    if not spec:
        return str(value)
    spec = _LENGTH_MODIFIER.sub("", spec)
    if not spec[-1].isalpha():
        spec += "g" if isinstance(value, float) else "d"
    # Python's own % would cut the fraction off without a word.
    if spec[-1] in "diu" and isinstance(value, float) and not value.is_integer():
        raise ValueError(f"%{spec} is for integers, and the value is {value!r}")
    return f"%{spec}" % value


def _lookup(data: PropertySet | Mapping[str, Any] | None, name: str) -> Any:
    if data is None:
        return None
    if isinstance(data, Mapping):
        return data.get(name)
    return data.get(name) if data.exists(name) else None


def _flat(data: PropertySet | Mapping[str, Any] | None, what: str) -> dict[str, Any]:
    """Copy of the values by dotted name."""
    if data is None:
        return {}
    if isinstance(data, Mapping):
        return dict(data)
    if not hasattr(data, "paramNames"):
        raise TypeError(f"{what} must be a PropertySet, a dict or None, not {type(data).__name__}: {data!r}")
    return {name: data.get(name) for name in data.paramNames(False)}


def _names(data: Mapping[str, Any]) -> str:
    return ", ".join(sorted(map(str, data))) or "empty"
