# SPDX-License-Identifier: BSD-3-Clause
"""Publishing what a clipboard marks shareable, and receiving it in another process.

Publication happens at the crossing. A plain array crosses as a descriptor of the block it lives in; one in
private memory is copied into a block once, and counted. Any other object crosses as a protocol 5 pickle whose
large buffers are such descriptors. Blocks are rooted in their visit, so that they live until it is retired.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness import _core
from harness.clipboard import Clipboard, Pending
from harness.errors import ArenaFull, TransportError

if TYPE_CHECKING:
    import numpy as np

INLINE_BYTES = 64 * 1024
"""Arrays and buffers below this size travel inside the manifest."""

PIN_RATIO = 8
"""A view smaller than its block by more than this factor is copied: a cut-out must not pin a frame."""

VISIT_SLOT = 0
"""One visit is in flight at a time: all of its blocks are rooted in this slot."""

Descriptor = tuple[int, int, int]


class Transport:
    """One process's end of the crossing. Not thread-safe: used by the thread that runs stage code."""

    def __init__(self, run: _core.Run) -> None:
        self._run = run
        self._arena = run.arena

    # --- publishing

    def publish(self, clipboard: Clipboard) -> tuple[int, int]:
        """Publishes what became shareable since the last call; returns the manifest's (reference, length).

        A length of 0 means that there was nothing. Raises `ArenaFull` or `TransportError`.
        """
        fresh = clipboard._take_unpublished()
        if not fresh:
            return (0, 0)
        manifest = _core.encode_manifest([self._entry(str(key), value) for key, value in fresh])
        block = self._allocate(len(manifest), "a manifest")
        memoryview(block)[:] = manifest
        self._arena.set_root(block.ref, VISIT_SLOT)
        return (block.ref, len(manifest))

    def _entry(self, key: str, value: Any) -> tuple:
        if _is_plain_array(value) and value.nbytes >= INLINE_BYTES:
            descriptor, first, strides = self._describe(value, key)
            value.flags.writeable = False
            return (
                key, _core.ENTRY_ARRAY, value.dtype.str.encode(), [descriptor], first, value.shape, strides,
            )
        return (key, _core.ENTRY_PICKLE, *self._pickle(key, value), 0, (), ())

    def _describe(self, array: np.ndarray, key: str) -> tuple[Descriptor, int, tuple[int, ...]]:
        """The block of `array`, the offset of its first element in the described range, and its strides."""
        low, high = _byte_bounds(array)
        found = self._arena.find(low)
        if found is not None:
            ref, offset, capacity = found
            if offset + (high - low) <= capacity and array.nbytes * PIN_RATIO >= capacity:
                self._arena.set_root(ref, VISIT_SLOT)
                self._run.count_shared(array.nbytes)
                return (ref, offset, high - low), array.__array_interface__["data"][0] - low, array.strides
        return self._copy_in(array, key)

    def _copy_in(self, array: np.ndarray, key: str) -> tuple[Descriptor, int, tuple[int, ...]]:
        import numpy as np

        block = self._allocate(array.nbytes, f"clipboard item {key!r}")
        target = np.ndarray(array.shape, array.dtype, buffer=memoryview(block))
        np.copyto(target, array)
        self._run.count_copied(array.nbytes)
        self._arena.set_root(block.ref, VISIT_SLOT)
        return (block.ref, 0, array.nbytes), 0, target.strides

    def _pickle(self, key: str, value: Any) -> tuple[bytes, list[Descriptor]]:
        descriptors: list[Descriptor] = []

        def keep_out_of_band(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes < INLINE_BYTES:
                return True
            import numpy as np

            flat = np.frombuffer(raw, np.uint8)
            descriptors.append(self._describe(flat, key)[0])
            return False

        stream = io.BytesIO()
        try:
            _Pickler(stream, protocol=5, buffer_callback=keep_out_of_band).dump(value)
        except ArenaFull:
            raise
        except Exception as error:
            raise TransportError(
                f"clipboard item {key!r} is marked shareable, but its type"
                f" {type(value).__module__}.{type(value).__qualname__} cannot be sent to another process:"
                f" {type(error).__name__}: {error}. Mark it not shareable, or make it picklable"
            ) from error
        return stream.getvalue(), descriptors

    def _allocate(self, size: int, what: str) -> _core.HeldBlock:
        block = self._arena.alloc(size)
        if isinstance(block, str):
            raise ArenaFull(
                f"no shared memory for {what}: {block}."
                " Raise arenaSize in the pipeline policy, or mark less as shareable",
                asked_bytes=size,
                stats=self._arena.stats(),
            )
        return block

    # --- receiving

    def receive(self, ref: int, length: int, deliver: Callable[[str, Pending], None]) -> None:
        """Hands each item of a manifest to `deliver(key, pending)`; nothing is built before its first use."""
        if length == 0:
            return
        for key, kind, payload, buffers, first, shape, strides in _core.decode_manifest(
            self._arena, ref, length
        ):
            if kind == _core.ENTRY_ARRAY:
                deliver(key, PendingArray(self._arena, payload.decode(), buffers[0], first, shape, strides))
            else:
                deliver(key, PendingObject(self._arena, key, payload, buffers))


class PendingArray(Pending):
    """An array that lives in a block of another process; becomes a read-only view of it."""

    def __init__(
        self, arena: _core.Arena, dtype: str, buffer: Descriptor, first: int, shape: tuple[int, ...],
        strides: tuple[int, ...],
    ) -> None:
        self._arena = arena
        self._dtype = dtype
        self._buffer = buffer
        self._first = first
        self._shape = shape
        self._strides = strides

    def materialise(self) -> np.ndarray:
        import numpy as np

        ref, offset, size = self._buffer
        block = self._arena.hold(ref, offset + size)
        return np.ndarray(self._shape, self._dtype, memoryview(block), offset + self._first, self._strides)


class PendingObject(Pending):
    """A pickled object; its large buffers are read-only views of blocks."""

    def __init__(self, arena: _core.Arena, key: str, stream: bytes, buffers: list[Descriptor]) -> None:
        self._arena = arena
        self._key = key
        self._stream = stream
        self._buffers = buffers

    def materialise(self) -> Any:
        views = [
            memoryview(self._arena.hold(ref, offset + size))[offset : offset + size]
            for ref, offset, size in self._buffers
        ]
        try:
            return pickle.loads(self._stream, buffers=views)
        except Exception as error:
            raise TransportError(
                f"clipboard item {self._key!r} arrived from another process, but cannot be rebuilt here:"
                f" {type(error).__name__}: {error}"
            ) from error


class _Pickler(pickle.Pickler):
    """Makes the arrays whose buffers are published read-only, as an array published by itself is."""

    def reducer_override(self, obj: Any) -> Any:
        if _is_ndarray(obj) and obj.nbytes >= INLINE_BYTES and obj.flags.forc and not obj.dtype.hasobject:
            obj.flags.writeable = False
        return NotImplemented


def _is_ndarray(value: Any) -> bool:
    kind = type(value)
    return kind.__name__ == "ndarray" and kind.__module__ == "numpy"


def _is_plain_array(value: Any) -> bool:
    if not _is_ndarray(value):
        return False
    kind = value.dtype
    if kind.names is not None or kind.hasobject:
        return False
    import numpy as np

    # A dtype that its own short name does not give back (one registered by an extension, say) needs a pickle.
    return np.dtype(kind.str) == kind


def _byte_bounds(array: np.ndarray) -> tuple[int, int]:
    """The addresses of the first byte of `array` and of the one past its last, whatever its strides."""
    low = high = array.__array_interface__["data"][0]
    for extent, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            low += (extent - 1) * stride
        else:
            high += (extent - 1) * stride
    return low, high + array.itemsize
