# SPDX-License-Identifier: BSD-3-Clause
"""Bytes of files into arrays of the harness, without a copy in between."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from harness.arrays import empty
from harness.storage.interface import ReadRequest

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

__all__ = ["bytes_of", "fill", "native_empty", "open_to_read", "size_of", "to_native"]


@contextmanager
def open_to_read(path: str, request: ReadRequest) -> Iterator[BinaryIO]:
    """The file, open and unbuffered; what the system refuses is the request's error, with path and cause."""
    try:
        with open(path, "rb", buffering=0) as stream:
            yield stream
    except OSError as error:
        if error.errno is None:
            raise
        raise request.error(path, error.strerror or str(error)) from error


def size_of(path: str, request: ReadRequest) -> int:
    """Bytes of a regular file that may be read; for libraries that open files themselves.

    Raises:
        harness.exceptions.IoError: it is missing, no regular file, unreadable or empty.
    """
    with open_to_read(path, request) as stream:
        found = os.fstat(stream.fileno())
    if not stat.S_ISREG(found.st_mode):
        raise request.error(path, "it is no regular file")
    if not found.st_size:
        raise request.error(path, "the file is empty")
    return found.st_size


def native_empty(shape: tuple[int, ...], dtype: numpy.dtype[Any]) -> Array:
    """An array from `harness.empty` of that type in native byte order."""
    return empty(shape, dtype.newbyteorder("="))


def bytes_of(array: Array) -> memoryview:
    """The memory of a C-contiguous array, writeable if the array is."""
    if not array.nbytes:
        return memoryview(bytearray())
    flat: Any = array.reshape(-1).view("u1")
    return memoryview(flat)


def fill(stream: BinaryIO, target: memoryview) -> int:
    """Read until `target` is full or the stream ends; returns how many bytes were read."""
    done = 0
    while done < len(target):
        got = stream.readinto(target[done:])  # type: ignore[attr-defined]
        if not got:
            break
        done += got
    return done


def to_native(array: Array, stored: numpy.dtype[Any]) -> Array:
    """`array`, which is of native type and was filled with bytes of type `stored`, put in order in place."""
    if not stored.isnative:
        array.view(stored).byteswap(inplace=True)
    return array
