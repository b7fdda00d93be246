# SPDX-License-Identifier: BSD-3-Clause
"""NpzStorage: several arrays, and objects made of them, in NumPy's archives."""

from __future__ import annotations

import os
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from harness.storage.atomic import atomic_file
from harness.storage.interface import ReadRequest
from harness.storage.npy import read_npy, write_npy
from harness.storage.parts import NOTES, parts_of, read_parts
from harness.storage.pieces import open_to_read

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

__all__ = ["NpzStorage"]

_SUFFIX = ".npy"


class NpzStorage:
    """Reads and writes ``.npz`` archives, which `numpy.load` reads too.

    It makes and takes numpy.ndarray, `harness.storage.image.Image`, astropy's CCDData and Quantity, and
    dicts of arrays. Headers and units lie in a member ``harness.json``. Every member has a checksum, which is
    verified. Members are written without compression; compressed ones are read.
    """

    def prepare(self) -> None:
        """Import NumPy's format module."""
        import numpy.lib.format  # noqa: F401

    def read(self, path: str, request: ReadRequest) -> Any:
        """The object in an archive; see `harness.storage.interface.Storage`."""
        with open_to_read(path, request) as stream:
            if not os.fstat(stream.fileno()).st_size:
                raise request.error(path, "the file is empty")
            try:
                with zipfile.ZipFile(stream) as archive:
                    return self._read(archive, path, request)
            except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError) as error:
                raise request.error(path, f"the archive is truncated or damaged: {error}") from error

    def _read(self, archive: zipfile.ZipFile, path: str, request: ReadRequest) -> Any:
        members = {info.filename: info for info in archive.infolist()}
        names = [name.removesuffix(_SUFFIX) for name in members if name.endswith(_SUFFIX)]

        def read(name: str) -> Array:
            info = members[name + _SUFFIX]
            with archive.open(info) as member:
                array = read_npy(member, path, request, info.file_size, f"member '{name}'")  # type: ignore[arg-type]
                # At the end the checksum is compared.
                member.read(1)
            return array

        notes = archive.read(NOTES).decode() if NOTES in members else ""
        return read_parts(path, request, "NpzStorage", names, read, notes)

    def write(self, path: str, obj: Any) -> None:
        """Write an object as an archive; see `harness.storage.interface.Storage`."""
        parts = parts_of(obj, "NpzStorage")
        with atomic_file(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
            for name, array in parts.arrays.items():
                # One date for all: the same content gives the same file.
                with archive.open(zipfile.ZipInfo(name + _SUFFIX), "w", force_zip64=True) as member:
                    write_npy(member, array)
            if parts.notes:
                archive.writestr(zipfile.ZipInfo(NOTES), parts.notes_text())
