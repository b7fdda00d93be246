# cython: language_level=3, boundscheck=False, wraparound=False
# SPDX-License-Identifier: BSD-3-Clause
"""The clipboard: a private dictionary of one Pipeline or Slice, with a shareable mark per key."""

import sys

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE
from cpython.buffer cimport PyBuffer_IsContiguous, PyBuffer_Release, PyObject_GetBuffer


cdef class Pending:
    """A value that has crossed: one that arrived from another process and is built at its first use, or what
    the clipboard remembers of a value it has published.

    Subclasses implement `materialise()`, which returns the value or raises, and `take(owned, copy)`, which
    returns a writeable value. The list `owned` has what `materialise()` gave, and is empty if it was not asked;
    it has the clipboard's only reference, so that the value ends there if nobody else uses it.
    """

    def materialise(self):
        raise NotImplementedError("materialise")

    def take(self, owned, copy):
        raise NotImplementedError("take")


cdef class Pixels:
    """The memory of an array, for compiled code: pointer, shape and strides, valid while this object lives.

    Made by `Clipboard.pixels()`, which only Cython sees. Raises `TypeError` for a value without memory of its
    own kind, `ValueError` or `BufferError` for a read-only array that was asked for writing.
    """

    def __cinit__(self, owner, bint writeable):
        cdef int flags = PyBUF_FORMAT | PyBUF_STRIDES
        cdef int axis
        if writeable:
            flags |= PyBUF_WRITABLE
        PyObject_GetBuffer(owner, &self._buffer, flags)
        self._acquired = True
        self.owner = owner
        self.data = <char*> self._buffer.buf
        self.ndim = self._buffer.ndim
        self.shape = self._buffer.shape
        self.strides = self._buffer.strides
        self.itemsize = self._buffer.itemsize
        self.format = self._buffer.format
        self.writeable = not self._buffer.readonly
        self.contiguous = PyBuffer_IsContiguous(&self._buffer, b"C") != 0
        self.size = 1
        for axis in range(self.ndim):
            self.size *= self.shape[axis]

    def __dealloc__(self):
        if self._acquired:
            PyBuffer_Release(&self._buffer)


