# SPDX-License-Identifier: BSD-3-Clause
"""FITS headers as PropertyLists, and back."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from harness.exceptions import TypeError as PropertyTypeError
from harness.properties import DateTime, PropertyList
from harness.storage.fits_cards import Cards
from harness.storage.quiet import filtered_warnings

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = ["cards_of", "is_structural", "properties_of", "properties_of_cards"]

# Cards that describe how the pixels lie in the file; they are made anew whenever a file is written.
_STRUCTURAL = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BSCALE|BZERO|BLANK|CHECKSUM|DATASUM|END"
)
_COMMENTARY = ("COMMENT", "HISTORY")
_TEXT_WIDTH = 72
_SHORT_NAME = re.compile(r"[A-Z0-9_-]{1,8}", re.IGNORECASE)
# Longer numbers lose digits in astropy's own cards.
_NUMBER_WIDTH = 20
_CARD_WIDTH = 80


def is_structural(name: str) -> bool:
    """Whether a keyword belongs to the layout of the file, not to the observation."""
    return _STRUCTURAL.fullmatch(name.upper()) is not None


def properties_of(header: fits.Header) -> PropertyList:
    """Names, values and comments of a header, in order, without the structural cards.

    COMMENT and HISTORY, and keywords that are repeated, become arrays; text without a keyword joins
    COMMENT. A card without a value is an empty string, a complex number text, and a card that breaks
    the FITS rules the text it holds. A repetition of another type replaces what was there.
    """
    return _properties(map(_content, header.cards))


def properties_of_cards(cards: Cards) -> PropertyList:
    """The same from cards as they stand in a file.

    Those of the plain forms, nearly all, have been read without astropy, which is many times faster than its
    cards; astropy has the others.
    """
    from astropy.io import fits

    return _properties(
        _content(fits.Card.fromstring(image), image) if plain is None else plain
        for image, plain in zip(cards.images, cards.contents, strict=True)
    )


def _properties(contents: Iterable[tuple[str, Any, str]]) -> PropertyList:
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    properties = PropertyList()
    # Cards that break the rules keep what can be saved of them.
    with filtered_warnings(AstropyWarning):
        for name, value, comment in contents:
            if is_structural(name) or not name and not value:
                continue
            if isinstance(value, fits.card.Undefined):
                value = ""
            elif isinstance(value, complex):
                value = str(value)
            elif isinstance(value, int) and not -(2**63) <= value < 2**63:
                value = float(value)
            name = name or "COMMENT"
            try:
                properties.add(name, value, comment)
            except PropertyTypeError:
                properties.set(name, value, comment)
    return properties


def cards_of(properties: PropertyList) -> Iterator[fits.Card]:
    """Header cards for a PropertyList, in order, without the structural ones.

    Raises:
        ValueError: FITS cannot hold a name or a value: a text with line breaks or outside ASCII, an
            infinite number.
    """
    for name, value, comment in properties.toList():
        if is_structural(name):
            continue
        if isinstance(value, DateTime):
            value = value.toString()
        try:
            for part in _parts(name, value):
                card = _card(name, part, comment)
                if len(name) > 8 and not _is_whole(card, part):
                    raise ValueError("beside so long a name there is no room for it")
                yield card
        except (ValueError, TypeError) as error:
            raise ValueError(f"header entry '{name}' = {value!r:.80} cannot go into FITS: {error}") from error


def _content(card: fits.Card, image: str = "") -> tuple[str, Any, str]:
    """Name, value and comment; of a card that breaks the rules, what can be saved of its text or `image`."""
    from astropy.io import fits

    # Raw: a text such as "M31: 5.0" is not to be taken for a record.
    with contextlib.suppress(fits.VerifyError):
        return card.rawkeyword, card.rawvalue, card.comment
    with filtered_warnings(fits.verify.VerifyWarning):
        # astropy takes what is no value for a text, and refuses control characters.
        with contextlib.suppress(fits.VerifyError, ValueError):
            card.verify("silentfix")
            return card.rawkeyword, card.rawvalue, card.comment
        return card.keyword, (image or card.image)[9:].strip(" '"), ""


def _is_whole(card: fits.Card, value: Any) -> bool:
    """Whether a card holds the value when it is formatted; astropy cuts what does not fit."""
    with filtered_warnings(Warning):
        return bool(_content(type(card).fromstring(str(card)))[1] == value)


def _parts(name: str, value: Any) -> list[Any]:
    """A long COMMENT or HISTORY goes into several cards; any other value is one."""
    if name not in _COMMENTARY or not isinstance(value, str):
        return [value]
    return [value[start : start + _TEXT_WIDTH] for start in range(0, max(len(value), 1), _TEXT_WIDTH)]


def _card(name: str, value: Any, comment: str) -> fits.Card:
    from astropy.io import fits

    if not _SHORT_NAME.fullmatch(name):
        name = f"HIERARCH {name}"
    card = fits.Card(name, value, comment or None)
    number = repr(value).upper()
    if isinstance(value, float) and len(number) > _NUMBER_WIDTH:
        image = f"{str(fits.Card(name, 0)).rstrip(' 0')} {number}"
        if len(image) <= _CARD_WIDTH:
            return fits.Card.fromstring((f"{image} / {comment}" if comment else image)[:_CARD_WIDTH])
    return card
