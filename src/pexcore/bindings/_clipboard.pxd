# SPDX-License-Identifier: BSD-3-Clause
# What compiled stages and other Cython modules may cimport of the clipboard.

cdef class Pending:
    pass


cdef class Pixels:
    # Memory of an array, reachable without the interpreter for as long as this object lives.
    cdef object owner           # the array
    cdef char* data             # element [0, 0, ...]
    cdef int ndim
    cdef Py_ssize_t* shape      # ndim extents
    cdef Py_ssize_t* strides    # ndim steps in bytes
    cdef Py_ssize_t itemsize    # bytes of an element
    cdef Py_ssize_t size        # number of elements
    cdef const char* format     # as the struct module writes it: b"f", b"<d"
    cdef bint writeable
    cdef bint contiguous        # C order, without gaps: element i stands at data + i * itemsize
    cdef Py_buffer _buffer
    cdef bint _acquired


cdef class Clipboard:
    cdef dict _values
    cdef set _shareable
    cdef set _canvases
    cdef dict _unpublished
    cdef dict _origins
    cdef dict _gathered
    cdef object _settle(self, key, Pending pending)
    cdef object _forget(self, key)
    cdef Pixels pixels(self, key, bint writeable)
    cpdef put(self, key, value, bint isShareable=*, bint writeable=*)
    cpdef get(self, key, defValue=*)
    cpdef getItem(self, key)
    cpdef take(self, key, bint copy=*)
    cpdef bint contains(self, key)
    # For the transport: not part of what stages use.
    cpdef _receive(self, key, value)
    cpdef _receive_from(self, key, int rank, value)
