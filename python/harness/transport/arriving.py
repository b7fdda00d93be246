# SPDX-License-Identifier: BSD-3-Clause
"""What has arrived from another process: built at its first use, read-only, or taken over."""

from __future__ import annotations

import copy as copying
import pickle
import weakref
from typing import TYPE_CHECKING, Any

from harness import _core
from harness.clipboard import Pending
from harness.errors import TransportError
from harness.transport.entry import Descriptor, Entry, Notes

if TYPE_CHECKING:
    import numpy as np

    from harness._crossing import PlainArray


class Receiver:
    """What the values that arrive in one process have in common."""

    def __init__(self, run: _core.Run) -> None:
        self.run = run
        self.arena = run.arena
        self.arrived: dict[int, int] = {}
        """How often each block has arrived in this visit, under whatever key."""
        self.sent: set[int] = set()
        """Blocks that were sent from here in this visit, whoever made them."""
        self.notes = Notes()
        """Bytes that no item stands for, since they were told last."""

    def deliver(self, entry: Entry, audience: int) -> Pending | None:
        """What goes on the clipboard for `entry`, which `audience` clipboards receive; `None` for a note."""
        if entry.kind == _core.ENTRY_NOTE:
            return None
        for ref, _, _ in entry.buffers:
            self.arrived[ref] = self.arrived.get(ref, 0) + 1
        if entry.kind == _core.ENTRY_ARRAY:
            return ArrivedArray(self, entry, audience)
        return ArrivedObject(self, entry)

    def take_arrived(self, array: PlainArray, audience: int, owned: list, copy: bool) -> np.ndarray:
        """As `Pending.take`, of an array that arrived by the short way for `audience` clipboards."""
        return ArrivedArray(self, Entry._make(array.fields()), audience).take(owned, copy)

    def take_sent(self, array: PlainArray, owned: list, copy: bool) -> Any:
        """As `Pending.take`, of an array that went by the short way."""
        return Sent(self, Entry._make(array.fields())).take(owned, copy)

    def copy_for_taking(self, key: str, value: Any, copy: bool, why: str, size: int) -> Any:
        """A deep copy of a value that others can see, `size` bytes of which are known to be large parts.

        Raises `TransportError` if a copy will not do.
        """
        if not copy:
            raise TransportError(
                f"clipboard key {key!r}: take(copy=False) cannot hand it over: {why}."
                " Use take(key) for a copy"
            )
        taken = copying.deepcopy(value)
        size = max(size, array_bytes(taken))
        self.run.count_copied(size)
        self.notes.add(key, size)
        return taken


class ArrivedArray(Pending):
    """An array in a block of another process; becomes a view of it, read-only unless it is a canvas."""

    def __init__(self, receiver: Receiver, entry: Entry, audience: int) -> None:
        self._receiver = receiver
        self._entry = entry
        self._audience = audience

    def materialise(self) -> np.ndarray:
        return self._view(self._hold(bool(self._entry.flags & _core.ENTRY_WRITEABLE)))

    def take(self, owned: list, copy: bool) -> np.ndarray:
        # Held before the value goes, and for what comes of it.
        block = self._hold(True)
        why = self._why_not_mine() or self._why_not_let_go(owned)
        if not why:
            self._receiver.run.spend(_core.Spent.TAKEN)
            return self._view(block)
        array = owned[0] if owned else self.materialise()
        taken: np.ndarray = self._receiver.copy_for_taking(self._entry.key, array, copy, why, 0)
        return taken

    def _hold(self, writeable: bool) -> _core.HeldBlock:
        ref, offset, size = self._entry.buffers[0]
        return self._receiver.arena.hold(ref, offset + size, writeable)

    def _view(self, block: _core.HeldBlock) -> np.ndarray:
        entry = self._entry
        first = entry.buffers[0][1] + entry.first
        view: np.ndarray = _core.view_block(block, first, entry.payload, entry.shape, entry.strides)
        return view

    def _why_not_let_go(self, owned: list) -> str:
        """Drops the value in `owned` and looks whether anybody here holds it still; then it stays there."""
        value = weakref.ref(owned.pop()) if owned else None
        if self._receiver.arena.hold_count(self._entry.buffers[0][0]) == 1:
            return ""
        array = value() if value is not None else None
        if array is not None:
            owned.append(array)
        return "it is in use here under another name: a variable, an attribute, another key or a view of it"

    def _why_not_mine(self) -> str:
        """Why the block cannot be handed over to whoever holds it once in this process; empty if it can."""
        ref = self._entry.buffers[0][0]
        arena = self._receiver.arena
        if self._entry.flags & _core.ENTRY_WRITEABLE:
            return "it is a canvas that all may write to"
        if self._audience != 1:
            return f"{self._audience} clipboards have received it"
        if self._entry.flags & _core.ENTRY_RELAYED:
            return "its memory has crossed before, to others"
        if self._receiver.arrived.get(ref) != 1:
            return "it has arrived more than once, or under several keys"
        if ref in self._receiver.sent:
            return "it was sent on from here, under another key"
        if len(arena.holders(ref)) > 1:
            return "the process that made it still holds it"
        return ""


class ArrivedObject(Pending):
    """A pickled object; its large buffers are views of blocks."""

    def __init__(self, receiver: Receiver, entry: Entry) -> None:
        self._receiver = receiver
        self._entry = entry

    def materialise(self) -> Any:
        writeable = bool(self._entry.flags & _core.ENTRY_WRITEABLE)
        return self._load([self._view(buffer, writeable) for buffer in self._entry.buffers])

    def take(self, owned: list, copy: bool) -> Any:
        value = owned[0] if owned else self.materialise()
        why = "it is an object whose parts were pickled" if self._entry.buffers else "it was pickled"
        size = sum(length for _, _, length in self._entry.buffers)
        return self._receiver.copy_for_taking(self._entry.key, value, copy, why, size)

    def _view(self, buffer: Descriptor, writeable: bool) -> memoryview:
        ref, offset, size = buffer
        block = self._receiver.arena.hold(ref, offset + size, writeable)
        return memoryview(block)[offset : offset + size]

    def _load(self, buffers: list[memoryview]) -> Any:
        try:
            return pickle.loads(self._entry.payload, buffers=buffers)
        except Exception as error:
            raise TransportError(
                f"clipboard key {self._entry.key!r}: it arrived from another process, but cannot be rebuilt"
                f" here: {type(error).__name__}: {error}"
            ) from error


class Sent(Pending):
    """What a clipboard remembers of an own value that has crossed: others may be reading it."""

    def __init__(self, receiver: Receiver, entry: Entry) -> None:
        self._receiver = receiver
        self._key = entry.key
        self._size = entry.bytes_copied + entry.bytes_shared

    def take(self, owned: list, copy: bool) -> Any:
        why = "it was sent, and others may be reading it"
        return self._receiver.copy_for_taking(self._key, owned[0], copy, why, self._size)


def array_bytes(value: Any) -> int:
    """The bytes of an array, or of what says how many it has; 0 for anything else."""
    size = getattr(value, "nbytes", 0)
    return size if type(size) is int else 0
