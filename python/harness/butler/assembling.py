# SPDX-License-Identifier: BSD-3-Clause
"""Reading an object that lies in one file, or in several that its class puts together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.stage import find_class
from harness.storage import ReadRequest, storage_named

__all__ = ["Source", "read_object"]

Source = tuple[str, str, "int | str | None", str]
"""Name of a storage, path, the extension for FITS, the member for files that hold several arrays."""


def read_object(what: str, python_type: str, sources: Sequence[Source]) -> Any:
    """The object that lies in `sources`; several are read in order and given to ``swigConvert`` of its class.

    Raises:
        harness.exceptions.IoError: a file is missing, damaged or unreadable.
        TypeError: the class cannot be made, or not from several parts.
    """
    if len(sources) == 1:
        storage, path, hdu, member = sources[0]
        return storage_named(storage).read(path, ReadRequest(what, python_type, hdu, member))
    convert = getattr(find_class(python_type), "swigConvert", None) if python_type else None
    if convert is None:
        raise TypeError(
            f"{what} comes from {len(sources)} storages, and {python_type or 'a class without a name'} has no"
            " static swigConvert(parts) to assemble it from a list"
        )
    return convert([
        storage_named(storage).read(path, ReadRequest(what, "", hdu, member))
        for storage, path, hdu, member in sources
    ])  # fmt: skip
