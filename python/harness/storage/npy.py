# SPDX-License-Identifier: BSD-3-Clause
"""NpyStorage: single arrays in NumPy's own files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, BinaryIO

from harness.storage.atomic import atomic_file
from harness.storage.image import Image
from harness.storage.interface import ReadRequest
from harness.storage.kinds import wanted_class
from harness.storage.pieces import bytes_of, fill, native_empty, open_to_read, to_native

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

__all__ = ["NpyStorage", "read_npy", "write_npy"]

MAGIC = b"\x93NUMPY"


class NpyStorage:
    """Reads and writes ``.npy`` files: arrays of any shape, order and type but objects; nothing is unpickled.

    It makes numpy.ndarray and, of two dimensions, `harness.storage.image.Image` without a header. The
    file's bytes go straight into an array from `harness.empty`; those of the other byte order are then
    swapped in place. It writes plain arrays: what has a header, a unit or a mask needs another storage.
    """

    def prepare(self) -> None:
        """Import NumPy's format module."""
        import numpy.lib.format  # noqa: F401

    def read(self, path: str, request: ReadRequest) -> Any:
        """The array of a file; see `harness.storage.interface.Storage`."""
        import numpy

        wanted = wanted_class(
            request,
            "NpyStorage",
            ("ndarray", "Image"),
            lambda cls: cls is numpy.ndarray or issubclass(cls, Image),
        )
        with open_to_read(path, request) as stream:
            array = read_npy(stream, path, request, os.fstat(stream.fileno()).st_size)
        if wanted is numpy.ndarray:
            return array
        if issubclass(wanted, Image):
            if array.ndim != 2:
                raise request.error(
                    path,
                    f"its shape is {array.shape}, and an Image has two dimensions; ask for numpy.ndarray",
                )
            return wanted(array)
        return wanted.swigConvert(array)

    def write(self, path: str, obj: Any) -> None:
        """Write a plain array; see `harness.storage.interface.Storage`."""
        import numpy

        if type(obj) is not numpy.ndarray or obj.dtype.hasobject:
            what = f"an array of {obj.dtype}" if type(obj) is numpy.ndarray else type(obj).__qualname__
            raise TypeError(
                f"NpyStorage cannot write {what}; it writes plain numpy.ndarray without Python objects, for a"
                " .npy file has no place for anything else. NpzStorage and FitsStorage have"
            )
        with atomic_file(path) as stream:
            write_npy(stream, obj)


def read_npy(stream: BinaryIO, path: str, request: ReadRequest, size: int, what: str = "the file") -> Array:
    """The array that begins where `stream` stands, native, in an array from `harness.empty`.

    Args:
        stream: gives at most `size` bytes, from its beginning.
        path, request: for messages.
        size: of the file, or of the member of an archive.
        what: what is read, for messages.

    Raises:
        harness.exceptions.IoError: it is no such file, holds objects, or is shorter than its header says.
    """
    import numpy
    from numpy.lib import format as npy

    try:
        version = npy.read_magic(stream)
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"version {version} of the format is for field names outside Latin-1")
        shape, fortran, stored = readers[version](stream)
    except (ValueError, EOFError, SyntaxError, TypeError) as error:
        if not size:
            raise request.error(path, f"{what} is empty") from error
        raise request.error(path, f"{what} is no .npy file that can be read: {error}") from error
    if stored.hasobject:
        raise request.error(path, f"{what} holds Python objects ({stored}), which are never unpickled")
    begin = stream.tell()
    expected = begin + stored.itemsize * int(numpy.prod([int(length) for length in shape], dtype=object))
    if min(shape, default=0) < 0 or size < expected:
        raise request.error(
            path, f"{what} is truncated or damaged: expected {expected} bytes for shape {shape}, found {size}"
        )
    array = native_empty(shape[::-1] if fortran else shape, stored)
    got = begin + fill(stream, bytes_of(array))
    if got < expected:
        raise request.error(
            path, f"{what} has shrunk while it was read: expected {expected} bytes, read {got}"
        )
    to_native(array, stored)
    return array.T if fortran else array


def write_npy(stream: Any, array: Array) -> None:
    """The bytes of a ``.npy`` file; an array of no plain order is written in C order, through one copy."""
    import numpy
    from numpy.lib import format as npy

    described = npy.header_data_from_array_1_0(array)
    try:
        npy.write_array_header_1_0(stream, described)
    except ValueError:
        # A type of many fields.
        npy.write_array_header_2_0(stream, described)
    # Not numpy.save: it loses the cause of a failed write.
    ordered = array.T if described["fortran_order"] else numpy.ascontiguousarray(array)
    stream.write(bytes_of(ordered))
