# cython: language_level=3
# SPDX-License-Identifier: BSD-3-Clause
"""What every step needs, compiled: the queues between stages, the half-steps that move a clipboard from one to the
next, and the steps of a run in which nothing special is on.
"""

from cpython.method cimport PyMethod_Check, PyMethod_GET_FUNCTION
from cpython.object cimport PyObject

from harness._clipboard cimport Clipboard as _Clipboard
from harness._crossing cimport Crossing, Place
from harness._records cimport BlockMarks, ContextNumbers, LogState, forks, is_from

cdef class Queue:
    """A FIFO of clipboards. An empty queue answers None; `size` tells it from a queued None."""

    # There is one as a rule, which needs no list.
    cdef object _first
    cdef list _others
    cdef Py_ssize_t _size

    def __cinit__(self):
        self._size = 0

    cpdef addDataset(self, clipboard):
        """Append at the tail."""
        if self._size == 0:
            self._first = clipboard
        else:
            if self._others is None:
                self._others = []
            self._others.append(clipboard)
        self._size += 1

    cpdef getNextDataset(self):
        """Remove and return the head, None when empty."""
        if self._size == 0:
            return None
        clipboard = self._first
        self._size -= 1
        self._first = self._others.pop(0) if self._size else None
        return clipboard

    cpdef element(self):
        """The head, which stays in the queue; None when empty."""
        return self._first

    cpdef Py_ssize_t size(self):
        """The number of clipboards in the queue."""
        return self._size

    def __repr__(self):
        return f"<Queue of {self._size} clipboard(s)>"


def close_all(list queues):
    """Takes every clipboard out of every queue and closes it."""
    for queue in queues:
        while (<Queue?> queue)._size:
            clipboard = (<Queue> queue).getNextDataset()
            if clipboard is not None:
                clipboard.close()


cdef bint _is_of(method, frozenset functions):
    # Bound methods are compared by their function, so that methods set on the instance count as well.
    return PyMethod_Check(method) and <object> PyMethod_GET_FUNCTION(method) in functions


def apply_preprocess(stage, inputQueue, frozenset base_methods):
    """Preprocesses the head of `inputQueue` and returns a new queue that holds it.

    The clipboard leaves `inputQueue` only after `stage.preprocess` returned. It is not called where it is one of
    `base_methods` while the stage brings its own `postprocess`.
    """
    clipboard = inputQueue.element()
    method = stage.preprocess
    if not _is_of(method, base_methods) or _is_of(stage.postprocess, base_methods):
        method(clipboard)
    inputQueue.getNextDataset()
    cdef Queue between = Queue.__new__(Queue)
    between.addDataset(clipboard)
    return between


def apply_postprocess(stage, between, outputQueue, frozenset base_methods):
    """Postprocesses every clipboard of `between` and moves each to `outputQueue` after its `stage.postprocess`.

    It is not called where it is one of `base_methods` while the stage brings its own `preprocess`.
    """
    if type(between) is Queue and type(outputQueue) is Queue:
        _postprocess_all(stage, <Queue> between, <Queue> outputQueue, base_methods)
        return
    method = stage.postprocess
    cdef bint skipped = _is_skipped(stage, method, base_methods)
    while between.size() > 0:
        clipboard = between.element()
        if not skipped:
            method(clipboard)
        between.getNextDataset()
        outputQueue.addDataset(clipboard)


cdef inline bint _is_skipped(stage, postprocess, frozenset base_methods) except -1:
    return _is_of(postprocess, base_methods) and not _is_of(stage.preprocess, base_methods)


cdef object _postprocess_all(stage, Queue between, Queue target, frozenset base_methods):
    # As the public function, without looking methods of queues up.
    method = stage.postprocess
    cdef bint skipped = _is_skipped(stage, method, base_methods)
    while between._size > 0:
        clipboard = between._first
        if not skipped:
            method(clipboard)
        between.getNextDataset()
        target.addDataset(clipboard)


def apply_process(stage, inputQueue, outputQueue):
    """Processes the head of `inputQueue` and moves it to `outputQueue` after `stage.process` returned."""
    clipboard = inputQueue.element()
    stage.process(clipboard)
    inputQueue.getNextDataset()
    outputQueue.addDataset(clipboard)


cdef object _OK = 0

include "process_state.pxi"
include "step_notes.pxi"
include "half_state.pxi"
include "plain_crossings.pxi"
include "slice_steps.pxi"
include "master_steps.pxi"