cdef class Clipboard:
    """Key/value container handed from stage to stage inside one Pipeline or one Slice.

    Values are arbitrary objects, keys are strings by convention. A key may be marked shareable: its value then
    crosses to the other side (master to slices before `process`, slices to master before `postprocess`) once per
    `put`, or once per change of the mark; stages with `shareData` also exchange it between slices. Arrays that
    have crossed are read-only on both sides, unless they are canvases.
    """

    def __init__(self):
        self._values = {}
        self._shareable = set()
        self._canvases = set()
        self._unpublished = {}
        self._origins = {}
        self._gathered = {}

    cdef object _settle(self, key, Pending pending):
        value = pending.materialise()
        self._values[key] = value
        self._origins[key] = pending
        return value

    def _take_crossed(self, key, pending, owned, copy):
        # The clipboard's own reference must not count; what is refused comes back.
        self._values[key] = pending
        try:
            return pending.take(owned, copy)
        except BaseException:
            if owned:
                self._values[key] = owned[0]
            raise

    cdef object _forget(self, key):
        # What is known about a value that is replaced or removed.
        self._origins.pop(key, None)
        self._canvases.discard(key)

    cpdef put(self, key, value, bint isShareable=False, bint writeable=False):
        """Stores `value` under `key`, overwriting both an earlier value and its shareable mark.

        Args:
            key: the name.
            value: any object.
            isShareable: whether the value crosses to the other side at the next crossing.
            writeable: makes the value a *canvas*, an array that stays writeable for its maker and for all who
                receive it. Each should fill a part of its own. An array from outside shared memory moves there
                at the crossing: `get(key)` gives the shared one from then on.

        Raises:
            TypeError: a canvas that is no `numpy.ndarray`, or one of Python objects.
            ValueError: a canvas that is not shareable, or is read-only.
        """
        if writeable:
            _require_canvas(key, value, isShareable)
        self._values[key] = value
        if self._origins or self._canvases:
            self._forget(key)
        if isShareable:
            self._shareable.add(key)
            self._unpublished[key] = None
            if writeable:
                self._canvases.add(key)
        elif key in self._shareable:
            self._shareable.discard(key)
            self._unpublished.pop(key, None)

    cpdef get(self, key, defValue=None):
        """The value under `key`, or `defValue` when it is absent."""
        value = self._values.get(key, defValue)
        if isinstance(value, Pending):
            return self._settle(key, <Pending> value)
        return value

    cpdef getItem(self, key):
        """The value under `key`. Raises `KeyError` if it is absent."""
        value = self._values[key]
        if isinstance(value, Pending):
            return self._settle(key, <Pending> value)
        return value

    cpdef take(self, key, bint copy=True):
        """Removes `key` and returns its value, writeable.

        A value that has not crossed is returned as it is. An array that arrived from another process is handed
        over without a copy where nobody else can see it any more: it was meant for this side alone, its maker has
        let go of it, and nothing here refers to it, be it a variable. Everything else is copied, and the copy is
        counted.

        Args:
            key: the name.
            copy: whether a copy will do. With `False` a value that would have to be copied stays where it is.

        Raises:
            KeyError: `key` is absent.
            harness.errors.TransportError: `copy` is false and a copy would be needed; the message says why.
        """
        value = self._values[key]
        if isinstance(value, Pending):
            value = (<Pending> value).take([], copy)
        else:
            origin = self._origins.get(key)
            if origin is not None:
                owned = [value]
                value = None  # the only reference is in the list now
                value = self._take_crossed(key, origin, owned, copy)
        del self[key]
        return value

    cpdef bint contains(self, key):
        """Whether there is a value under `key`."""
        return key in self._values

    has_key = contains

    cdef Pixels pixels(self, key, bint writeable):
        # The memory of the array under `key`; KeyError if it is absent, else what Pixels raises.
        return Pixels(self.getItem(key), writeable)

    def getKeys(self):
        """The keys, as a list in the order of their first `put`."""
        return list(self._values)

    keys = getKeys

    def values(self):
        """The values, as a list in the order of `keys()`."""
        return [self.getItem(key) for key in list(self._values)]

    def items(self):
        """Pairs of key and value, as a list in the order of `keys()`."""
        return [(key, self.getItem(key)) for key in list(self._values)]

    def setShared(self, key, bint isShareable):
        """Sets the shareable mark of `key`, which need not be present yet."""
        if isShareable:
            self._shareable.add(key)
            self._unpublished[key] = None
        else:
            self._shareable.discard(key)
            self._unpublished.pop(key, None)

    def getSharedKeys(self):
        """The present keys that are marked shareable, as a list."""
        return [key for key in self._values if key in self._shareable]

    def gather(self, key):
        """What the slices published under `key`, as a list in rank order; empty when none did.

        Meant for the master's clipboard before `postprocess`, where each slice's value also stands under
        `key-<rank>`. In a slice, what its neighbours exchanged under `key`.
        """
        ranks = self._gathered.get(key)
        if ranks is None:
            return []
        return [self.getItem(ranks[rank]) for rank in sorted(ranks) if ranks[rank] in self._values]

    def close(self):
        """Forgets all values and marks."""
        self._values.clear()
        self._shareable.clear()
        self._canvases.clear()
        self._unpublished.clear()
        self._origins.clear()
        self._gathered.clear()

    clear = close

    def __getitem__(self, key):
        return self.getItem(key)

    def __setitem__(self, key, value):
        self.put(key, value)

    def __delitem__(self, key):
        del self._values[key]
        self._shareable.discard(key)
        self._unpublished.pop(key, None)
        self._forget(key)

    def __contains__(self, key):
        return key in self._values

    def __len__(self):
        return len(self._values)

    def __bool__(self):
        # An empty clipboard is true, as it was before it had a length: `if clipboard:` asks whether there is one.
        return True

    def __iter__(self):
        return iter(list(self._values))

    def __repr__(self):
        marked = self._shareable
        names = ", ".join(f"{key!r}*" if key in marked else repr(key) for key in self._values)
        return f"<Clipboard {names}>" if names else "<Clipboard empty>"

    # --- for the transport: not part of what stages use

    def _has_unpublished(self):
        """Whether anything may have become shareable since `_published` was called."""
        return bool(self._unpublished)

    def _unpublished_items(self):
        """What became shareable since `_published` was called, and is present: (key, value, is a canvas)."""
        if not self._unpublished:
            return []
        return [(key, self.getItem(key), key in self._canvases) for key in self._unpublished if key in self._values]

    def _marked_items(self):
        """All that is present and marked shareable: (key, value, is a canvas)."""
        return [(key, self.getItem(key), key in self._canvases) for key in self.getSharedKeys()]

    def _all_marks_are_text(self):
        """Whether all keys that are marked shareable, present or not, are of type str."""
        for key in self._shareable:
            if type(key) is not str:
                return False
        return True

    def _canvas_values(self):
        """The arrays that are canvases here."""
        return [self._values[key] for key in self._canvases if key in self._values]

    def _publish_once(self, key):
        """Has the value of `key` cross with the next publication, shareable or not."""
        self._unpublished[key] = None

    def _published(self, origins):
        """Notes that everything unpublished has crossed; `origins` is what `take` asks about those values."""
        self._unpublished.clear()
        self._origins.update(origins)

    def _move(self, key, value):
        """Replaces the value by an equal one that lives in shared memory; marks stay."""
        self._values[key] = value

    cpdef _receive(self, key, value):
        """Stores what came from another process: not shareable."""
        self._values[key] = value
        self._shareable.discard(key)
        self._unpublished.pop(key, None)
        self._forget(key)

    cpdef _receive_from(self, key, int rank, value):
        """Stores what slice `rank` published under `key`."""
        name = f"{key}-{rank}"
        self._receive(name, value)
        ranks = self._gathered.get(key)
        if ranks is None:
            ranks = self._gathered[key] = {}
        ranks[rank] = name

    def _withdraw(self, key, pending):
        """Removes what was received as `pending`, if that is what still stands under `key`."""
        if self._values.get(key) is pending or self._origins.get(key) is pending:
            del self[key]

    def _array_bytes(self):
        """Array bytes of the values that are here as objects: what has not been used yet is left out."""
        total = 0
        for value in self._values.values():
            if not isinstance(value, Pending):
                size = getattr(value, "nbytes", 0)
                if type(size) is int:
                    total += size
        return total


