# SPDX-License-Identifier: BSD-3-Clause
"""What every storage offers, and what it is told about the item it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from harness.exceptions import IoError

__all__ = ["ReadRequest", "Storage"]


@dataclass(frozen=True)
class ReadRequest:
    """What is wanted from a file.

    Attributes:
        item: clipboard key of the item, for messages.
        python_type: dotted name of the class of the result; empty takes the storage's own kind.
        hdu: for FITS, the extension to read: its number (0 is the primary) or its EXTNAME; None
            takes the first that fits the class.
        member: for files that hold several arrays by name (.npz, HDF5, Zarr), the one to read; empty takes
            the only one, or the one that is called ``data``.
    """

    item: str
    python_type: str = ""
    hdu: int | str | None = None
    member: str = ""

    def error(self, path: str, why: str) -> IoError:
        """The error that reading this item from `path` has failed with; `why` ends the message."""
        return IoError(f"cannot read item '{self.item}' from {path}: {why}")


class Storage(Protocol):
    """Reads and writes objects of the kinds it knows. Instances hold no state between calls.

    Several threads may call an instance's methods, and those of several instances, at the same time.
    """

    def prepare(self) -> None:
        """Do what takes long the first time, such as importing a library; called when a stage is set up."""

    def read(self, path: str, request: ReadRequest) -> Any:
        """The object in the file `path`.

        Raises:
            harness.exceptions.IoError: the file is missing, damaged or unreadable; the message
                names the item, the path and what was wrong (`ReadRequest.error` makes it).
            TypeError: the storage cannot make an object of the wanted class.
        """

    def write(self, path: str, obj: Any) -> None:
        """Write the object so that `path` holds either what it held before or the whole new file.

        Raises:
            harness.exceptions.IoError: the file cannot be written; nothing is left behind.
            TypeError: the storage does not know objects of this class.
        """
