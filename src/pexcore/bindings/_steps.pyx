# cython: language_level=3
# SPDX-License-Identifier: BSD-3-Clause
"""The queue between two stages, and the half-steps that move a clipboard from one to the next."""

from collections import deque


cdef class Queue:
    """A FIFO of clipboards. An empty queue answers None; `size` tells it from a queued None."""

    cdef object _clipboards

    def __init__(self):
        self._clipboards = deque()

    cpdef addDataset(self, clipboard):
        """Append at the tail."""
        self._clipboards.append(clipboard)

    cpdef getNextDataset(self):
        """Remove and return the head, None when empty."""
        return self._clipboards.popleft() if self._clipboards else None

    cpdef element(self):
        """The head, which stays in the queue; None when empty."""
        return self._clipboards[0] if self._clipboards else None

    cpdef Py_ssize_t size(self):
        """The number of clipboards in the queue."""
        return len(self._clipboards)

    def __repr__(self):
        return f"<Queue of {len(self._clipboards)} clipboard(s)>"


def apply_preprocess(stage, inputQueue, bint skipped):
    """Preprocesses the head of `inputQueue` and returns a new queue that holds it.

    The clipboard leaves `inputQueue` only after `stage.preprocess` returned. `skipped`: it is not called at all.
    """
    clipboard = inputQueue.element()
    if not skipped:
        stage.preprocess(clipboard)
    inputQueue.getNextDataset()
    cdef Queue between = Queue()
    between.addDataset(clipboard)
    return between


def apply_postprocess(stage, between, outputQueue, bint skipped):
    """Postprocesses every clipboard of `between` and moves each to `outputQueue` after its `stage.postprocess`."""
    while between.size() > 0:
        clipboard = between.element()
        if not skipped:
            stage.postprocess(clipboard)
        between.getNextDataset()
        outputQueue.addDataset(clipboard)


def apply_process(stage, inputQueue, outputQueue):
    """Processes the head of `inputQueue` and moves it to `outputQueue` after `stage.process` returned."""
    clipboard = inputQueue.element()
    stage.process(clipboard)
    inputQueue.getNextDataset()
    outputQueue.addDataset(clipboard)
