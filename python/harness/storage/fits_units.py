# SPDX-License-Identifier: BSD-3-Clause
"""Objects as the header and data units of a FITS file, and their way into it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.storage.fits_file import padded
from harness.storage.fits_header import CARD_WIDTH, cards_of, common_image, is_structural
from harness.storage.fits_kinds import KINDS, is_ccddata, is_table
from harness.storage.fits_pixels import layout_of, write_pixels
from harness.storage.image import Image

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy
    from astropy.io import fits

    Array = numpy.ndarray[Any, Any]

__all__ = ["ImageUnit", "units_of", "write_units"]


@dataclass(frozen=True)
class ImageUnit:
    """A complete header, padded to whole blocks, and the pixels it describes."""

    header: bytes
    array: Array


def units_of(obj: Any) -> list[ImageUnit] | fits.HDUList:
    """The units of an Image, an ndarray or a CCDData; those of tables are astropy's own.

    Raises:
        TypeError: the object or its pixels are nothing FITS can hold.
        ValueError: an entry of its header is nothing FITS can hold.
    """
    import numpy

    if isinstance(obj, Image):
        return [_image_unit(obj.array, cards_of(obj.header), True)]
    if isinstance(obj, numpy.ndarray) and not obj.dtype.names:
        return [_image_unit(obj, [], True)]
    if is_ccddata(type(obj)):
        return [
            _image_unit(unit.data, _astropy_cards(unit.header), number == 0)
            for number, unit in enumerate(obj.to_hdu())
        ]
    if is_table(type(obj)) or isinstance(obj, numpy.ndarray):
        from astropy.io import fits

        table = fits.table_to_hdu(obj) if is_table(type(obj)) else fits.BinTableHDU(obj)
        return fits.HDUList([fits.PrimaryHDU(), table])
    raise TypeError(
        f"FitsStorage cannot write {type(obj).__module__}.{type(obj).__qualname__};"
        f" it writes {', '.join(KINDS)}"
    )


def write_units(stream: io.BufferedIOBase, units: list[ImageUnit] | fits.HDUList) -> None:
    """Write the units of a file one after the other; OSError as the stream raises it."""
    for unit in units:
        if not isinstance(unit, ImageUnit):
            # Straight into the file, astropy would lose the errno of a failed write.
            buffer = io.BytesIO()
            units.writeto(buffer)  # type: ignore[union-attr]  # what holds no ImageUnit is an HDUList
            stream.write(buffer.getbuffer())
            return
        stream.write(unit.header)
        write_pixels(stream, unit.array)


def _astropy_cards(header: fits.Header) -> list[str]:
    return [str(card) for card in header.cards if not is_structural(card.keyword)]


def _image_unit(array: Array, cards: Iterable[str], primary: bool) -> ImageUnit:
    """A unit whose header has the structural cards for the array, then the given ones."""
    bitpix, zero = layout_of(array)
    axes = tuple(reversed(array.shape)) if array.ndim else (1,)
    structure: list[tuple[str, bool | int | str, str]] = [
        ("SIMPLE", True, "conforms to FITS standard")
        if primary
        else ("XTENSION", "IMAGE", "image extension"),
        ("BITPIX", bitpix, "bits per pixel; negative: floating point"),
        ("NAXIS", len(axes), "number of axes"),
        *((f"NAXIS{number}", length, "") for number, length in enumerate(axes, start=1)),
    ]
    structure += [("EXTEND", True, "")] if primary else [("PCOUNT", 0, ""), ("GCOUNT", 1, "")]
    if zero:
        sign = "unsigned" if zero > 0 else "signed"
        structure += [("BSCALE", 1, ""), ("BZERO", zero, f"makes the integers {sign}")]
    head = "".join(common_image(name, value, comment) or "" for name, value, comment in structure)
    text = head + "".join(cards) + "END".ljust(CARD_WIDTH)
    return ImageUnit(text.ljust(padded(len(text))).encode("ascii"), array)
