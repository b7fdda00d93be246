# SPDX-License-Identifier: BSD-3-Clause
"""The cards of a FITS header as they stand in a file, and the content of those in the plain forms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Cards", "card_images", "plain_content"]

_WIDTH = 80
# FITS 4.0, sections 4.1.2 and 4.2: a keyword, "= ", one value, and a comment behind a slash.
_PLAIN = re.compile(
    r"(?P<name>[A-Z0-9_-]{1,8}) *(?<=^.{8})= +"
    r"(?:'(?P<text>(?:[^'&]|'')*)'|(?P<truth>[TF])|(?P<integer>[+-]?\d{1,18})"
    r"|(?P<real>[+-]?(?:\d+\.\d*|\.\d+|\d+(?=[ED]))(?:[ED][+-]?\d+)?))"
    r"(?: *| */(?P<comment>.*))"
)
_COMMENTARY = ("COMMENT ", "HISTORY ")


class Cards(Mapping[str, Any]):
    """The cards of a header: a mapping from keywords to values, the first of each, and all of them in order.

    Args:
        content: whole blocks.
    """

    def __init__(self, content: bytes) -> None:
        self.images = list(card_images(content))
        self.contents = [plain_content(image) for image in self.images]
        self._values: dict[str, Any] = {}
        for image, plain in zip(self.images, self.contents, strict=True):
            name = image[:8].rstrip() if plain is None else plain[0]
            self._values.setdefault(name, _Unread(image) if plain is None else plain[1])

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        return value.read() if isinstance(value, _Unread) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True)
class _Unread:
    """A card of none of the plain forms, which astropy reads when somebody asks for its value."""

    image: str

    def read(self) -> Any:
        from astropy.io import fits

        return fits.Card.fromstring(self.image).value


def card_images(content: bytes) -> Iterator[str]:
    """The cards of a header, up to END; those that continue the text of another are joined to it.

    Args:
        content: whole blocks.
    """
    text = content.decode("latin-1")
    image = ""
    for start in range(0, len(text), _WIDTH):
        card = text[start : start + _WIDTH]
        if card.startswith("CONTINUE") and image:
            image += card
            continue
        if image:
            yield image
        if card.startswith("END     "):
            return
        image = card
    if image:
        yield image


def plain_content(image: str) -> tuple[str, Any, str] | None:
    """Keyword, value and comment of a card, or None where it takes more to understand it."""
    if len(image) != _WIDTH or not (image.isascii() and image.isprintable()):
        return None
    if image.startswith(_COMMENTARY):
        return image[:7], image[8:].rstrip(), ""
    found = _PLAIN.fullmatch(image)
    if found is None:
        return None
    comment = (found["comment"] or "").strip()
    if found["text"] is not None:
        return found["name"], found["text"].replace("''", "'").rstrip(), comment
    if found["truth"] is not None:
        return found["name"], found["truth"] == "T", comment
    if found["integer"] is not None:
        return found["name"], int(found["integer"]), comment
    return found["name"], float(found["real"].replace("D", "E")), comment
