# SPDX-License-Identifier: BSD-3-Clause
"""One item of a manifest, as the core hands it over the language border."""

from __future__ import annotations

from typing import NamedTuple

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
