# cython: language_level=3
# SPDX-License-Identifier: BSD-3-Clause
# Logs and their records, for the compiled steps.

from cpython.method cimport PyMethod_Check, PyMethod_GET_FUNCTION
from cpython.object cimport PyObject


cdef inline bint is_from(method, function):
    # Whether a bound method is that function of its class, and nothing that was set on the instance.
    return PyMethod_Check(method) and <PyObject*> PyMethod_GET_FUNCTION(method) == <PyObject*> function


# How many forks lie between this process and the one that imported this.
cdef long forks


cdef class ContextNumbers:
    cdef object _others
    cdef dict _numbers
    cdef unsigned long long _changes
    cdef unsigned long long _shape
    cdef tuple _state
    cdef int _note(self, name, value) except -1
    cdef int _forget(self, name) except -1


cdef class FloodCounts:
    cdef public long long _limit
    cdef public ContextNumbers _context
    # Of the visit that `judge` was asked for last: how many of each kind it has seen.
    cdef public list _seen_now
    cdef public object _visit_now
    cdef int _count(self) except -1


cdef class FileState:
    cdef public object _threshold
    cdef public object _console_threshold
    cdef public object _encode
    cdef public object _guard
    cdef public object _wake
    cdef public int _rank
    cdef public bint _writes_plain
    cdef readonly object _ring
    cdef void* _shm
    cdef long _generation
    cdef bint _takes(self, int importance) except -1
    cdef int _append_plain(self, int importance, const char* data, Py_ssize_t length) except -1


cdef class LogState:
    cdef public list _destinations
    cdef public object _preamble
    cdef public object _base
    cdef public ContextNumbers context
    cdef public object _passes
    # What is known of records of this preamble, while the context has this shape.
    cdef object _known
    cdef unsigned long long _known_shape
    cdef bint _known_plain
    cdef bint _known_usage
    cdef object _known_base
    cdef object _known_name
    cdef set _known_free
    cdef dict _known_starts
    cdef int _learn(self) except -1
    cdef FileState _plain_file(self, int importance)
    cdef bint _tells_plainly(self, int importance) except -1
    cdef bint _send_plain(self, importance, text, tuple properties, int usage) except -1
    cdef int _write(self, FileState file, int importance, tuple start, text, tuple properties, int usage) except -1


cdef class BlockMarks:
    cdef readonly LogState log
    cdef object _preamble
    cdef dict _logs
    cdef int _mark(self, block, status, importance, what, stage) except -1
