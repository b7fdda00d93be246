# SPDX-License-Identifier: BSD-3-Clause
# What is asked for anywhere in a process, and changes whenever its worker turns to another rank.

cdef class ProcessState:
    """Whose stage code the process runs, and the root of its logs; either is None where there is none."""

    cdef public object worker
    cdef public object log


cdef ProcessState _process = ProcessState()
process_state = _process
