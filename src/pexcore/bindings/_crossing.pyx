# cython: language_level=3, boundscheck=False, wraparound=False
# SPDX-License-Identifier: BSD-3-Clause
"""Plain arrays that were born in the arena, from one clipboard to another: the common case, compiled from `put` to
`get`.

Whatever is not plain goes the general way, by `harness.transport`, which would have written the same manifests.
"""

from cpython.bytes cimport PyBytes_FromString
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.ref cimport Py_XDECREF
from libcpp.vector cimport vector

from harness import _core

cdef CrossingApi* _api = <CrossingApi*> PyCapsule_GetPointer(_core._crossing_api, CROSSING_API_NAME)
cdef int _ARRAY = _core.ENTRY_ARRAY
cdef object _MISSING = object()


cdef class PlainArray(Pending):
    """A plain array on its way: its key, and where it lies."""

    def fields(self):
        """What an entry of the general way has: key, kind, flags, dtype, bytes copied and shared, buffers, first, shape
        and strides.
        """
        cdef int axis
        item = &self._item
        shape = tuple([item.shape[axis] for axis in range(item.dimensions)])
        strides = tuple([item.strides[axis] for axis in range(item.dimensions)])
        return (self.key, _ARRAY, item.flags, PyBytes_FromString(item.dtype), item.copied, item.shared,
                [(item.block, item.offset, item.length)], item.first, shape, strides)


    def counts(self):
        """Key, bytes copied and shared; block and length of what crosses."""
        item = &self._item
        return self.key, item.copied, item.shared, item.block, item.length


cdef class SentPlain(PlainArray):
    """What a clipboard remembers of an array that it has published."""

    def take(self, owned, copy):
        return self._receiver.take_sent(self, owned, copy)


cdef class ArrivedPlain(PlainArray):
    """An array in a block of another process; becomes a view of it, read-only."""

    cdef Run* _run
    cdef int _audience

    def materialise(self):
        # The only reference to the array is the one that this returns.
        return <object> _stolen(_api.view(self._run, &self._item))

    def take(self, owned, copy):
        return self._receiver.take_arrived(self, self._audience, owned, copy)


cdef inline object _stolen(PyObject* owned):
    kept = <object> owned
    Py_XDECREF(owned)
    return kept


cdef class Place:
    """Where a manifest lies: block and length in bytes."""

    cdef tuple pair(self):
        return self.block, self.bytes


cdef struct Reading:
    PyObject* crossing
    PyObject* arrays
    int audience


cdef int _accept(void* context, PyObject* key, const PlainItem* item) except -1:
    reading = <Reading*> context
    crossing = <Crossing> reading.crossing
    cdef ArrivedPlain array = ArrivedPlain.__new__(ArrivedPlain)
    array.key = <str> <object> key
    array._receiver = crossing._receiver
    array._run = crossing._run
    array._audience = reading.audience
    array._item = item[0]
    (<list> reading.arrays).append(array)
    return 0


