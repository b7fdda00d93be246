# cython: language_level=3
# SPDX-License-Identifier: BSD-3-Clause
"""Records that are as simple as most are: what of them changes in every step, their text in the indented layout, and
their way to the ring. Whatever else there is about a record, `harness.log` does.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_GetItem, PyDict_Next
from cpython.long cimport PyLong_AsLongLong, PyLong_CheckExact
from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.unicode cimport PyUnicode_AsEncodedString, PyUnicode_DATA, PyUnicode_GET_LENGTH
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset, strlen
from libc.time cimport time_t

include "forks.pxi"
include "context_numbers.pxi"
include "record_text.pxi"
include "plain_records.pxi"
include "block_marks.pxi"
