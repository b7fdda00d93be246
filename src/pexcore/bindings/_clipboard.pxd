# SPDX-License-Identifier: BSD-3-Clause
# What compiled stages and other Cython modules may cimport of the clipboard.

cdef class Pending:
    pass


cdef class Clipboard:
    cdef dict _values
    cdef set _shareable
    cdef dict _unpublished
    cdef dict _gathered
    cdef object _settle(self, key, Pending pending)
    cpdef put(self, key, value, bint isShareable=*)
    cpdef get(self, key, defValue=*)
    cpdef getItem(self, key)
    cpdef bint contains(self, key)
