# SPDX-License-Identifier: BSD-3-Clause
"""Checksums put into FITS units that are composed already.

astropy can write them, at a few times the cost of the rest of the writing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.storage.fits_checksum import WordSum, encoded
from harness.storage.fits_unit import unit_from

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = ["reserve", "stamp"]

_UNSET = "0" * 16
_CARD_WIDTH = 80
_ALL_ONES = 0xFFFFFFFF
_VALUE_OFFSET = 11


def reserve(header: fits.Header) -> None:
    """Makes room in a header for DATASUM and CHECKSUM."""
    header.append(("CHECKSUM", _UNSET, "HDU checksum"), end=True)
    header.append(("DATASUM", " " * 16, "data unit checksum"), end=True)


def stamp(content: memoryview) -> None:
    """Fills in DATASUM and CHECKSUM of every unit of a FITS file in memory, where room was made for them."""
    number = offset = 0
    while offset < len(content):
        header = _header(content, offset)
        unit = unit_from(number, offset, bytes(header))
        data = WordSum()
        data.add(content[unit.data_offset : unit.end_offset])
        _put(header, b"DATASUM =", f"{data.value:<16}".encode())
        whole = WordSum(data.value)
        whole.add(header)
        _put(header, b"CHECKSUM=", encoded(_ALL_ONES - whole.value).encode())
        number, offset = number + 1, unit.end_offset


def _header(content: memoryview, offset: int) -> memoryview:
    end = offset
    while bytes(content[end : end + 8]) != b"END     ":
        end += _CARD_WIDTH
    blocks = -(-(end + _CARD_WIDTH - offset) // 2880)
    return content[offset : offset + blocks * 2880]


def _put(header: memoryview, start: bytes, text: bytes) -> None:
    for place in range(0, len(header), _CARD_WIDTH):
        if header[place : place + len(start)] == start:
            first = place + _VALUE_OFFSET
            header[first : first + len(text)] = text
            return
