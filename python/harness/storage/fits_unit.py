# SPDX-License-Identifier: BSD-3-Clause
"""One header and data unit of a FITS file: what it is, and where its data lie."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.storage.fits_cards import Cards
from harness.storage.quiet import filtered_warnings

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = ["BLOCK", "Unit", "unit_from"]

BLOCK = 2880
_KINDS = {"IMAGE": "image", "BINTABLE": "table", "TABLE": "table"}


@dataclass(frozen=True)
class Unit:
    """One header and data unit.

    Attributes:
        number: 0 for the primary.
        kind: ``image``, ``table``, ``compressed`` (tiled image in a table) or ``other``.
        cards: of its header; of a compressed image, those of its table.
        raw_header: the bytes of the header, padding included.
        data_offset: where the data begin, in bytes from the start of the (decompressed) file.
        data_bytes: how many there are, padding left out.
    """

    number: int
    kind: str
    cards: Cards
    raw_header: bytes
    data_offset: int
    data_bytes: int

    def header(self) -> fits.Header:
        """The header as astropy has it."""
        from astropy.io import fits
        from astropy.utils.exceptions import AstropyWarning

        # Of keywords that break the rules astropy warns; they are kept.
        with filtered_warnings(AstropyWarning):
            return fits.Header.fromstring(self.raw_header)

    @property
    def has_data(self) -> bool:
        """Whether there is anything in it besides the header."""
        return self.data_bytes > 0

    @property
    def end_offset(self) -> int:
        """Where it ends, padding included."""
        return self.data_offset + -(-self.data_bytes // BLOCK) * BLOCK

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of its array in NumPy's order; empty without data."""
        prefix = "Z" if self.kind == "compressed" else ""
        axes = range(self.cards[f"{prefix}NAXIS"], 0, -1)
        return tuple(self.cards[f"{prefix}NAXIS{axis}"] for axis in axes)

    @property
    def name(self) -> str:
        """EXTNAME, empty without one."""
        return str(self.cards.get("EXTNAME", "")).strip()

    @property
    def has_checksum(self) -> bool:
        """Whether the header has DATASUM or CHECKSUM."""
        return b"DATASUM " in self.raw_header or b"CHECKSUM" in self.raw_header

    def checksum(self, keyword: str) -> str:
        """The text of CHECKSUM or DATASUM, empty without it."""
        found = re.search(rb"(?:.{80})*?%-8b= *'?([^'/ ]*)" % keyword.encode(), self.raw_header, re.DOTALL)
        return found[1].decode("ascii", "replace") if found else ""

    def __str__(self) -> str:
        name = f" '{self.cards['EXTNAME']}'" if "EXTNAME" in self.cards else ""
        return f"{self.number}{name} ({self.kind}, shape {self.shape})"


def unit_from(number: int, offset: int, content: bytes) -> Unit:
    """The unit whose header, beginning at `offset`, has these bytes.

    Raises:
        ValueError, KeyError, TypeError: the header does not tell what the data are.
    """
    cards = Cards(content)
    bitpix = _integer(cards, "BITPIX")
    # FITS 4.0, section 4.4.1.
    if bitpix not in (8, 16, 32, 64, -32, -64):
        raise ValueError(f"BITPIX is {bitpix}, and must be 8, 16, 32, 64, -32 or -64")
    axes = [_integer(cards, f"NAXIS{axis}") for axis in range(1, _integer(cards, "NAXIS") + 1)]
    if any(length < 0 for length in axes):
        raise ValueError(f"the axes have lengths {tuple(axes)}")
    groups = number == 0 and axes[:1] == [0] and cards.get("GROUPS") is True
    extra = _integer(cards, "PCOUNT") if "PCOUNT" in cards and (number or groups) else 0
    count = _integer(cards, "GCOUNT") if "GCOUNT" in cards and (number or groups) else 1
    if extra < 0 or count < 0:
        raise ValueError(f"PCOUNT is {extra} and GCOUNT {count}")
    pixels = math.prod(axes[1:] if groups else axes) if axes else 0
    size = abs(bitpix) // 8 * count * (extra + pixels)
    kind = "image" if number == 0 else _KINDS.get(str(cards["XTENSION"]).strip(), "other")
    if groups:
        kind = "other"
    if kind == "table" and cards.get("ZIMAGE") is True:
        kind = "compressed"
    return Unit(number, kind, cards, content, offset + len(content), size)


def _integer(cards: Cards, name: str) -> int:
    value = cards[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}, and must be an integer")
    return value
