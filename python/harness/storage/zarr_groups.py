# SPDX-License-Identifier: BSD-3-Clause
"""ZarrStorage: arrays, and objects made of them, in Zarr groups, which are directories."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from harness.storage.atomic import atomic_directory
from harness.storage.interface import ReadRequest
from harness.storage.kinds import require_library
from harness.storage.parts import NOTES, parts_of, read_parts
from harness.storage.pieces import native_empty

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

__all__ = ["ZarrStorage"]

_WHOLE = "harness.all_chunks"
"""Attribute of groups whose chunks are all there: one that is missing is damage, not a chunk of zeros."""


class ZarrStorage:
    """Reads and writes Zarr groups and arrays in directories (reads formats 2 and 3, writes 3).

    It makes and takes numpy.ndarray, `harness.storage.image.Image`, astropy's CCDData and Quantity, and
    dicts of arrays; the key ``member`` names an array by its path in the group. Headers and units lie in the
    attributes of the group. Zarr decodes the chunks into an array from `harness.empty`, in native byte order.
    Chunks are written with a checksum.

    Zarr takes a chunk that is missing for one of zeros; in a group that this storage has written it is an
    error.

    Raises:
        harness.exceptions.RuntimeError: (from the constructor) zarr is not installed.
    """

    def __init__(self) -> None:
        require_library("ZarrStorage", "zarr", "zarr")

    def prepare(self) -> None:
        """Import zarr."""
        import zarr.buffer.cpu  # noqa: F401

    def read(self, path: str, request: ReadRequest) -> Any:
        """The object in a directory; see `harness.storage.interface.Storage`."""
        import zarr

        try:
            os.listdir(path)
        except OSError as error:
            raise request.error(path, error.strerror or str(error)) from error
        try:
            found = zarr.open(path, mode="r")
        except Exception as error:
            raise request.error(path, f"it is no Zarr group or array: {error}") from error
        if isinstance(found, zarr.Array):
            return read_parts(
                path, request, "ZarrStorage", ["data"], lambda _: self._array(found, path, request, False), ""
            )
        whole = bool(found.attrs.get(_WHOLE))
        arrays = {
            name: member for name, member in found.members(max_depth=None) if isinstance(member, zarr.Array)
        }
        return read_parts(
            path,
            request,
            "ZarrStorage",
            sorted(arrays),
            lambda name: self._array(arrays[name], path, request, whole),
            str(found.attrs.get(NOTES, "")),
        )

    def _array(self, found: Any, path: str, request: ReadRequest, whole: bool) -> Array:
        from zarr.buffer.cpu import NDBuffer

        name = found.path or "data"
        if found.dtype.hasobject or found.dtype.kind not in "biufcVUSmM":
            raise request.error(path, f"'{name}' holds {found.dtype}, no numbers")
        try:
            if whole and (missing := found.nchunks - found.nchunks_initialized):
                raise ValueError(f"{missing} of {found.nchunks} chunks are missing")
            array: Any = native_empty(found.shape, found.dtype)
            if array.size:
                found.get_basic_selection(Ellipsis, out=NDBuffer.from_ndarray_like(array))
        except Exception as error:
            raise request.error(path, f"array '{name}' is damaged or cannot be read: {error}") from error
        return array

    def write(self, path: str, obj: Any) -> None:
        """Write an object as a group; see `harness.storage.interface.Storage`.

        The files are composed in memory: Zarr writes several at a time, and goes on with the others when one
        has failed.
        """
        import zarr
        from zarr.codecs import ZstdCodec
        from zarr.storage import MemoryStore

        parts = parts_of(obj, "ZarrStorage")
        attributes: dict[str, Any] = {_WHOLE: True}
        if parts.notes:
            attributes[NOTES] = parts.notes_text()
        files: dict[str, Any] = {}
        group = zarr.open_group(MemoryStore(files), mode="w", attributes=attributes, zarr_format=3)
        for name, array in parts.arrays.items():
            group.create_array(
                name,
                data=array,
                compressors=ZstdCodec(level=0, checksum=True),
                config={"write_empty_chunks": True},
            )
        with atomic_directory(path) as directory:
            for name, content in files.items():
                file = os.path.join(directory, name)
                os.makedirs(os.path.dirname(file), exist_ok=True)
                with open(file, "wb") as stream:
                    stream.write(content.as_numpy_array())
