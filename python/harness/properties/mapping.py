# SPDX-License-Identifier: BSD-3-Clause
"""The mapping protocol of property sets: top-level names as keys, get() as values."""

import builtins
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import harness.exceptions as pex
from harness.properties.values import Container

__all__ = ["MappingAccess", "MissingKeyError"]

NO_DEFAULT: Any = object()
Self = TypeVar("Self", bound="MappingAccess")


class MissingKeyError(pex.NotFoundError, KeyError):
    """An absent name in ``ps[name]``: a NotFoundError as elsewhere, a KeyError as mappings promise."""

    # KeyError would print the message in quotes.
    __str__ = builtins.Exception.__str__


class MappingAccess(Container):
    """Mix-in over exists(), get(), set(), remove() and names()."""

    def exists(self, name: str) -> bool:
        """Whether the name has values."""
        raise NotImplementedError

    def get(self, name: str, asArray: bool = False) -> Any:
        """The value or values of a name."""
        raise NotImplementedError

    def set(self, name: str, value: Any) -> None:
        """Replace the values of a name."""
        raise NotImplementedError

    def remove(self, name: str) -> None:
        """Forget a name."""
        raise NotImplementedError

    def names(self, topLevelOnly: bool = True) -> list[str]:
        """The names."""
        raise NotImplementedError

    def __getitem__(self, name: str) -> Any:
        self._require(name)
        return self.get(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.set(name, value)

    def __delitem__(self, name: str) -> None:
        self._require(name)
        self.remove(name)

    def __contains__(self, name: object) -> bool:
        return name in self.names(True)

    def __len__(self) -> int:
        return len(self.names(True))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names(True))

    def _require(self, name: str) -> None:
        if not self.exists(name):
            raise MissingKeyError(f"no property {name}; the names are {', '.join(self.names()) or 'none'}")

    def keys(self) -> list[str]:
        """The top-level names."""
        return self.names(True)

    def values(self) -> list[Any]:
        """What get() returns for each top-level name."""
        return [self.get(name) for name in self.names(True)]

    def items(self) -> list[tuple[str, Any]]:
        """Pairs of keys() and values()."""
        return [(name, self.get(name)) for name in self.names(True)]

    def update(self, other: Any = (), **properties: Any) -> None:
        """Set every name of a mapping, of a property set or of pairs, then the keyword arguments."""
        pairs = other.items() if hasattr(other, "items") else other
        for name, value in (*pairs, *properties.items()):
            self.set(name, value)

    def pop(self, name: str, default: Any = NO_DEFAULT) -> Any:
        """Remove a name and return what get() would; the default if absent, else MissingKeyError."""
        if default is not NO_DEFAULT and not self.exists(name):
            return default
        self._require(name)
        value = self.get(name)
        self.remove(name)
        return value

    def toDict(self) -> dict[str, Any]:
        """A plain dict; sub-sets become dicts, several values become a list."""
        return {name: _plain(value) for name, value in self.items()}

    @classmethod
    def from_mapping(cls: type[Self], mapping: Mapping[str, Any]) -> Self:
        """A set with the items of a mapping; nested mappings become sub-sets."""
        result = cls()
        for name, value in mapping.items():
            nested = isinstance(value, Mapping)
            result.set(name, cls.from_mapping(value) if nested else value)
        return result


def _plain(value: Any) -> Any:
    if isinstance(value, MappingAccess):
        return value.toDict()
    return [_plain(item) for item in value] if isinstance(value, list) else value