cdef class Crossing:
    """One rank's end of the crossing of plain arrays, for the visits of one slot of the run's tables.

    What it can't do it leaves undone, and says so. `enabled` is false where everything has to go the general way.
    """

    def __cinit__(self, run, receiver, dict copies not None, remember, bint keeps, int audience, bint enabled,
                  bint may_copy):
        """`receiver` knows what has arrived and was sent in a visit, `copies` what was copied, by identity;
        `remember(array, fields)` is told of copies unless it is None. Manifests stay until the visit's end if they are to be kept; `audience` clipboards
        receive what arrives here. Private arrays are copied if they may.
        """
        self._kept = run
        self._run = _api.run_of(<PyObject*> run)
        self._receiver = receiver
        self._arrived = receiver.arrived
        self._sent = receiver.sent
        self._copies = copies
        self._remember = remember
        self._may_copy = may_copy
        self._keeps = keeps
        self._audience = audience
        self.enabled = enabled

    def publish(self, Clipboard clipboard not None, bint more):
        """Publishes what became shareable: `(manifest, arrays)`, or None, with nothing done, if anything is not plain.

        `more`: another publication may come before this one is read.
        """
        cdef Place place = Place.__new__(Place)
        arrays = self.send(clipboard, more or self._keeps, place)
        return None if arrays is None else (place.pair(), arrays)

    cpdef int begin_visit(self) except -1:
        """Forgets what belonged to the last visit's blocks."""
        self._arrived.clear()
        self._sent.clear()
        self._copies.clear()
        return 0

    def end_visit(self):
        """Lets go of what was written for others."""
        _api.leave_room(self._run, &self._room)

    cdef list send(self, Clipboard clipboard, bint keeps, Place place):
        cdef vector[PyObject*] keys, values
        cdef vector[PlainItem*] items
        cdef list arrays = [], kept = []
        cdef set private = None
        cdef SentPlain sent
        if not self.enabled or clipboard._canvases:
            return None
        for key in clipboard._shareable:
            if type(key) is not str:
                return None
        for key in clipboard._unpublished:
            value = clipboard._values.get(key, _MISSING)
            if value is _MISSING:
                continue
            sent = SentPlain.__new__(SentPlain)
            if not _api.describe(self._run, <PyObject*> value, <PyObject*> self._arrived, &sent._item):
                return None
            if sent._item.block == 0:
                # What was copied before may stand in for it.
                if not self._may_copy or id(value) in self._copies or (private is not None and id(value) in private):
                    return None
                if private is None:
                    private = set()
                private.add(id(value))
            sent.key = <str> key
            sent._receiver = self._receiver
            arrays.append(sent)
            kept.append(value)
            keys.push_back(<PyObject*> key)
            values.push_back(<PyObject*> value)
            items.push_back(&sent._item)
        if not arrays:
            return None
        if not _api.publish(self._run, items.size(), keys.data(), values.data(), items.data(),
                            <ManifestRoom*> NULL if keeps else &self._room, &place.block, &place.bytes):
            return None
        clipboard._unpublished.clear()
        for sent, value in zip(arrays, kept):
            if not sent._item.copied:
                self._sent.add(sent._item.block)
            elif self._remember is not None:
                self._remember(value, sent.fields())
            clipboard._origins[sent.key] = sent
        return arrays

    cdef list send_down(self, Clipboard clipboard, int stage, Place place):
        # As publish(), before a stage of the master's.
        arrays = self.send(clipboard, True, place)
        if arrays is not None:
            _api.set_down(self._run, stage, place.block, place.bytes)
        return arrays

    cdef list send_up(self, Clipboard clipboard, int rank, Place place):
        # As publish(), for the master.
        arrays = self.send(clipboard, False, place)
        if arrays is not None:
            _api.set_up(self._run, rank, place.block, place.bytes)
        return arrays

    cdef int withdraw_up(self, int rank) except -1:
        # Nothing goes up.
        _api.set_up(self._run, rank, 0, 0)
        return 0

    cdef list _read(self, Place place, int audience):
        cdef list arrays = []
        cdef Reading reading
        if not self.enabled:
            return None
        reading.crossing = <PyObject*> self
        reading.arrays = <PyObject*> arrays
        reading.audience = audience
        return arrays if _api.read(self._run, place.block, place.bytes, &reading, _accept) else None

    cdef list look_down(self, int stage, Place place):
        # What the master has published before a stage; None if not all of it is plain.
        _api.down(self._run, stage, &place.block, &place.bytes)
        return self._read(place, self._audience)

    cdef list look_up(self, int rank):
        # What a rank has published for the master; None if not all of it is plain.
        cdef Place place = Place.__new__(Place)
        _api.up(self._run, rank, &place.block, &place.bytes)
        return self._read(place, self._audience)

    cdef int accept(self, Clipboard clipboard, list arrays) except -1:
        cdef PlainArray array
        for array in arrays:
            self._arrived[array._item.block] = self._arrived.get(array._item.block, 0) + 1
            clipboard._receive(array.key, array)
        return 0

    cdef int accept_from(self, Clipboard clipboard, int rank, list arrays) except -1:
        cdef PlainArray array
        for array in arrays:
            self._arrived[array._item.block] = self._arrived.get(array._item.block, 0) + 1
            clipboard._receive_from(array.key, rank, array)
        return 0
