# SPDX-License-Identifier: BSD-3-Clause
# The compiled crossing, for the compiled steps.

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from cpython.object cimport PyObject
from harness._clipboard cimport Clipboard, Pending


cdef extern from "plain_item.hpp" namespace "pex::bindings":
    cppclass Run:
        pass
    cppclass PlainItem:
        uint64_t block, offset, length, first, copied, shared
        int64_t shape[8]
        int64_t strides[8]
        uint8_t dimensions, flags
        char dtype[8]
    cppclass ManifestRoom:
        uint64_t block, bytes
    ctypedef int (*AcceptItem)(void* context, PyObject* key, const PlainItem* item) except -1
    cppclass CrossingApi:
        Run* (*run_of)(PyObject* run) except NULL
        int (*describe)(Run* run, PyObject* array, PyObject* arrived, PlainItem* item) except -1
        int (*publish)(Run* run, size_t count, PyObject** keys, PyObject** arrays, PlainItem** items,
                       ManifestRoom* room, uint64_t* block, uint64_t* bytes) except -1
        void (*leave_room)(Run* run, ManifestRoom* room)
        int (*read)(Run* run, uint64_t block, uint64_t bytes, void* context, AcceptItem accept) except -1
        PyObject* (*view)(Run* run, const PlainItem* item) except NULL
        void (*set_down)(Run* run, int stage, uint64_t block, uint64_t bytes)
        void (*down)(Run* run, int stage, uint64_t* block, uint64_t* bytes)
        void (*set_up)(Run* run, int rank, uint64_t block, uint64_t bytes)
        void (*up)(Run* run, int rank, uint64_t* block, uint64_t* bytes)
    const char* CROSSING_API_NAME


cdef class PlainArray(Pending):
    # What a manifest says of a plain array.
    cdef readonly str key
    cdef object _receiver
    cdef PlainItem _item


cdef class Place:
    # Where a manifest lies.
    cdef uint64_t block
    cdef uint64_t bytes
    cdef tuple pair(self)


cdef class Crossing:
    cdef public bint enabled
    cdef object _kept
    cdef Run* _run
    cdef object _receiver
    cdef dict _arrived
    cdef set _sent
    cdef dict _copies
    cdef object _remember
    cdef bint _may_copy
    cdef bint _keeps
    cdef int _audience
    cdef ManifestRoom _room
    cpdef int begin_visit(self) except -1
    cdef list send(self, Clipboard clipboard, bint keeps, Place place)
    cdef list send_down(self, Clipboard clipboard, int stage, Place place)
    cdef list send_up(self, Clipboard clipboard, int rank, Place place)
    cdef int withdraw_up(self, int rank) except -1
    cdef list _read(self, Place place, int audience)
    cdef list look_down(self, int stage, Place place)
    cdef list look_up(self, int rank)
    cdef int accept(self, Clipboard clipboard, list arrays) except -1
    cdef int accept_from(self, Clipboard clipboard, int rank, list arrays) except -1
