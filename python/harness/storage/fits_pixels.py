# SPDX-License-Identifier: BSD-3-Clause
"""Pixels as FITS files store them to native arrays of the harness, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.arrays import empty

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

__all__ = ["native_pixels"]

# FITS has one signedness per width; BZERO of half the range means the other one (FITS 4.0, table 11).
_OTHER_SIGN = {(8, -128): "i1", (16, 2**15): "u2", (32, 2**31): "u4", (64, 2**63): "u8"}


def native_pixels(stored: Array, header: Mapping[str, Any]) -> Array:
    """A new array from `harness.empty` of native byte order, with BSCALE, BZERO and BLANK applied.

    Integers stay integers where the header says no more than their signedness; any other scaling,
    and BLANK, gives float32 from 8 and 16 bits and float64 from 32 and 64 bits, with NaN for BLANK.

    Args:
        stored: the pixels as they are in the file, of any byte order; not changed.
        header: gives BITPIX, BSCALE, BZERO and BLANK.
    """
    import numpy

    scale, zero, blank = header.get("BSCALE", 1), header.get("BZERO", 0), header.get("BLANK")
    bitpix = int(header["BITPIX"])
    if stored.dtype.kind == "f":
        blank = None
    if scale == 1 and zero == 0 and blank is None:
        out = empty(stored.shape, stored.dtype.newbyteorder("="))
        numpy.copyto(out, stored)
        return out
    other_sign = _OTHER_SIGN.get((bitpix, zero)) if stored.dtype.kind != "f" and scale == 1 else None
    # An integer result has no room for NaN: as in astropy, its BLANK pixels keep their number.
    if other_sign is not None:
        dtype = numpy.dtype(other_sign)
        sign_bit = dtype.type(1 << (8 * dtype.itemsize - 1)) if dtype.kind == "u" else dtype.type(-128)
        seen = stored.view(dtype.newbyteorder(stored.dtype.byteorder))
        return numpy.bitwise_xor(seen, sign_bit, out=empty(stored.shape, dtype))
    dtype = numpy.dtype("f4" if bitpix in (8, 16, -32) else "f8")
    out = empty(stored.shape, dtype)
    numpy.multiply(stored, dtype.type(scale), out=out, dtype=dtype, casting="unsafe")
    if zero != 0:
        out += dtype.type(zero)
    if blank is not None:
        out[stored == blank] = numpy.nan
    return out
