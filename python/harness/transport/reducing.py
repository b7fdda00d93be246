# SPDX-License-Identifier: BSD-3-Clause
"""Pickling with every array out of band: masked arrays, records, subclasses and strided views, too.

Pickle's own protocol 5 writes all of those into its stream. Here an array of any class is reduced to its
memory (an arena descriptor, or bytes if it is small), its geometry, its class and its attributes. Arrays come
out read-only, whatever their size.
"""

from __future__ import annotations

import io
import pickle
import sys
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, TransportError
from harness.transport.blame import name_culprit
from harness.transport.entry import Descriptor
from harness.transport.geometry import view_of
from harness.transport.placing import Place, Placer

if TYPE_CHECKING:
    import numpy as np

REDUCTION = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs_ex__")
PRIVATE_ATTRIBUTES = {"_mmap"}
"""Attributes of array classes that name memory, not state: the file behind a `numpy.memmap`."""

STATE_IN_ATTRIBUTES = {("numpy.ma", "MaskedArray"), ("astropy.units", "Quantity")}
"""Classes (by the start of their module) whose own reduction carries their attributes and no more."""


def pickle_value(key: str, value: Any, placer: Placer) -> tuple[bytes, list[Descriptor]]:
    """`value` as a stream, and the places of the buffers that the stream leaves out, in order.

    Raises:
        TransportError: something in it cannot be pickled; the message says what, and where in the value.
        ArenaFull: there is no shared memory for a buffer.
    """
    stream = io.BytesIO()
    buffers = _Buffers(placer)
    try:
        _ArrayPickler(stream, placer, buffers).dump(value)
    except HarnessError:
        raise
    except Exception as error:
        raise TransportError(name_culprit(key, value, error)) from error
    placer.count_stream(stream.tell())
    return stream.getvalue(), buffers.descriptors


class _Canvas:
    """Stands for an array in the stream, and comes out as one over the stream's only buffer."""

    def __init__(self, array: np.ndarray, place: Place) -> None:
        self._view = type(array), array.dtype, array.shape, place.first, place.strides

    def __reduce__(self) -> tuple:
        return view_of, (pickle.PickleBuffer(bytearray(1)), *self._view)


def pickle_canvas(array: np.ndarray, place: Place) -> bytes:
    """The stream of an array whose dtype has no short name, with the block of `place` as its buffer."""
    return pickle.dumps(_Canvas(array, place), protocol=5, buffer_callback=lambda buffer: False)


class _Buffers:
    """What the stream leaves out.

    Not part of the pickler: one that knows itself lives, with all that it has pickled, until the garbage
    collector comes by.
    """

    def __init__(self, placer: Placer) -> None:
        self._placer = placer
        # A placeholder stands in the stream's object graph for each range that was placed already.
        self._placed: dict[int, tuple[pickle.PickleBuffer, Descriptor]] = {}
        self.descriptors: list[Descriptor] = []

    def stand_in(self, place: Place) -> Any:
        """What goes into the object graph for the bytes at `place`."""
        if place.descriptor is None:
            return place.inline
        # Its contents never travel. As it is writeable, pickle adds no read-only wrapper of its own.
        buffer = pickle.PickleBuffer(bytearray(1))
        self._placed[id(buffer)] = (buffer, place.descriptor)
        return buffer

    def leave_out(self, buffer: pickle.PickleBuffer) -> bool:
        """Called by pickle for every buffer; true if its bytes go into the stream all the same."""
        placed = self._placed.get(id(buffer))
        descriptor = placed[1] if placed is not None else self._placer.place_buffer(buffer.raw())
        if descriptor is None:
            return True
        self.descriptors.append(descriptor)
        return False


class _ArrayPickler(pickle.Pickler):
    """Reduces arrays of every class by `Placer`; leaves everything else to pickle."""

    def __init__(self, stream: io.BytesIO, placer: Placer, buffers: _Buffers) -> None:
        super().__init__(stream, protocol=5, buffer_callback=buffers.leave_out)
        self._placer = placer
        self._buffers = buffers
        numpy = sys.modules.get("numpy")
        self._ndarray: Any = numpy.ndarray if numpy is not None else ()

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, self._ndarray):
            return NotImplemented
        if obj.dtype.hasobject:
            return self._reduce_objects(obj)
        kind = type(obj)
        if kind is self._ndarray:
            return self._reduce_view(obj, obj, kind)
        masked = sys.modules.get("numpy.ma")
        if not _keeps_state_in_attributes(kind, self._ndarray):
            self._placer.count_in_band(obj.nbytes, kind)
            return NotImplemented
        plain = self._ndarray.view(obj, self._ndarray)
        if masked is not None and isinstance(obj, masked.MaskedArray):
            return self._reduce_masked(obj, plain, masked.nomask)
        own = getattr(obj, "__dict__", {})
        attributes = {k: v for k, v in own.items() if k not in PRIVATE_ATTRIBUTES}
        reduced = self._reduce_view(obj, plain, kind)
        return (*reduced, attributes, None, None, set_attributes) if attributes else reduced

    def _reduce_view(self, owner: np.ndarray, plain: np.ndarray, kind: type) -> tuple:
        place = self._placer.place(plain, owner)
        buffer = self._buffers.stand_in(place)
        return view_of, (buffer, kind, plain.dtype, plain.shape, place.first, place.strides)

    def _reduce_masked(self, obj: Any, plain: np.ndarray, nomask: Any) -> tuple:
        place = self._placer.place(plain, obj)
        mask = None if obj._mask is nomask else obj._mask
        attributes = {name: value for name, value in obj.__dict__.items() if name != "_mask"}
        view = (self._buffers.stand_in(place), plain.dtype, plain.shape, place.first, place.strides)
        return build_masked, (type(obj), mask, *view), attributes, None, None, set_attributes

    def _reduce_objects(self, obj: np.ndarray) -> Any:
        reduced = obj.__reduce__()
        if len(reduced) != 3:
            return NotImplemented
        return (*reduced, None, None, set_state_and_freeze)


def _keeps_state_in_attributes(kind: type, ndarray: type) -> bool:
    """Whether memory, class and attributes are all there is to an instance of this array class."""
    for cls in kind.__mro__[: kind.__mro__.index(ndarray)]:
        own = [name for name in REDUCTION if name in vars(cls)]
        known = any(
            cls.__module__.startswith(module) and cls.__name__ == name for module, name in STATE_IN_ATTRIBUTES
        )
        if own and not known:
            return False
    return True


# --- called when a stream is read, in another process


def build_masked(
    kind: type, mask: Any, buffer: Any, dtype: Any, shape: tuple[int, ...], first: int,
    strides: tuple[int, ...],
) -> Any:
    """A masked array of class `kind` over `buffer`; `mask` is an array or `None`."""
    import numpy as np

    array: Any = view_of(buffer, np.ndarray, dtype, shape, first, strides).view(kind)
    array._mask = np.ma.nomask if mask is None else mask
    return array


def set_attributes(array: Any, attributes: dict[str, Any]) -> None:
    """Gives an array its attributes back, past any `__setattr__` of its class."""
    array.__dict__.update(attributes)


def set_state_and_freeze(array: Any, state: tuple) -> None:
    """Fills an array of Python objects, and makes it read-only as arrays of numbers are."""
    array.__setstate__(state)
    array.flags.writeable = False
