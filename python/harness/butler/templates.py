# SPDX-License-Identifier: BSD-3-Clause
"""Path templates of dataset types, which work both ways: from ids to a path, and from files to ids."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import harness.exceptions as pex
from harness.locations import SUBSTITUTION, formatted
from harness.name_patterns import Field, NamePattern

__all__ = ["PathTemplate"]

_FORMAT = re.compile(r"(?P<flags>[-+ #0]*)(?P<width>\d*)(?:\.\d+)?[hlLqjzt]*(?P<kind>[A-Za-z]?)")
_BASES = {"d": 10, "i": 10, "u": 10, "x": 16, "X": 16, "o": 8}


class PathTemplate:
    """A template such as ``raw/v%06d(visit)/%(filter)-c%02d(ccd).fits``; its names are ids of a dataset.

    Args:
        template: relative to a root; the syntax is that of `harness.locations.LogicalLocation`.
        types: types of ids (`int`, `float` or `str`) whose format does not say it: those with an empty format
            are text otherwise.

    Raises:
        harness.exceptions.InvalidParameterError: it is absolute, leads out of the root, or has a format that
            is not one of integers, decimal numbers and text.
    """

    def __init__(self, template: str, types: Mapping[str, type] | None = None) -> None:
        self.template = template
        self._types = dict(types or {})
        self._levels = template.split("/")
        if any(level in ("", ".", "..") for level in self._levels):
            raise pex.InvalidParameterError(
                f"template '{template}': expected a path relative to the mapper's root, such as"
                " raw/v%06d(visit)/c%02d(ccd).fits"
            )
        self.fields: dict[str, Field] = {}
        for level in self._levels:
            for match in SUBSTITUTION.finditer(level):
                field = self._field(match)
                self.fields.setdefault(field.name, field)
        if unknown := sorted(self._types.keys() - self.fields.keys()):
            raise pex.InvalidParameterError(
                f"template '{template}': there is a type for id '{unknown[0]}', which the template does not"
                f" have; its ids: {', '.join(self.fields) or 'none'}"
            )

    @property
    def keys(self) -> dict[str, type]:
        """The ids and their types, in the order of the path."""
        return {name: field.kind for name, field in self.fields.items()}

    def _field(self, match: re.Match[str]) -> Field:
        name, spec = match["name"], match["format"]
        found = _FORMAT.fullmatch(spec)
        letter = "" if found is None else found["kind"]
        if found is None or (spec and not (letter in _BASES or letter in tuple("sfFeEgG") or not letter)):
            raise pex.InvalidParameterError(
                f"template '{self.template}': format %{spec} of id '{name}': expected one of integers (%06d,"
                " %x, %o), decimal numbers (%.2f, %g) or text (% alone, %s)"
            )
        if not name.isidentifier():
            raise pex.InvalidParameterError(
                f"template '{self.template}': expected a plain name for an id, saw '{name}'"
            )
        is_padded = bool(found["width"]) and "0" not in found["flags"]
        if letter in _BASES or (spec and not letter):
            digits = int(found["width"]) if found["width"] and not is_padded else 1
            return Field(name, int, digits, _BASES.get(letter, 10), is_padded)
        if letter and letter != "s":
            return Field(name, float, is_padded=is_padded)
        return Field(name, self._types.get(name, str))

    def path(self, root: str, ids: Mapping[str, Any]) -> str:
        """The path of the dataset with these ids, which must be all there are.

        Raises:
            harness.exceptions.NotFoundError: an id is missing.
            harness.exceptions.InvalidParameterError: a value does not fit its format, or would lead to
                another directory.
        """
        return os.path.join(root, *(self._filled(level, ids) for level in self._levels))

    def _filled(self, level: str, ids: Mapping[str, Any]) -> str:
        """One level of the path, or a part of one, of which all ids are known."""
        text = SUBSTITUTION.sub(lambda match: self._text(match, ids), level)
        if text in (".", ".."):
            raise pex.InvalidParameterError(
                f"template '{self.template}': with ids {dict(ids)} it would lead out of its directory"
            )
        return text

    def _text(self, match: re.Match[str], ids: Mapping[str, Any]) -> str:
        """What stands in the path for an id."""
        name = match["name"]
        if name not in ids:
            raise pex.NotFoundError(
                f"template '{self.template}': id '{name}' is missing; ids are {_in_words(ids)}"
            )
        value = ids[name]
        try:
            if isinstance(value, str) and self.fields[name].kind is not str:
                value = self.fields[name].kind(value)
            text = formatted(value, match["format"])
        except (OverflowError, TypeError, ValueError) as error:
            raise pex.InvalidParameterError(
                f"template '{self.template}': id '{name}' cannot be {ids[name]!r}: {error}"
            ) from error
        if not text or "/" in text or "\0" in text:
            raise pex.InvalidParameterError(
                f"template '{self.template}': id '{name}' is {value!r}; expected text without '/', which"
                " would lead to another directory"
            )
        return text

    def find(self, root: str, ids: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """All ids of every file below `root` whose path has the ids given, in the order of the paths.

        Directories are listed only where an id is not given.

        Raises:
            harness.exceptions.IoError: a directory cannot be read.
        """
        return self._find(root, 0, {name: value for name, value in ids.items() if name in self.fields})

    def _find(self, folder: str, depth: int, known: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if depth == len(self._levels):
            yield {name: known[name] for name in self.fields}
            return
        pattern = self._narrowed(self._levels[depth], known)
        is_last = depth == len(self._levels) - 1
        if pattern.text is not None:
            place = os.path.join(folder, pattern.text)
            # Some storages write directories.
            if os.path.exists(place) if is_last else os.path.isdir(place):
                yield from self._find(place, depth + 1, known)
            return
        for name in _listed(folder):
            found = pattern.match(name)
            place = os.path.join(folder, name)
            if found is None or name.startswith(".") or not (is_last or os.path.isdir(place)):
                continue
            yield from self._find(place, depth + 1, {**known, **found})

    def _narrowed(self, level: str, known: Mapping[str, Any]) -> NamePattern:
        """The pattern of one level, with the text of the ids that are known in their places."""
        parts: list[Any] = []
        end = 0
        for match in SUBSTITUTION.finditer(level):
            name = match["name"]
            parts.append(level[end : match.start()])
            parts.append(self._filled(match[0], known) if name in known else self._field(match))
            end = match.end()
        return NamePattern([*parts, level[end:]])


def _in_words(ids: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in ids.items()) or "none"


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise pex.IoError(f"looking for datasets in {folder}: {error.strerror}") from error
