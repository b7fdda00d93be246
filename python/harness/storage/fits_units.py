# SPDX-License-Identifier: BSD-3-Clause
"""Objects as the header and data units of a FITS file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from harness.storage.fits_header import cards_of, is_structural
from harness.storage.fits_stamps import reserve, stamp
from harness.storage.image import Image
from harness.storage.kinds import is_ccddata, is_table
from harness.storage.quiet import filtered_warnings

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy
    from astropy.io import fits

    Array = numpy.ndarray[Any, Any]

__all__ = ["fits_content"]

_PIXELS = {"u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"}


def fits_content(obj: Any, compressed: bool = False) -> memoryview:
    """The bytes of a FITS file with an Image, an ndarray, a CCDData or a Table; `obj` is not touched.

    Args:
        obj: the object.
        compressed: images become tile-compressed extensions, without loss: integers of up to 4 bytes by Rice,
            others by gzip of shuffled bytes.

    Raises:
        TypeError: the object or its pixels are nothing FITS can hold.
        ValueError: an entry of its header is nothing FITS can hold.
    """
    from astropy.io import fits

    # Not straight into the file: astropy would lose the errno of a failed write.
    buffer = io.BytesIO()
    # A comment that does not fit into its card is cut, as every FITS writer does.
    with filtered_warnings(fits.verify.VerifyWarning):
        units = _units_of(obj)
        if compressed:
            units = [fits.PrimaryHDU(), *map(_compressed, units)]
        else:
            for unit in units:
                reserve(unit.header)
        # Cards made here are checked already; those of others may break the rules, and are kept.
        fits.HDUList(units).writeto(buffer, output_verify="silentfix+ignore", checksum=compressed)
    content = buffer.getbuffer()
    if not compressed:
        stamp(content)
    return content


def _units_of(obj: Any) -> list[Any]:
    import numpy
    from astropy.io import fits

    if isinstance(obj, Image):
        return [_image_unit(fits.PrimaryHDU, obj.array, cards_of(obj.header))]
    if isinstance(obj, numpy.ndarray) and not obj.dtype.names:
        return [_image_unit(fits.PrimaryHDU, obj, [])]
    if is_ccddata(type(obj)):
        return [_image_unit(type(unit), unit.data, unit.header.cards) for unit in obj.to_hdu()]
    if is_table(type(obj)) or isinstance(obj, numpy.ndarray):
        # Both copy the rows.
        return [fits.PrimaryHDU(), fits.table_to_hdu(obj) if is_table(type(obj)) else fits.BinTableHDU(obj)]
    raise TypeError(
        f"FitsStorage cannot write {type(obj).__module__}.{type(obj).__qualname__}; it writes"
        " harness.storage.image.Image, numpy.ndarray, astropy.nddata.CCDData, astropy.table.Table"
    )


def _compressed(unit: Any) -> Any:
    from astropy.io import fits

    if not unit.is_image or unit.data is None or not unit.data.size:
        return fits.ImageHDU(unit.data, unit.header) if isinstance(unit, fits.PrimaryHDU) else unit
    by_rice = unit.data.dtype.kind in "iu" and unit.data.dtype.itemsize <= 4
    kind = "RICE_1" if by_rice else "GZIP_2"
    return fits.CompImageHDU(unit.data, unit.header, compression_type=kind, quantize_level=0)


def _image_unit(kind: Any, array: Array, cards: Iterable[fits.Card]) -> Any:
    """A unit with the structural cards for the array, then the given ones."""
    import numpy

    if array.dtype.str[1:] not in _PIXELS:
        cure = {"b": "store it as uint8", "f": "store it as float32 or float64"}.get(array.dtype.kind, "")
        raise TypeError(
            f"FITS images cannot hold pixels of type {array.dtype}; they hold integers of 1, 2, 4 and 8"
            f" bytes, float32 and float64{'; ' + cure if cure else ''}"
        )
    # For the time of a write, astropy swaps the bytes of an array in place if it may, and other
    # processes may be reading this one; of a read-only array it makes a big-endian copy.
    frozen = numpy.atleast_1d(numpy.asarray(array)).view()
    frozen.flags.writeable = False
    unit = kind(frozen)
    for card in cards:
        if not is_structural(card.keyword):
            unit.header.append(card, end=True)
    return unit
