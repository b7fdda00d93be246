# SPDX-License-Identifier: BSD-3-Clause
# The start and the end of blocks of work, in the logs below that of a half.

cdef class BlockMarks:
    """What `Blocks` is made of: finds the log of a block, and sends plain marks.

    `make(name)` makes a log; `send(log, importance, text, properties)` sends what is not plain.
    """

    def __init__(self, LogState log not None):
        self.log = log
        self._logs = {}

    def mark(self, block, status, importance, what, stage=""):
        """Records a mark in the log named `block`, with `what` in its text and `stage` as `stagename`.

        `status` is `start` or `end`; the importance is one that the half's log lets pass: whoever calls has asked it.
        """
        self._mark(block, status, importance, what, stage)

    cdef int _mark(self, block, status, importance, what, stage) except -1:
        # What a stage has attached to the log since then is on the marks, too.
        if self._preamble is not self.log._preamble:
            self._preamble = self.log._preamble
            self._logs.clear()
        cdef tuple known = self._logs.get(block)
        if known is None:
            log = self.make(block)
            known = self._logs[block] = (log, log.getUsageFlags())
        text = ("Starting " if status == "start" else "Ending ") + what
        properties = (("STATUS", status), ("stagename", stage)) if stage else (("STATUS", status),)
        if not (<LogState?> known[0])._send_plain(importance, text, properties, known[1]):
            self.send(known[0], importance, text, properties)
        return 0