def address_of_buffer(owner):
    """The address of element [0, 0, ...] of an array, by the buffer protocol.

    Raises what the array does if it has no buffer, as those of dates: a `ValueError` from NumPy.
    """
    cdef Py_buffer view
    PyObject_GetBuffer(owner, &view, PyBUF_STRIDES)
    address = <size_t> view.buf
    PyBuffer_Release(&view)
    return address


def _require_canvas(key, value, shareable):
    if not shareable:
        raise ValueError(f"clipboard key {key!r}: writeable=True is for shareable values: put(key, array, True,"
                         " writeable=True); a value that is not shareable is writeable anyway")
    numpy = sys.modules.get("numpy")
    if numpy is None or type(value) is not numpy.ndarray or value.dtype.hasobject:
        kind = type(value)
        seen = f"an array of {value.dtype}" if numpy is not None and kind is numpy.ndarray else (
            f"a {kind.__module__}.{kind.__qualname__}")
        raise TypeError(f"clipboard key {key!r}: expected a numpy.ndarray without Python objects as a canvas"
                        f" (writeable=True), saw {seen}")
    if not value.flags.writeable:
        raise ValueError(f"clipboard key {key!r}: a canvas (writeable=True) cannot be read-only; start it from"
                         " harness.empty or harness.zeros, or from a copy")
