# SPDX-License-Identifier: BSD-3-Clause
"""Pixels as FITS files store them to native arrays of the harness, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from harness.arrays import asarray, empty
from harness.storage.pieces import bytes_of

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

__all__ = ["PixelConversion", "native_pixels", "read_pixels"]

# FITS has one signedness per width; BZERO of half the range means the other one (FITS 4.0, table 11).
_OTHER_SIGN = {(8, -128): "i1", (16, 2**15): "u2", (32, 2**31): "u4", (64, 2**63): "u8"}
_STORED = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}

_PIECE = 256 * 1024
"""Bytes that are read, converted and summed while the processor's cache holds them; a multiple of 8."""


class PixelConversion:
    """What BITPIX, BSCALE, BZERO and BLANK of a header make of stored pixels.

    Integers stay integers where the header says no more than their signedness; any other scaling,
    and BLANK, gives float32 from 8 and 16 bits and float64 from 32 and 64 bits, with NaN for BLANK.

    Attributes:
        stored: type of the pixels in the file.
        dtype: native type of the result.
        plain: whether pixels keep their values and their type, and at most the byte order changes.
    """

    def __init__(self, header: Mapping[str, Any]) -> None:
        import numpy

        bitpix = int(header["BITPIX"])
        self._scale, self._zero = header.get("BSCALE", 1), header.get("BZERO", 0)
        self.stored = numpy.dtype(_STORED[bitpix])
        self._blank = None if bitpix < 0 else header.get("BLANK")
        # An integer result has no room for NaN: as in astropy, its BLANK pixels keep their number.
        other_sign = _OTHER_SIGN.get((bitpix, self._zero)) if self._scale == 1 else None
        self.plain = self._scale == 1 and self._zero == 0 and self._blank is None
        self._convert: Callable[[Array, Array], None]
        if self.plain:
            self.dtype, self._convert = self.stored.newbyteorder("="), _copy
        elif other_sign is not None:
            self.dtype, self._convert = numpy.dtype(other_sign), self._flip
        else:
            self.dtype, self._convert = numpy.dtype("f4" if bitpix in (8, 16, -32) else "f8"), self._rescale

    def apply(self, stored: Array, out: Array) -> None:
        """Convert pixels into `out`, an array of the same shape and of type `dtype`."""
        self._convert(stored, out)

    def _flip(self, stored: Array, out: Array) -> None:
        import numpy

        dtype = self.dtype
        sign_bit = dtype.type(1 << (8 * dtype.itemsize - 1)) if dtype.kind == "u" else dtype.type(-128)
        numpy.copyto(out, stored.view(dtype.newbyteorder(stored.dtype.byteorder)))
        numpy.bitwise_xor(out, sign_bit, out=out)

    def _rescale(self, stored: Array, out: Array) -> None:
        import numpy

        dtype = self.dtype
        numpy.multiply(stored, dtype.type(self._scale), out=out, dtype=dtype, casting="unsafe")
        if self._zero != 0:
            out += dtype.type(self._zero)
        if self._blank is not None:
            out[stored == self._blank] = numpy.nan


def native_pixels(stored: Array, header: Mapping[str, Any]) -> Array:
    """An array of native byte order with BSCALE, BZERO and BLANK applied, in memory of the harness.

    Args:
        stored: the pixels as the file has them, of any byte order, in an array that nobody else uses. It is
            the result itself where nothing is to be done and it was born in shared memory.
        header: gives BITPIX, BSCALE, BZERO and BLANK.
    """
    conversion = PixelConversion(header)
    if conversion.plain and stored.dtype.isnative and stored.flags.writeable and stored.flags.c_contiguous:
        return asarray(stored)
    out = empty(stored.shape, conversion.dtype)
    conversion.apply(stored, out)
    return out


def read_pixels(
    fill: Callable[[memoryview], None],
    shape: tuple[int, ...],
    header: Mapping[str, Any],
    tell: Callable[[memoryview], None] | None = None,
) -> Array:
    """The pixels of an uncompressed image, in a native array from `harness.empty`.

    They are read in pieces that the processor's cache holds, and each is converted into its place: the array
    is written once and nothing else of its size is needed.

    Args:
        fill: fills a piece with the next bytes of the file, or raises.
        shape: of the image, in NumPy's order.
        header: gives BITPIX, BSCALE, BZERO and BLANK.
        tell: is shown every piece as the file has it, for a checksum.
    """
    import numpy

    conversion = PixelConversion(header)
    out = empty(shape, conversion.dtype)
    flat = out.reshape(-1)
    step = _PIECE // conversion.stored.itemsize
    buffer = numpy.empty(min(step, flat.size), conversion.stored)
    for first in range(0, flat.size, step):
        piece = buffer[: min(step, flat.size - first)]
        content = bytes_of(piece)
        fill(content)
        if tell is not None:
            tell(content)
        conversion.apply(piece, flat[first : first + piece.size])
    return out


def _copy(stored: Array, out: Array) -> None:
    import numpy

    numpy.copyto(out, stored)
