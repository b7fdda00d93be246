# SPDX-License-Identifier: BSD-3-Clause
"""Persistence and StorageList: reading and writing objects by a list of storages, as scripts of DC3b did."""

from __future__ import annotations

from typing import Any

import harness.exceptions as pex
from harness.butler.assembling import read_object
from harness.locations import LogicalLocation
from harness.storage import storage_named

__all__ = ["OpenStorage", "Persistence", "StorageList"]


class OpenStorage:
    """A storage with the location that it is used for; made by `Persistence`."""

    def __init__(self, name: str, location: LogicalLocation, is_output: bool) -> None:
        self.name = name
        self.path = location.locString()
        self.is_output = is_output


class StorageList(list[OpenStorage]):
    """The storages of one object, in order; filled with `append`."""


class Persistence:
    """Reads and writes objects by the storages of the harness.

    Args:
        policy: configuration of then; accepted, and nothing in it has an effect.
    """

    def __init__(self, policy: Any = None) -> None:
        self.policy = policy

    @classmethod
    def getPersistence(cls, policy: Any = None) -> Persistence:
        """A Persistence."""
        return cls(policy)

    def getPersistStorage(self, storageType: str, location: LogicalLocation) -> OpenStorage:
        """The storage for writing to a location.

        Raises:
            harness.exceptions.NotFoundError: there is no such storage.
        """
        return self._storage(storageType, location, True)

    def getRetrieveStorage(self, storageType: str, location: LogicalLocation) -> OpenStorage:
        """The storage for reading from a location.

        Raises:
            harness.exceptions.NotFoundError: there is no such storage.
        """
        return self._storage(storageType, location, False)

    def _storage(self, name: str, location: LogicalLocation, is_output: bool) -> OpenStorage:
        if not isinstance(location, LogicalLocation):
            raise TypeError(f"{name}: expected a LogicalLocation, saw {location!r:.80}")
        storage_named(name)
        return OpenStorage(name, location, is_output)

    def persist(self, persistable: Any, storageList: StorageList, additionalData: Any = None) -> None:
        """Writes an object to all storages of the list, in order.

        Raises:
            harness.exceptions.IoError: a file cannot be written.
            harness.exceptions.InvalidParameterError: the list is empty, or has a storage for reading.
            TypeError, ValueError: a storage cannot hold the object.
        """
        for one in self._checked(storageList, True):
            storage_named(one.name).write(one.path, persistable)

    def retrieve(self, persistableType: str, storageList: StorageList, additionalData: Any = None) -> Any:
        """Reads an object from the storages of the list.

        Args:
            persistableType: dotted name of its class; empty for the storage's own kind.
            storageList: where it lies.
            additionalData: accepted; the locations are filled in already.

        Raises:
            harness.exceptions.IoError: a file is missing, damaged or unreadable.
            harness.exceptions.InvalidParameterError: the list is empty, or has a storage for writing.
            TypeError: the class cannot be made.
        """
        sources = [(one.name, one.path, None, "") for one in self._checked(storageList, False)]
        return read_object(persistableType or "object", persistableType, sources)

    unsafeRetrieve = retrieve

    def _checked(self, storages: StorageList, is_output: bool) -> StorageList:
        need = "getPersistStorage" if is_output else "getRetrieveStorage"
        if not storages or any(one.is_output is not is_output for one in storages):
            raise pex.InvalidParameterError(
                f"expected a StorageList of one or more storages from {need}(), saw"
                f" {[(one.name, one.path) for one in storages]}"
            )
        return storages
