# SPDX-License-Identifier: BSD-3-Clause
"""First-in, first-out queue of clipboards between two consecutive stages."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.clipboard import Clipboard

__all__ = ["Queue"]


class Queue:
    """A FIFO of clipboards. An empty queue answers None; `size` tells it from a queued None."""

    __slots__ = ("_clipboards",)

    def __init__(self) -> None:
        self._clipboards: deque[Clipboard | None] = deque()

    def addDataset(self, clipboard: Clipboard | None) -> None:
        """Append at the tail."""
        self._clipboards.append(clipboard)

    def getNextDataset(self) -> Clipboard | None:
        """Remove and return the head, None when empty."""
        return self._clipboards.popleft() if self._clipboards else None

    def element(self) -> Clipboard | None:
        """The head, which stays in the queue; None when empty."""
        return self._clipboards[0] if self._clipboards else None

    def size(self) -> int:
        """The number of clipboards in the queue."""
        return len(self._clipboards)

    def __repr__(self) -> str:
        return f"<Queue of {len(self._clipboards)} clipboard(s)>"
