# SPDX-License-Identifier: BSD-3-Clause
"""FITS pixels to native arrays and back, chunk by chunk, so that they cross the memory once."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.arrays import empty
from harness.storage.fits_file import FitsFile, Hdu, padded

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

__all__ = ["read_pixels", "write_pixels", "layout_of"]

# Small enough for a chunk to stay in a core's cache between its conversions.
CHUNK_BYTES = 256 * 1024

_STORED = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
# FITS has one signedness per width; BZERO of half the range means the other one (FITS 4.0, table 11).
_OTHER_SIGN = {(8, -128): "i1", (16, 2**15): "u2", (32, 2**31): "u4", (64, 2**63): "u8"}
_BITPIX = {
    "u1": (8, 0),
    "i1": (8, -128),
    "i2": (16, 0),
    "u2": (16, 2**15),
    "i4": (32, 0),
    "u4": (32, 2**31),
    "i8": (64, 0),
    "u8": (64, 2**63),
    "f4": (-32, 0),
    "f8": (-64, 0),
}


def read_pixels(file: FitsFile, hdu: Hdu) -> Array:
    """The array of an image unit, native, with BSCALE, BZERO and BLANK applied.

    Integers stay integers where the header says no more than their signedness; any other scaling,
    and BLANK, gives float32 from 8 and 16 bits and float64 from 32 and 64 bits, with NaN for BLANK.

    Args:
        file: the open file.
        hdu: an image unit with data.

    Raises:
        IoError: the file ends too early.
    """
    import numpy

    stored = numpy.dtype(_STORED[int(hdu.header["BITPIX"])])
    result_dtype, convert = _conversion(hdu.header, stored)
    out = empty(hdu.shape, result_dtype)
    flat = out.reshape(-1)
    scratch = numpy.empty(max(CHUNK_BYTES // stored.itemsize, 1), stored)
    raw = scratch.view(numpy.uint8).data
    for first in range(0, flat.size, scratch.size):
        count = min(scratch.size, flat.size - first)
        file.read_into(hdu, first * stored.itemsize, raw[: count * stored.itemsize])
        convert(scratch[:count], flat[first : first + count])
    return out


def _conversion(
    header: dict[str, Any], stored: numpy.dtype[Any]
) -> tuple[numpy.dtype[Any], Callable[[Array, Array], None]]:
    """The dtype of the result, and the function that fills a piece of it from stored pixels."""
    import numpy

    scale, zero, blank = header.get("BSCALE", 1), header.get("BZERO", 0), header.get("BLANK")
    integer = stored.kind != "f"
    if scale == 1 and zero == 0 and (blank is None or not integer):
        return stored.newbyteorder("="), _copy
    bitpix = int(header["BITPIX"])
    other_sign = _OTHER_SIGN.get((bitpix, zero)) if integer and scale == 1 else None
    # An integer result has no room for NaN: as in astropy, its BLANK pixels keep their number.
    if other_sign is not None:
        dtype = numpy.dtype(other_sign)
        sign_bit = dtype.type(1 << (8 * dtype.itemsize - 1)) if dtype.kind == "u" else dtype.type(-128)

        def flip_sign(source: Array, target: Array) -> None:
            target[...] = source.view(dtype.newbyteorder(">"))
            target ^= sign_bit

        return dtype, flip_sign
    dtype = numpy.dtype("f4" if bitpix in (8, 16, -32) else "f8")

    def rescale(source: Array, target: Array) -> None:
        target[...] = source
        if scale != 1:
            target *= dtype.type(scale)
        if zero != 0:
            target += dtype.type(zero)
        if integer and blank is not None:
            target[source == blank] = numpy.nan

    return dtype, rescale


def _copy(source: Array, target: Array) -> None:
    target[...] = source


def layout_of(array: Array) -> tuple[int, int]:
    """(BITPIX, BZERO) for an array.

    Raises:
        TypeError: FITS images have no such pixels.
    """
    layout = _BITPIX.get(array.dtype.str[1:])
    if layout is None:
        cure = {"b": "store it as uint8", "f": "store it as float32 or float64"}.get(array.dtype.kind, "")
        raise TypeError(
            f"FITS images cannot hold pixels of type {array.dtype}; they hold integers of 1, 2, 4 and 8"
            f" bytes, float32 and float64{'; ' + cure if cure else ''}"
        )
    return layout


def write_pixels(stream: io.BufferedIOBase, array: Array) -> None:
    """Write an array big-endian and padded to whole blocks; the array itself is not touched.

    (Writing through astropy would swap the bytes of the caller's array for the time of the write,
    and other processes may be reading it.)
    """
    import numpy

    bitpix, zero = layout_of(array)
    stored = numpy.dtype(_STORED[bitpix])
    rows = array.reshape(1) if array.ndim == 0 else array
    step = max(CHUNK_BYTES // max(rows[:1].nbytes, 1), 1)
    for first in range(0, len(rows), step):
        piece = rows[first : first + step]
        if zero:
            flipped = piece ^ piece.dtype.type(-128 if zero == -128 else zero)
            piece = flipped.view(flipped.dtype.str.replace("u", "i") if zero > 0 else "u1")
        stream.write(numpy.ascontiguousarray(piece, stored).data)
    stream.write(bytes(padded(array.nbytes) - array.nbytes))
