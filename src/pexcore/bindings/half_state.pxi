# SPDX-License-Identifier: BSD-3-Clause
# What the compiled steps and the halves share.

# Manifests: there is none; nothing is known of what the master was told last.
cdef tuple _NOTHING = (0, 0)
cdef tuple _UNTOLD = (-1, -1)


cdef class HalfState:
    """The part of a half's state that every step looks at: a base class of `Half`, which says what each is.

    A subclass must not have class attributes of these names: the compiled steps would not see what is set there.
    """

    cdef public long long visit
    cdef public int stage_number
    cdef public bint error_flagged
    cdef public bint in_visit
    cdef public bint _has_several
    cdef public bint _unprepared
    cdef public object foreign
    cdef public list queues
    cdef public list stages
    cdef public object log
    cdef public BlockMarks blocks
    cdef public object root_log
    cdef public object notes
    cdef public int rank
    cdef public Crossing crossing
    cdef public long _generation
    cdef public ContextNumbers _numbers
    # Of a slice.
    cdef public bint replaces
    cdef public bint _more
    cdef public bint _opened
    cdef public bint _has_no_more
    cdef public list _published
    cdef public tuple _told
    cdef public object exchange
    cdef public list received
    cdef public list received_across
    cdef public object _started
    # Of the master.
    cdef public int _first
    cdef public int _reached
    cdef public object _between
    cdef public object _event
    cdef public list published
    # Tables of the run.
    cdef const unsigned long long[:] _down_table
    cdef const unsigned long long[:] _up_lengths
    cdef unsigned long long[:] _bytes_held

    cpdef int start(self, long long visit) except -1:
        """Empties every queue and puts a fresh clipboard into the first; what crossed in another visit is forgotten."""
        self.visit = visit
        self.in_visit = True
        self.error_flagged = False
        self._numbers._note("LOOPNUM", visit)
        self._leave_stages()
        close_all(self.queues)
        self.crossing.begin_visit()
        (<Queue> self.queues[0]).addDataset(_Clipboard())
        return 0

    cpdef int start_slice(self, long long visit) except -1:
        """Of a slice: nothing has come or gone, as far as it knows."""
        self.received = []
        self.received_across = []
        self._told = _UNTOLD if self.replaces else _NOTHING
        self._started = None
        return 0

    def leave_stages(self):
        """What is logged and recorded from here on belongs to no stage."""
        self._leave_stages()

    cdef int _leave_stages(self) except -1:
        self.stage_number = 0
        self._numbers._forget("STAGEID")
        return 0

    def look_at(self, down, up, clipboard_bytes):
        """Takes the tables of the run: `Run.down_table()`, `Run.up_lengths()` and `Run.clipboard_bytes()`."""
        self._down_table = down
        self._up_lengths = up
        self._bytes_held = clipboard_bytes


cdef inline _Clipboard _head(HalfState half, int number):
    # The head of a queue, if it is a clipboard and nothing else; else None.
    clipboard = (<Queue> half.queues[number])._first
    return <_Clipboard> clipboard if type(clipboard) is _Clipboard else None


cdef inline long long _array_bytes(_Clipboard clipboard) except -1:
    return clipboard._array_bytes() if clipboard._values else 0


# Importances.
cdef enum:
    _INFO = 0
    _TRACE = -1
    _VERB2 = -2
    _DEBUG = -10


cdef inline bint _passes(HalfState half, int importance) except -1:
    cdef long long threshold = (<LogState?> half.log)._passes
    return threshold <= importance


cdef inline bint _tells_plainly(HalfState half) except -1:
    # Whether what a half tells of its steps is nothing but plain records.
    return (<LogState?> half.log)._tells_plainly(_INFO)


cdef class Already:
    """In the place of a half-step that has run: it returns nothing again, or raises again what it has raised."""

    cdef object _error

    def __init__(self, error=None):
        self._error = error

    def __call__(self, *arguments):
        if self._error is not None:
            raise self._error
