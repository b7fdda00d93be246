# SPDX-License-Identifier: BSD-3-Clause
"""FITS header cards as a PropertyList, and back."""

from __future__ import annotations

import contextlib
import re
import warnings
from typing import TYPE_CHECKING, Any

from harness.exceptions import TypeError as PropertyTypeError
from harness.properties import DateTime, PropertyList

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = ["cards_of", "is_structural", "properties_of"]

# Cards that describe how the pixels lie in the file; they are made anew whenever a file is written.
_STRUCTURAL = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BSCALE|BZERO|BLANK|CHECKSUM|DATASUM|END"
)
_COMMENTARY = ("COMMENT", "HISTORY")
_TEXT_WIDTH = 72


def is_structural(name: str) -> bool:
    """Whether a keyword belongs to the layout of the file, not to the observation."""
    return _STRUCTURAL.fullmatch(name.upper()) is not None


def properties_of(header: fits.Header) -> PropertyList:
    """Names, values and comments of a header, in order, without the structural cards.

    COMMENT and HISTORY, and keywords that are repeated, become arrays. A card without a value is an
    empty string, a complex number text, and a card that breaks the FITS rules the text it holds. A
    repetition of another type replaces what was there.
    """
    from astropy.io import fits

    properties = PropertyList()
    for card in header.cards:
        name = card.keyword
        if not name or is_structural(name):
            continue
        value, comment = _content(card)
        if isinstance(value, fits.card.Undefined):
            value = ""
        elif isinstance(value, complex):
            value = str(value)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            value = float(value)
        try:
            properties.add(name, value, comment)
        except PropertyTypeError:
            properties.set(name, value, comment)
    return properties


def _content(card: fits.Card) -> tuple[Any, str]:
    """Value and comment; of a card that breaks the rules, what can be saved of its text."""
    from astropy.io import fits

    try:
        return card.value, card.comment
    except fits.VerifyError:
        with contextlib.suppress(fits.VerifyError):
            # astropy takes what is no value for a text.
            card.verify("silentfix")
            return card.value, card.comment
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        return card.image[9:].strip(" '"), ""


def cards_of(properties: PropertyList) -> list[fits.Card]:
    """Header cards for a PropertyList, in order, without the structural ones.

    Raises:
        ValueError: FITS cannot hold a name or a value: a text with line breaks or outside ASCII, an
            infinite number.
    """
    cards: list[fits.Card] = []
    for name, value, comment in properties.toList():
        if is_structural(name):
            continue
        try:
            cards.extend(_card(name, part, comment) for part in _parts(name, value))
        except (ValueError, TypeError) as error:
            raise ValueError(f"header entry '{name}' = {value!r:.80} cannot go into FITS: {error}") from error
    return cards


def _parts(name: str, value: Any) -> list[Any]:
    """A long COMMENT or HISTORY goes into several cards; any other value is one."""
    if name not in _COMMENTARY or not isinstance(value, str):
        return [value]
    return [value[start : start + _TEXT_WIDTH] for start in range(0, max(len(value), 1), _TEXT_WIDTH)]


def _card(name: str, value: Any, comment: str) -> fits.Card:
    from astropy.io import fits

    if isinstance(value, DateTime):
        value = value.toString()
    if name not in _COMMENTARY and (len(name) > 8 or not re.fullmatch(r"[A-Z0-9_-]+", name.upper())):
        name = f"HIERARCH {name}"
    with warnings.catch_warnings():
        # A comment that does not fit into its card is cut, as every FITS writer does.
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        card = fits.Card(name, value, comment or None)
        str(card)
    return card
