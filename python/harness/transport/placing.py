# SPDX-License-Identifier: BSD-3-Clause
"""Giving arrays a place that other processes can read: the block they were born in, or a copy."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import _core
from harness.errors import ArenaFull, TransportError
from harness.transport.entry import Descriptor, Entry, Notes
from harness.transport.geometry import copy_into, extent, is_frozen, stored_bytes
from harness.transport.policy import SharePolicy

if TYPE_CHECKING:
    import numpy as np

    from harness.transport.arriving import Receiver

INLINE_BYTES = 64 * 1024
"""Arrays and buffers below this size travel inside the manifest."""

PIN_RATIO = 8
"""A view smaller than its block by more than this factor is copied: a cut-out must not pin a frame."""

MANIFEST_BYTES = 16 * 1024
"""The room a manifest gets at first."""

BORN_OUTSIDE = (
    "it lies in private memory",
    "make it with harness.empty, harness.zeros or harness.asarray, or fill one of those with out=,"
    " or compute it in `with harness.shared_arrays():`",
)
CUT_OUT = (
    "it is a small part of a block of {capacity} bytes, which it would keep from being freed",
    "copy it yourself with harness.asarray(array.copy()) or put the whole array",
)
OWN_REDUCTION = (
    "its class {kind} pickles itself in a way of its own",
    "put its arrays one by one, or a class that keeps its state in attributes",
)


class Place(NamedTuple):
    """Where the bytes of an array are: in a block, or here for the manifest to carry.

    `first` is the offset of element [0, 0, ...] from the start of those bytes, `strides` are in bytes.
    """

    descriptor: Descriptor | None
    inline: bytes
    first: int
    strides: tuple[int, ...]


class Placer:
    """Places the arrays of one clipboard item after another, and counts what it copied and shared.

    `receiver` knows the blocks that came from elsewhere in this visit, and is told of those that go. With
    `remember_copies` an array that is published again in the same visit is not copied again; only for
    publications that more than one clipboard receives, for a single receiver may have taken the copy over and
    changed it. Blocks are rooted in `visit_slot`.
    """

    def __init__(
        self, run: _core.Run, policy: SharePolicy, receiver: Receiver, remember_copies: bool, visit_slot: int
    ) -> None:
        self._run = run
        self._arena = run.arena
        self._policy = policy
        self._receiver = receiver
        self._remember_copies = remember_copies
        self._visit_slot = visit_slot
        self._key = ""
        self._manifests: dict[int, _core.HeldBlock] = {}
        self._sealing: list[np.ndarray] = []
        # Arrays copied in this visit, by identity. Forgotten with it: their blocks are free then.
        self.copies: dict[int, tuple[weakref.ref, int, Place]] = {}
        # Canvases moved in this publication: the array, and what stands for it now.
        self._moved: dict[int, tuple[np.ndarray, Place, np.ndarray]] = {}
        self._publication = 0
        self._in_band = 0
        self.copied = 0
        self.shared = 0
        self.relayed = False
        """Whether memory of the item has crossed before: others than the addressees may have received it."""

    # --- the life of a visit and of an item

    def end_visit(self) -> None:
        """Lets go of the manifests: everybody has read them."""
        self._manifests.clear()

    def begin_publication(self) -> None:
        """Starts a manifest: nothing is to be made read-only yet."""
        self._publication += 1

    def begin_item(self, key: str) -> None:
        """Starts counting for `key`, which messages name from here on."""
        self._key = key
        self.end_item()
        self.relayed = False

    def end_item(self) -> None:
        """Its counts are taken care of."""
        self.copied = self.shared = self._in_band = 0

    def seal(self, canvases: Iterable[np.ndarray]) -> None:
        """Ends a publication: makes its arrays read-only for their maker, too, apart from canvases."""
        spared = {id(canvas) for canvas in canvases}
        for array in self._sealing:
            if id(array) not in spared:
                array.flags.writeable = False
        self._forget_publication()

    def seal_items(self, items: list[tuple[Any, Any, bool]]) -> None:
        """The same for items (key, value, is a canvas) that no publication has placed one by one."""
        if not self._policy.snapshot and "numpy" in sys.modules:
            _core.seal_arrays(items)

    def abandon(self, notes: Notes) -> None:
        """Ends a publication that failed: nothing is sealed; `notes` gets the counts of its last item."""
        notes.add(self._key, self.copied, self.shared)
        self._forget_publication()

    def _forget_publication(self) -> None:
        self._sealing.clear()
        self._moved.clear()

    # --- placing

    def place(self, array: np.ndarray, owner: np.ndarray) -> Place:
        """Where others find the elements of `array`, a plain view of `owner`'s memory (or `owner` itself).

        Raises:
            ArenaFull: there is no shared memory for a copy.
            TransportError: a copy is needed, and the policy forbids it.
        """
        if not self._policy.snapshot:
            self._sealing.append(owner)
        if array.nbytes < INLINE_BYTES or (not array.flags.forc and stored_bytes(array) < INLINE_BYTES):
            return self._inline(array)
        if self._policy.snapshot:
            return self._copy(array)
        found = self._find(array, PIN_RATIO)
        if isinstance(found, Place):
            # What is read-only has crossed before, or is a view of what has.
            self.relayed = self.relayed or not owner.flags.writeable
            return found
        known = self._known_copy(owner, array)
        if known is not None:
            self._count_shared(stored_bytes(array))
            return known
        self._refuse_copy(array.nbytes, found)
        place = self._copy(array)
        self.copies[id(owner)] = (weakref.ref(owner), self._publication, place)
        return place

    def remember(self, array: np.ndarray, fields: tuple[Any, ...]) -> None:
        """Notes that `array` was copied to where the fields of its entry say."""
        self._publication += 1
        entry = Entry._make(fields)
        place = Place(entry.buffers[0], b"", entry.first, entry.strides)
        self.copies[id(array)] = (weakref.ref(array), self._publication, place)

    def place_canvas(self, array: np.ndarray) -> tuple[Place, np.ndarray]:
        """Where others find and change `array`, and the array that its maker has to use from now on."""
        import numpy as np

        self._run.spend(_core.Spent.CANVAS)
        found = self._find(array, 0)
        if isinstance(found, Place):
            return found, array
        if id(array) in self._moved:
            _, place, shared = self._moved[id(array)]
            self._count_shared(stored_bytes(array))
            return place, shared
        if array.nbytes >= INLINE_BYTES:
            self._refuse_copy(array.nbytes, BORN_OUTSIDE)
        size = max(1, stored_bytes(array))
        block = self._allocate(size)
        first, strides = copy_into(array, memoryview(block))
        self._root(block.ref)
        self._count_copied(size)
        shared = np.ndarray(array.shape, array.dtype, memoryview(block), first, strides)
        place = Place((block.ref, 0, size), b"", first, strides)
        self._moved[id(array)] = array, place, shared
        return place, shared

    def place_buffer(self, raw: memoryview) -> Descriptor | None:
        """The same for memory that an object offers to its pickle; `None` if it is better carried inline."""
        if raw.nbytes < INLINE_BYTES:
            return None
        import numpy as np

        flat = np.frombuffer(raw, np.uint8)
        # Not sealed: whose view of it would have to become read-only is the object's own affair.
        found = None if self._policy.snapshot else self._find(flat, PIN_RATIO)
        if isinstance(found, Place):
            return found.descriptor
        if found is not None:
            self._refuse_copy(flat.nbytes, found)
        return self._copy(flat).descriptor

    def count_in_band(self, size: int, kind: type) -> None:
        """Counts `size` array bytes that a class writes into the pickle itself; an error in strict mode."""
        if size < INLINE_BYTES:
            return
        why, cure = OWN_REDUCTION
        self._refuse_copy(size, (why.format(kind=f"{kind.__module__}.{kind.__qualname__}"), cure))
        self._count_copied(size)
        self._in_band += size

    def count_stream(self, size: int) -> None:
        """Counts a pickle that is large, by a long text, say, without what was counted as arrays."""
        if size >= INLINE_BYTES:
            self._count_copied(max(0, size - self._in_band))

    def write_manifest(self, manifest: bytes, slot: int | None) -> tuple[int, int]:
        """Writes `manifest` where the last one of this slot stood: the block's reference, and the length.

        By the next manifest of a slot everybody has read the last. Without a slot it stays until the visit is
        retired: a slice that starts its visit again reads it again. Either way the visit holds it, so that it
        outlives this process.
        """
        self._key = ""
        if slot is None:
            kept = self._allocate(len(manifest))
            kept.write(manifest)
            self._root(kept.ref)
            return kept.ref, len(manifest)
        block = self._manifests.get(slot)
        if block is None or block.nbytes < len(manifest):
            self._manifests.pop(slot, None)
            block = None
            block = self._manifests[slot] = self._allocate(max(len(manifest), MANIFEST_BYTES))
            self._root(block.ref)
        block.write(manifest)
        return block.ref, len(manifest)

    def let_stand(self, slot: int) -> None:
        """Leaves what was written last in this slot where it is until the visit is retired."""
        self._manifests.pop(slot, None)

    # --- parts

    def _find(self, array: np.ndarray, pin_ratio: int) -> Place | tuple[str, str]:
        """The place of an array that was born in the arena, else why it has to be copied, and the cure."""
        low, high, first = extent(array)
        found = self._arena.find(low)
        if found is None:
            return BORN_OUTSIDE
        ref, offset, capacity = found
        if offset + (high - low) > capacity:
            return BORN_OUTSIDE
        # Of a view that repeats elements, the memory behind it counts.
        size = min(array.nbytes, high - low)
        if pin_ratio and size * pin_ratio < capacity:
            return CUT_OUT[0].format(capacity=capacity), CUT_OUT[1]
        self._root(ref)
        self._receiver.sent.add(ref)
        self._count_shared(size)
        self.relayed = self.relayed or ref in self._receiver.arrived
        return Place((ref, offset, high - low), b"", first - low, array.strides)

    def _known_copy(self, owner: np.ndarray, view: np.ndarray) -> Place | None:
        """The copy made of this very array, if nobody can have written to the array since."""
        reference, publication, place = self.copies.get(id(owner), (None, 0, None))
        if reference is None or reference() is not owner:
            return None
        if publication == self._publication or (self._remember_copies and is_frozen(owner, view)):
            return place
        return None

    def _inline(self, array: np.ndarray) -> Place:
        buffer = bytearray(stored_bytes(array))
        first, strides = copy_into(array, buffer)
        return Place(None, bytes(buffer), first, strides)

    def _copy(self, array: np.ndarray) -> Place:
        size = stored_bytes(array)
        block = self._allocate(size)
        first, strides = copy_into(array, memoryview(block))
        self._root(block.ref)
        self._count_copied(size)
        return Place((block.ref, 0, size), b"", first, strides)

    def _refuse_copy(self, size: int, why: tuple[str, str]) -> None:
        if self._policy.strict:
            raise TransportError(
                f"clipboard key {self._key!r}: {size} array bytes would be copied, which copyPolicy"
                f' "strict" forbids: {why[0]}. Cure: {why[1]}'
            )

    def _root(self, ref: int) -> None:
        self._arena.set_root(ref, self._visit_slot)

    def _count_copied(self, size: int) -> None:
        self.copied += size
        self._run.count_copied(size)

    def _count_shared(self, size: int) -> None:
        self.shared += size
        self._run.count_shared(size)

    def _allocate(self, size: int) -> _core.HeldBlock:
        block: Any = self._arena.alloc(size)
        if isinstance(block, str):
            # Arrays in reference cycles hold their blocks until the collector runs, which counts objects, not
            # bytes.
            gc.collect()
            block = self._arena.alloc(size)
        if isinstance(block, str):
            what = f"clipboard key {self._key!r}" if self._key else "the list of what crosses"
            raise ArenaFull(
                f"no shared memory for {what}: {block}."
                " Raise arenaSize in the pipeline policy, or mark less as shareable",
                asked_bytes=size,
                stats=self._arena.stats(),
            )
        return block
