# SPDX-License-Identifier: BSD-3-Clause
"""Reading one file of an item: its checksum, the storage, and whether it is what was expected."""

from __future__ import annotations

import os
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from harness.iostage.expectations import Expectation
from harness.iostage.items import StorageSpec
from harness.iostage.sidecars import verify_sidecar
from harness.storage import ReadRequest, storage_named

__all__ = ["Reading"]


@dataclass(frozen=True)
class Reading:
    """One file of an item, and what to make of it.

    Attributes:
        item: clipboard key of the item.
        spec: storage, extension and member; not the path.
        path: of the file.
        python_type: of the result; empty takes the storage's own kind.
        expected: what its pixels must be.
    """

    item: str
    spec: StorageSpec
    path: str
    python_type: str
    expected: Expectation

    @property
    def key(self) -> Hashable:
        """Equal for what gives equal results, wherever the process stands."""
        return self.item, self.spec, os.path.abspath(self.path), self.python_type

    def read(self) -> Any:
        """The object.

        Raises:
            harness.exceptions.IoError: the file is missing, damaged, unreadable, or not what was expected.
            TypeError: the storage cannot make an object of that class.
        """
        if self.spec.has_sidecar:
            verify_sidecar(self.item, self.path)
        request = ReadRequest(self.item, self.python_type, self.spec.hdu, self.spec.member)
        found = storage_named(self.spec.storage).read(self.path, request)
        self.expected.check(self.item, self.path, found)
        return found
