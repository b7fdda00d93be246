# SPDX-License-Identifier: BSD-3-Clause
"""Mappers: what turns a dataset type and ids into files, and tells which ids there are.

A mapper of one's own derives from `Mapper` and has, for a dataset type `raw`:

* ``map_raw(self, dataId, write)``, which returns a `ButlerLocation`;
* ``query_raw(self, key, format, dataId)``, if ids can be asked for: a list of tuples of the ids in `format`;
* ``std_raw(self, item, dataId)``, if what was read is to be changed before it is handed on;
* ``bypass_raw(self, location, dataId)``, if it is not read by a storage: returns the object.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import harness.exceptions as pex
from harness.locations import LogicalLocation

__all__ = ["ButlerLocation", "Mapper"]


class ButlerLocation:
    """Where a dataset lies, and what is read from there.

    Args:
        pythonType: dotted name of the class of the object; empty or None takes the storage's own kind.
        cppType: kept for mappers of then; nothing reads it.
        storageName: name of the storage, such as ``FitsStorage``.
        locationList: a location template, or a list of them, filled in with the ids; an object that is read
            from several is assembled.
        dataId: the ids.
        hdu: for FITS, the extension to read.
        member: for files that hold several arrays by name, the one to read.
        isTemplate: whether the locations are filled in; false: they are paths.
    """

    def __init__(
        self,
        pythonType: str | None,
        cppType: str | None,
        storageName: str,
        locationList: str | Sequence[str],
        dataId: Mapping[str, Any],
        hdu: int | str | None = None,
        member: str = "",
        isTemplate: bool = True,
    ) -> None:
        self.pythonType = pythonType or ""
        self.cppType = cppType
        self.storageName = storageName
        self.locationList = [locationList] if isinstance(locationList, str) else list(locationList)
        self.dataId = dict(dataId)
        self.hdu = hdu
        self.member = member
        self.isTemplate = isTemplate

    def getPythonType(self) -> str:
        """Dotted name of the class of the object."""
        return self.pythonType

    def getCppType(self) -> str | None:
        """As given."""
        return self.cppType

    def getStorageName(self) -> str:
        """Name of the storage."""
        return self.storageName

    def getLocations(self) -> list[str]:
        """The location templates."""
        return self.locationList

    def getAdditionalData(self) -> dict[str, Any]:
        """The ids, with which the templates are filled in."""
        return self.dataId

    def paths(self) -> list[str]:
        """The paths of the files.

        Raises:
            harness.exceptions.RuntimeError: a template has a name that is neither an id nor in the location
                map.
        """
        if not self.isTemplate:
            return list(self.locationList)
        return [LogicalLocation(template, self.dataId).locString() for template in self.locationList]

    def __repr__(self) -> str:
        return f"<ButlerLocation {self.storageName} {', '.join(self.locationList)}>"


class Mapper:
    """Base of mappers: finds the methods that are named after dataset types."""

    def getDatasetTypes(self) -> list[str]:
        """The dataset types that can be mapped, sorted."""
        return sorted(name.removeprefix("map_") for name in dir(self) if name.startswith("map_"))

    def keys(self) -> list[str]:
        """The ids of every dataset type."""
        return sorted({key for name in self.getDatasetTypes() for key in self.getKeys(name)})

    def getKeys(self, datasetType: str | None, level: str | None = None) -> dict[str, type]:
        """The ids of a dataset type (None: of all) and the types of their values; empty if not known."""
        return {}

    def validate(self, dataId: dict[str, Any]) -> dict[str, Any]:
        """The ids as the other methods get them; a hook for mappers that check or change them."""
        return dataId

    def map(self, datasetType: str, dataId: Mapping[str, Any], write: bool = False) -> ButlerLocation:
        """Where the dataset lies, or is to be written.

        Raises:
            harness.exceptions.NotFoundError: there is no such dataset type.
        """
        location: ButlerLocation = self._method("map_", datasetType)(self.validate(dict(dataId)), write)
        return location

    def queryMetadata(
        self, datasetType: str, key: str, format: Sequence[str], dataId: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """The ids in `format` of all datasets that have the ids in `dataId`.

        Raises:
            harness.exceptions.NotFoundError: ids of that dataset type cannot be asked for.
        """
        found: list[tuple[Any, ...]] = self._method("query_", datasetType)(
            key, tuple(format), self.validate(dict(dataId))
        )
        return found

    def canStandardize(self, datasetType: str) -> bool:
        """Whether there is a ``std_`` method for the dataset type."""
        return hasattr(self, f"std_{datasetType}")

    def standardize(self, datasetType: str, item: Any, dataId: Mapping[str, Any]) -> Any:
        """What is handed on of an object that was read."""
        return self._method("std_", datasetType)(item, dataId)

    def _method(self, prefix: str, dataset_type: str) -> Any:
        found = getattr(self, f"{prefix}{dataset_type}", None)
        if found is None:
            known = sorted(name.removeprefix(prefix) for name in dir(self) if name.startswith(prefix))
            raise unknown_type(type(self).__name__, dataset_type, known)
        return found


def unknown_type(mapper: str, dataset_type: str, known: Sequence[str]) -> pex.NotFoundError:
    """The error for a dataset type that a mapper does not have."""
    close = difflib.get_close_matches(dataset_type, known, n=1)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return pex.NotFoundError(
        f"{mapper} has no dataset type '{dataset_type}'; it has {', '.join(known) or 'none'}{hint}"
    )
