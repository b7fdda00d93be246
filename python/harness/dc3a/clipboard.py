# SPDX-License-Identifier: BSD-3-Clause
"""The clipboard of 2007, which raises for an absent key, and queues that hand it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.clipboard import Clipboard

if TYPE_CHECKING:
    from harness.queue import Queue

__all__ = ["INPUT_DATA", "Dc2Clipboard", "Dc2Queue"]

INPUT_DATA = "inputData"
"""Where the earliest harness put the payload of the event that a stage waited for, whatever its topic."""


class Dc2Clipboard:
    """A view of a clipboard with the methods of 2007.

    Args:
        clipboard: what is seen; a new one by default.
        topic: topic of the event that the stage waits for: its payload is also found as ``inputData``.
    """

    def __init__(self, clipboard: Clipboard | None = None, topic: str | None = None) -> None:
        self._clipboard = Clipboard() if clipboard is None else clipboard
        self._topic = topic

    def put(self, key: str, value: Any) -> None:
        """Store a value; never shareable."""
        self._clipboard.put(key, value)

    def get(self, key: str) -> Any:
        """The value; KeyError if there is none."""
        if key == INPUT_DATA and self._topic is not None and not self._clipboard.contains(key):
            return self._clipboard.getItem(self._topic)
        return self._clipboard.getItem(key)

    def getKeys(self) -> list[str]:
        """The keys."""
        return list(self._clipboard.getKeys())

    def close(self) -> None:
        """Forget all values."""
        self._clipboard.close()


class Dc2Queue:
    """A view of a queue through which `Dc2Clipboard`s are taken and added."""

    def __init__(self, queue: Queue, topic: str | None = None) -> None:
        self._queue = queue
        self._topic = topic
        # The stage that puts back what it took puts back the same view.
        self._seen: Dc2Clipboard | None = None

    def addDataset(self, clipboard: Dc2Clipboard | Clipboard | None) -> None:
        """Append at the tail."""
        self._queue.addDataset(clipboard._clipboard if isinstance(clipboard, Dc2Clipboard) else clipboard)

    def getNextDataset(self) -> Dc2Clipboard | None:
        """Remove and return the head, None when empty."""
        return self._view(self._queue.getNextDataset())

    def element(self) -> Dc2Clipboard | None:
        """The head, which stays in the queue; None when empty."""
        return self._view(self._queue.element())

    def size(self) -> int:
        """The number of clipboards in the queue."""
        return self._queue.size()

    def _view(self, clipboard: Clipboard | None) -> Dc2Clipboard | None:
        if clipboard is None:
            return None
        if self._seen is None or self._seen._clipboard is not clipboard:
            self._seen = Dc2Clipboard(clipboard, self._topic)
        return self._seen
