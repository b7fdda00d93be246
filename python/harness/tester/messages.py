# SPDX-License-Identifier: BSD-3-Clause
"""The messages of a tested run: clipboards, exceptions, log records, and how the master ended."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.clipboard import Clipboard
from harness.tester.channel import split

if TYPE_CHECKING:
    from harness.births import Coverage
    from harness.log import LogRecord

__all__ = [
    "MASTER",
    "Ended",
    "Failure",
    "PackedClipboard",
    "Told",
    "pack_clipboard",
    "pack_error",
    "unpack_clipboard",
    "who",
]

MASTER = -1
"""The rank of the master."""


@dataclass(frozen=True)
class Failure:
    """What was raised: the exception pickled (None if it cannot be), where and how as text.

    `order` is (visit, stage, rank): of several, the least is the one that the test is told of.
    """

    pickled: bytes | None
    text: str
    order: tuple[int, int, int]


@dataclass(frozen=True)
class PackedClipboard:
    """A clipboard at the end of a visit: by key a pickle, and how many buffers it has.

    Without items there is none: a stage has kept it.
    """

    visit: int
    rank: int
    items: dict[str, tuple[bytes, int]] | None
    shared: tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """A record of a log, and the rank that it came from."""

    rank: int
    record: LogRecord


@dataclass(frozen=True)
class Ended:
    """How the pipeline ended in the master: with what it raised, or failures of stages that it contained.

    `coverage` is what the master has found out about NumPy's allocations.
    """

    failure: Failure | None
    contained: bool = False
    coverage: Coverage | None = None


def pack_clipboard(
    clipboard: Clipboard | None, visit: int, rank: int
) -> tuple[PackedClipboard, list[memoryview]]:
    """The message for a clipboard, and its buffers. TypeError names a value that does not pickle."""
    if clipboard is None:
        return PackedClipboard(visit, rank, None, ()), []
    items, buffers = {}, []
    for key in clipboard.getKeys():
        try:
            pickled, large = split(clipboard.get(key))
        except Exception as error:
            raise TypeError(
                f"the clipboard of {who(rank)} holds a value under {key!r} that cannot be brought back to the"
                f" test, for it does not pickle: {error}"
            ) from error
        items[key] = (pickled, len(large))
        buffers += large
    return PackedClipboard(visit, rank, items, tuple(clipboard.getSharedKeys())), buffers


def unpack_clipboard(packed: PackedClipboard, buffers: Sequence[bytearray]) -> Clipboard | None:
    """The clipboard of a message; only ever called on what an own fork has sent."""
    if packed.items is None:
        return None
    clipboard, rest = Clipboard(), iter(buffers)
    for key, (pickled, count) in packed.items.items():
        value = pickle.loads(pickled, buffers=[next(rest) for _ in range(count)])
        clipboard.put(key, value, key in packed.shared)
    return clipboard


def pack_error(error: BaseException, text: str, order: tuple[int, int, int]) -> Failure:
    """The message for an exception."""
    try:
        pickled: bytes | None = pickle.dumps(error)
        # Some pickle, and cannot be made again.
        pickle.loads(pickled or b"")
    except Exception:
        pickled = None
    return Failure(pickled, text, order)


def who(rank: int) -> str:
    """The master or a slice, in words."""
    return "the master" if rank == MASTER else f"slice {rank}"
