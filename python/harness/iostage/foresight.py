# SPDX-License-Identifier: BSD-3-Clause
"""What the clipboards of the next visits will hold, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.clipboard import Clipboard
from harness.properties import PropertySet

__all__ = ["foreseen_clipboards"]


def foreseen_clipboards(clipboard: Clipboard, key: str, most: int) -> Iterator[Clipboard]:
    """Clipboards with what is known of the next visits, the nearest first.

    Under `key` may stand a list of dicts, one per visit, or a single one: what the harness knows from events that
    wait already, or what a stage has put there. Without that key the clipboards are empty, and what needs nothing
    from them can be known still.

    Args:
        clipboard: of this visit.
        key: where to look.
        most: how many at most.

    Raises:
        TypeError: under the key stands something else.
    """
    upcoming = clipboard.get(key)
    if upcoming is None:
        upcoming = [{}] * most
    elif isinstance(upcoming, (Mapping, PropertySet)):
        upcoming = [upcoming]
    if not isinstance(upcoming, (list, tuple)):
        raise TypeError(f"'{key}' on the clipboard must be a list of dicts, not {type(upcoming).__name__}")
    for visit in upcoming[:most]:
        if not isinstance(visit, (Mapping, PropertySet)):
            raise TypeError(f"'{key}' on the clipboard must hold dicts, not {type(visit).__name__}")
        foreseen = Clipboard()
        for name, value in visit.items():
            foreseen.put(name, value)
        yield foreseen
