# SPDX-License-Identifier: BSD-3-Clause
"""EcsvStorage and ParquetStorage: astropy's tables in text files and in columns."""

from __future__ import annotations

import io
from typing import Any

from harness.storage.atomic import atomic_file, atomic_path
from harness.storage.interface import ReadRequest
from harness.storage.kinds import is_table, require_library, wanted_class
from harness.storage.native_tables import make_native
from harness.storage.pieces import open_to_read, size_of

__all__ = ["EcsvStorage", "ParquetStorage"]

_KINDS = ("Table", "QTable")


class EcsvStorage:
    """Reads and writes astropy.table.Table as ECSV: text with types, units, descriptions and metadata.

    ECSV has no mark at its end: a file that ends between two rows is a shorter table. Ask for a checksum
    where that matters.

    Raises:
        harness.exceptions.RuntimeError: (from the constructor) astropy is not installed.
    """

    def __init__(self) -> None:
        require_library("EcsvStorage", "astropy", "fits")

    def prepare(self) -> None:
        """Import astropy's tables."""
        import astropy.table  # noqa: F401

    def read(self, path: str, request: ReadRequest) -> Any:
        """The table in a file; see `harness.storage.interface.Storage`."""
        self.prepare()
        wanted = wanted_class(request, "EcsvStorage", _KINDS, is_table)
        size_of(path, request)
        with open_to_read(path, request) as stream:
            content = stream.read()
        try:
            if not content.startswith(b"# %ECSV"):
                raise ValueError(f"it must begin with '# %ECSV', and begins with {content[:7]!r}")
            return wanted.read(io.BytesIO(content), format="ascii.ecsv")
        except Exception as error:
            raise request.error(path, f"it cannot be read as ECSV: {error}") from error

    def write(self, path: str, obj: Any) -> None:
        """Write a table; see `harness.storage.interface.Storage`."""
        text = io.StringIO()
        _table(obj, "EcsvStorage").write(text, format="ascii.ecsv")
        with atomic_file(path) as stream:
            stream.write(text.getvalue().encode())


class ParquetStorage:
    """Reads and writes astropy.table.Table as Parquet, with units and metadata as astropy keeps them.

    Raises:
        harness.exceptions.RuntimeError: (from the constructor) astropy, pandas or pyarrow is not installed.
    """

    def __init__(self) -> None:
        require_library("ParquetStorage", "astropy", "fits")
        require_library("ParquetStorage", "pandas", "parquet")
        require_library("ParquetStorage", "pyarrow", "parquet")

    def prepare(self) -> None:
        """Import astropy's tables and pyarrow."""
        import pyarrow.parquet  # noqa: F401

    def read(self, path: str, request: ReadRequest) -> Any:
        """The table in a file; see `harness.storage.interface.Storage`."""
        self.prepare()
        wanted = wanted_class(request, "ParquetStorage", _KINDS, is_table)
        size_of(path, request)
        try:
            table = wanted.read(path, format="parquet")
        except Exception as error:
            raise request.error(path, f"it cannot be read as Parquet: {error}") from error
        return make_native(table)

    def write(self, path: str, obj: Any) -> None:
        """Write a table; see `harness.storage.interface.Storage`."""
        table = _table(obj, "ParquetStorage")
        with atomic_path(path) as temporary:
            table.write(temporary, format="parquet")


def _table(obj: Any, storage: str) -> Any:
    if is_table(type(obj)):
        return obj
    raise TypeError(
        f"{storage} cannot write {type(obj).__module__}.{type(obj).__qualname__}; it writes"
        " astropy.table.Table and QTable"
    )
