# SPDX-License-Identifier: BSD-3-Clause
"""One item of a manifest, as the core hands it over the language border; and byte counts without an item."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from harness import _core

Descriptor = tuple[int, int, int]
"""A range of bytes in shared memory: block reference, offset within the block, length."""


class Entry(NamedTuple):
    """One clipboard item on its way. Sizes and offsets in bytes.

    `kind` is one of `_core.ENTRY_ARRAY`, `ENTRY_PICKLE`, `ENTRY_NOTE`. For an array `payload` is its dtype
    and `buffers` has one element; for a pickle it is the stream and `buffers` what the stream leaves out.
    """

    key: str
    kind: int
    flags: int
    payload: bytes
    bytes_copied: int
    bytes_shared: int
    buffers: list[Descriptor]
    first: int = 0
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()


class Notes:
    """Bytes that belong to no item that crosses, by key: of `take`, and of crossings that failed."""

    def __init__(self) -> None:
        self._copied: Counter[str] = Counter()
        self._shared: Counter[str] = Counter()
        self.are_there = False
        """Whether there is anything to tell."""

    def add(self, key: str, copied: int, shared: int = 0) -> None:
        """Adds bytes that were copied and shared under `key`."""
        self.are_there = self.are_there or bool(copied or shared)
        if copied:
            self._copied[key] += copied
        if shared:
            self._shared[key] += shared

    def entries(self) -> list[Entry]:
        """The notes, as entries that bring nothing."""
        keys, copied, shared = {**self._copied, **self._shared}, self._copied, self._shared
        return [Entry(key, _core.ENTRY_NOTE, 0, b"", copied[key], shared[key], []) for key in keys]

    def clear(self) -> None:
        """Forgets them: they were told."""
        self.are_there = False
        self._copied.clear()
        self._shared.clear()
