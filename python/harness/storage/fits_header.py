# SPDX-License-Identifier: BSD-3-Clause
"""FITS header cards as a PropertyList, and back."""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.exceptions import TypeError as PropertyTypeError
from harness.properties import DateTime, PropertyList

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = ["Card", "cards_of", "common_image", "is_structural", "parse_header", "properties_of"]

# Cards that describe how the pixels lie in the file; they are made anew whenever a file is written.
_STRUCTURAL = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BSCALE|BZERO|BLANK|CHECKSUM|DATASUM|END"
)
_COMMENTARY = ("COMMENT", "HISTORY")
_TEXT_WIDTH = 72
CARD_WIDTH = 80
# Two quotes and the ten columns of keyword and value indicator are not for the text.
_STRING_WIDTH = 68
_PRINTABLE = re.compile(r"[ -~]*")
_NAME = re.compile(r"[A-Z0-9_-]+")
_VALUE = re.compile(
    r" *(?:'(?P<text>(?:[^'&]|'')*)'|(?P<flag>[TF])|(?P<whole>[+-]?\d+)"
    r"|(?P<real>[+-]?(?:\d+\.?\d*|\.\d+)(?:[ED][+-]?\d+)?))? *(?:/(?P<comment>.*))?"
)


def is_structural(name: str) -> bool:
    """Whether a keyword belongs to the layout of the file, not to the observation."""
    return _STRUCTURAL.fullmatch(name.upper()) is not None


@dataclass(frozen=True)
class Card:
    """One header card; the value is None where the card has none."""

    name: str
    value: Any
    comment: str


def parse_header(text: str) -> list[Card]:
    """The cards of a header, up to END; blank cards are left out.

    Cards in the forms that nearly all have are taken apart here; the others, long strings and
    HIERARCH among them, go to astropy, at ten times the cost.

    Args:
        text: printable ASCII, 80 characters a card.
    """
    cards = []
    images = [text[start : start + CARD_WIDTH] for start in range(0, len(text), CARD_WIDTH)]
    position = 0
    while position < len(images) and images[position].rstrip() != "END":
        first = position
        position += 1
        # A string that ends in & goes on in the CONTINUE cards after it.
        while position < len(images) and images[position].startswith("CONTINUE"):
            position += 1
        whole = "".join(images[first:position])
        if whole.strip():
            cards.append(_common_card(whole) or _odd_card(whole))
    return cards


def _common_card(image: str) -> Card | None:
    """The card if it has one of the common forms (FITS 4.0, sections 4.1.2 and 4.2)."""
    if len(image) != CARD_WIDTH:
        return None
    name = image[:8].rstrip()
    if name in _COMMENTARY:
        return Card(name, image[8:].rstrip(), "")
    match = _VALUE.fullmatch(image, 10) if image[8:10] == "= " and _NAME.fullmatch(name) else None
    if match is None:
        return None
    comment = (match["comment"] or "").strip()
    if match["text"] is not None:
        return Card(name, match["text"].replace("''", "'").rstrip(), comment)
    if match["flag"] is not None:
        return Card(name, match["flag"] == "T", comment)
    if match["whole"] is not None:
        return Card(name, int(match["whole"]), comment)
    if match["real"] is not None:
        return Card(name, float(match["real"].replace("D", "E")), comment)
    return Card(name, None, comment)


def _odd_card(image: str) -> Card:
    """The card as astropy reads it; of one that breaks the rules, what can be saved of its text."""
    from astropy.io import fits

    card = fits.Card.fromstring(image)
    value, comment = _content(card)
    return Card(card.keyword, None if isinstance(value, fits.card.Undefined) else value, comment)


def _content(card: fits.Card) -> tuple[Any, str]:
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


def properties_of(cards: list[Card]) -> PropertyList:
    """Names, values and comments of a header, in order, without the structural cards.

    COMMENT and HISTORY, and keywords that are repeated, become arrays. A card without a value is an
    empty string, a complex number text, and a card that breaks the FITS rules the text it holds. A
    repetition of another type replaces what was there.
    """
    properties = PropertyList()
    for card in cards:
        if is_structural(card.name):
            continue
        value = "" if card.value is None else card.value
        if isinstance(value, complex):
            value = str(value)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            value = float(value)
        try:
            properties.add(card.name, value, card.comment)
        except PropertyTypeError:
            properties.set(card.name, value, card.comment)
    return properties


def cards_of(properties: PropertyList) -> list[str]:
    """Header cards for a PropertyList, in order, without the structural ones.

    Returns:
        Text of one card each, of 80 characters or, for long strings, a multiple of that.

    Raises:
        ValueError: FITS cannot hold a name or a value: a text with line breaks or outside ASCII, an
            infinite number.
    """
    cards: list[str] = []
    for name, value, comment in properties.toList():
        if is_structural(name):
            continue
        if isinstance(value, DateTime):
            value = value.toString()
        try:
            for part in _parts(name, value):
                cards.append(common_image(name, part, comment) or _odd_image(name, part, comment))
        except (ValueError, TypeError) as error:
            raise ValueError(f"header entry '{name}' = {value!r:.80} cannot go into FITS: {error}") from error
    return cards


def common_image(name: str, value: bool | int | float | str, comment: str = "") -> str | None:
    """The text of a card in one of the common forms, its comment cut to fit; None for any other."""
    if name in _COMMENTARY and isinstance(value, str) and _PRINTABLE.fullmatch(value):
        return f"{name:8}{value}".ljust(CARD_WIDTH)
    if len(name) > 8 or not _NAME.fullmatch(name) or not _PRINTABLE.fullmatch(comment):
        return None
    if isinstance(value, bool):
        field = f"{'T' if value else 'F':>20}"
    elif isinstance(value, int):
        field = f"{value:>20}"
    elif isinstance(value, float):
        if not math.isfinite(value):
            return None
        field = f"{repr(value).upper():>20}"
    else:
        text = value.replace("'", "''")
        if len(text) > _STRING_WIDTH or not _PRINTABLE.fullmatch(text):
            return None
        quoted = f"'{text:8}'"
        field = f"{quoted:20}"
    image = f"{name:8}= {field}"
    return (f"{image} / {comment}" if comment else image)[:CARD_WIDTH].ljust(CARD_WIDTH)


def _parts(name: str, value: Any) -> list[Any]:
    """A long COMMENT or HISTORY goes into several cards; any other value is one."""
    if name not in _COMMENTARY or not isinstance(value, str):
        return [value]
    return [value[start : start + _TEXT_WIDTH] for start in range(0, max(len(value), 1), _TEXT_WIDTH)]


def _odd_image(name: str, value: Any, comment: str) -> str:
    """The text of a card as astropy writes it: long strings and keywords, and what it refuses."""
    from astropy.io import fits

    if name not in _COMMENTARY and (len(name) > 8 or not _NAME.fullmatch(name.upper())):
        name = f"HIERARCH {name}"
    with warnings.catch_warnings():
        # A comment that does not fit into its card is cut, as every FITS writer does.
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        return str(fits.Card(name, value, comment or None))
