# SPDX-License-Identifier: BSD-3-Clause
# Records of one text and plain properties, from a log to the ring of its file.

cdef extern from *:
    """
    #include "sync/log_ring.hpp"

    // Whether there was room; how many bytes wait then.
    static bool append_to(void* shm, int rank, int importance, const char* text, std::size_t length,
                          unsigned long long* waiting) {
        pex::sync::LogRing ring(static_cast<pex::sync::LogRingShm*>(shm));
        if (!ring.try_append(rank, importance, 0, std::string_view(text, length))) return false;
        *waiting = ring.waiting();
        return true;
    }
    """
    bint append_to(void* shm, int rank, int importance, const char* text, size_t length,
                   unsigned long long* waiting) noexcept
    unsigned long long HALF_RING "pex::sync::LOG_RING_BYTES / 2"
    unsigned long long FRAME_HEAD "pex::sync::LOG_FRAME_HEAD_BYTES"


cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL
    PyObject* PyImport_GetModuleDict()


cdef enum:
    LEAST_PLAIN = -24       # importance
    WARN = 10
    INFO = 0
    LONG_BYTES = 32 * 1024
    STACK_ROOM = 4096       # bytes; longer records are put together elsewhere
    MOST_PROPERTIES = 4


cdef struct Piece:
    const char* data
    Py_ssize_t size


cdef int _look_into(Piece* piece, text, list kept) except -1:
    # The bytes of a text, which are there as long as it and `kept` are.
    try:
        piece.data = PyUnicode_AsUTF8AndSize(text, &piece.size)
    except UnicodeEncodeError:
        encoded = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace")
        kept.append(encoded)
        piece.data = <const char*> <bytes> encoded
        piece.size = len(<bytes> encoded)
    return 0


cdef object _general_send = None
cdef object _general_record = None
cdef object _general_log = None
cdef object _general_info = None
cdef object _stamp = None
cdef tuple _usage_names = ()


def know_general_way(log_class, stamp, usage_names):
    """`log_class` is `Log`: a log that has other methods has them called. `stamp` makes TAI nanoseconds, and a date, of
    UTC nanoseconds; `usage_names` are those of the figures that `usage` asks for.
    """
    global _general_send, _general_record, _general_log, _general_info, _stamp, _usage_names
    _general_send, _general_record = log_class.send, log_class.new_record
    _general_log, _general_info = log_class.log, log_class.info
    _stamp, _usage_names = stamp, tuple(usage_names)


cdef class FloodCounts:
    """The part of a FloodGuard's state that every record looks at: its base class."""

    cdef int _count(self) except -1:
        # Of a record below WARN: 1 if it may pass, 0 if it is only counted, 2 if `judge` has to say.
        if not self._limit:
            return 1
        cdef list seen = self._seen_now
        if seen is None:
            return 2
        cdef PyObject* visit = PyDict_GetItem(self._context._numbers, "LOOPNUM")
        if visit == NULL or <object> visit is None:
            if self._visit_now is not None:
                return 2
        elif visit != <PyObject*> self._visit_now:
            if self._visit_now is None or PyLong_AsLongLong(<object> visit) != PyLong_AsLongLong(self._visit_now):
                return 2
        cdef long long count = seen[0]
        if count == self._limit:
            return 2
        seen[0] = count + 1
        return count < self._limit


cdef class FileState:
    """The part of a RunFile's state that every record looks at: its base class."""

    def __cinit__(self):
        self._generation = -1

    def _use_ring(self, ring):
        """Records of this process go to a ring from now on, or nowhere (None)."""
        self._shm = PyCapsule_GetPointer(ring.shm(), "pex::sync::LogRingShm") if ring is not None else NULL
        self._ring = ring
        self._generation = forks

    def _is_here(self):
        """Whether this is the process that was told of its ring last: what it forks has none."""
        return self._generation == forks

    def _become(self, FileState other not None):
        """Takes over the state of another one."""
        self._threshold = other._threshold
        self._console_threshold = other._console_threshold
        self._encode = other._encode
        self._guard = other._guard
        self._wake = other._wake
        self._rank = other._rank
        self._writes_plain = other._writes_plain
        self._ring = other._ring
        self._shm = other._shm
        self._generation = other._generation

    cdef bint _takes(self, int importance) except -1:
        # Whether a plain record would be nothing but a text in the ring.
        return (
            self._writes_plain
            and self._shm != NULL
            and self._generation == forks
            and LEAST_PLAIN <= importance < WARN
            and self._encode is None
            and importance >= self._threshold
            and (self._console_threshold is None or importance < self._console_threshold)
        )

    cdef int _append_plain(self, int importance, const char* data, Py_ssize_t length) except -1:
        cdef unsigned long long waiting
        # The ring is asked for again: code has run since `_takes`, and another thread may have ended the run meanwhile.
        if (self._shm != NULL and self._generation == forks and length <= LONG_BYTES
                and append_to(self._shm, self._rank, importance, data, length, &waiting)):
            # Once on the way up: a ring that never fills up keeps nobody waiting.
            if waiting >= HALF_RING and waiting < HALF_RING + FRAME_HEAD + length:
                self._wake()
        else:
            self._append_slowly(importance, PyBytes_FromStringAndSize(data, length))
        return 0


cdef class ListensByLogging:
    """Base of a destination that hands records to the standard library's logging, if anybody has imported that."""

    cdef public object _threshold
    cdef object _level_of
    cdef object _listens
    cdef dict _loggers
    cdef dict _levels

    def _ask(self, level_of, listens):
        """`level_of(importance)` is a level of logging, `listens(logger)` says whether a handler gets what it passes."""
        self._level_of = level_of
        self._listens = listens
        self._loggers = {}
        self._levels = {}

    def wants_none(self, name, importance):
        """Whether no logger would take a record of the log `name`."""
        return self._wants_none(name, importance)

    cdef bint _wants_none(self, name, importance) except -1:
        cdef PyObject* logging = PyDict_GetItem(<object> PyImport_GetModuleDict(), "logging")
        if logging == NULL or importance < self._threshold:
            return True
        logger = self._loggers.get(name)
        if logger is None:
            logger = self._loggers[name] = (<object> logging).getLogger(name or "harness")
        level = self._levels.get(importance)
        if level is None:
            level = self._levels[importance] = self._level_of(importance)
        return not logger.isEnabledFor(level) or not self._listens(logger)


cdef object _wants_none_of_logging = ListensByLogging.wants_none


cdef bint _wants_none(destination, name, importance) except -1:
    # Anything with a method `write` may be among the destinations.
    if isinstance(destination, ListensByLogging) and type(destination).wants_none is _wants_none_of_logging:
        return (<ListensByLogging> destination)._wants_none(name, importance)
    wants_none = getattr(destination, "wants_none", None)
    return wants_none is not None and wants_none(name, importance)


cdef class LogState:
    """The part of a Log's state that every record looks at: its base class."""

    def log(self, importance, message, properties=None):
        """Send a text, and properties, if the importance passes the threshold."""
        if importance < self._passes:
            return
        if properties is None:
            message = str(message)
            if self._send_plain(importance, message, (), 0):
                return
        self._log_in_full(importance, message, properties)

    def send_plain(self, importance, text, properties=(), int usage=0):
        """Sends a record of one text and plain properties in the short way, if there is one now.

        `properties` are strings and numbers; `usage` asks for figures as a BlockTimingLog's flags do. Call it for an
        importance that passes. Returns whether it was sent; false: nothing has happened, and `send` has to.
        """
        return self._send_plain(importance, text, tuple(properties), usage)

    def _become(self, LogState other not None):
        """Takes over the state of another one."""
        self._destinations = list(other._destinations)
        self._preamble = other._preamble
        self._base = other._base
        self.context = other.context
        self._passes = other._passes

    cdef int _learn(self) except -1:
        # What is known of records that begin with the preamble and the context of now.
        cdef unsigned long long shape = self.context._shape
        preamble = self._preamble
        now = self.record_base()
        # With the numbers that are forgotten: they may come back while the shape is the same.
        base = type(now)(preamble, (now.state[0], dict(self.context._numbers)))
        cdef bint plain = base.is_plain and all([type(name) is str and name.isascii() for name in base.state[1]])
        cdef bint usage = not any([base.has(name) for name in _usage_names])
        name = preamble.log_name
        if self._known is not preamble:
            self._known_starts = {}
        self._known = preamble
        self._known_shape = shape
        self._known_plain = plain and shape == self.context._shape
        self._known_usage = usage
        self._known_base = base
        self._known_name = name
        self._known_free = set()
        return 0

    cdef FileState _plain_file(self, int importance):
        # The file in whose ring a plain record would be, and nowhere else; None: the general way knows.
        cdef list destinations = self._destinations
        cdef Py_ssize_t at = 1
        if not destinations or not isinstance(destinations[0], FileState):
            return None
        cdef FileState file = <FileState> destinations[0]
        if not file._takes(importance):
            return None
        kind = type(self)
        if kind.send is not _general_send or kind.new_record is not _general_record:
            return None
        if self._known is not self._preamble or self._known_shape != self.context._shape:
            self._learn()
        if not self._known_plain:
            return None
        while at < len(destinations):
            if not _wants_none(destinations[at], self._known_name, importance):
                return None
            at += 1
        return file

    cdef bint _tells_plainly(self, int importance) except -1:
        # Whether `info` does nothing but send a plain record now.
        return (is_from(self.info, _general_info) and is_from(self.log, _general_log)
                and self._plain_file(importance) is not None)

    cdef bint _send_plain(self, importance, text, tuple properties, int usage) except -1:
        cdef int overflow = 0, level, judged
        if not PyLong_CheckExact(importance) or not isinstance(text, str) or len(properties) > MOST_PROPERTIES:
            return False
        cdef long long number = PyLong_AsLongLongAndOverflow(importance, &overflow)
        if overflow or not LEAST_PLAIN <= number < WARN:
            return False
        level = <int> number
        cdef FileState file = self._plain_file(level)
        if file is None or (usage and not self._known_usage):
            return False
        for name, _ in properties:
            if name not in self._known_free:
                if self._known_base.has(name):
                    return False
                self._known_free.add(name)
        cdef dict starts = self._known_starts
        cdef tuple start = starts.get(importance)
        if start is None:
            start = tuple([PyUnicode_AsEncodedString(part, "utf-8", "backslashreplace")
                           for part in file._beginning(self._known, level)])
            starts[importance] = start
        guard = file._guard
        if guard is not None:
            judged = (<FloodCounts?> guard)._count()
            if judged == 2:
                allowed, notice = guard.judge(level)
                if notice:
                    file._send_notice(self.record_base(), notice)
                judged = bool(allowed)
            if not judged:
                return True
        self._write(file, level, start, text, properties, usage)
        return True

    cdef int _write(self, FileState file, int importance, tuple start, text, tuple properties, int usage) except -1:
        cdef Piece words
        cdef Piece names[MOST_PROPERTIES]
        cdef Piece values[MOST_PROPERTIES]
        cdef timespec now
        cdef char stack[STACK_ROOM]
        cdef char* room = stack
        cdef int indent = 2 - importance if importance < 0 else 2
        cdef int count = 0, index
        cdef list kept = []
        cdef bytes head = start[0], lines = start[1]
        _look_into(&words, text, kept)
        for name, value in properties:
            if not isinstance(value, str):
                value = str(value)
                kept.append(value)
            _look_into(&names[count], name, kept)
            _look_into(&values[count], value, kept)
            count += 1
        clock_gettime(CLOCK_REALTIME, &now)
        if now.tv_sec != _second:
            _turn_to_second(now.tv_sec)
        # From here on nothing runs but this, so that the context stays as it is.
        cdef size_t size = len(head) + words.size + 1 + len(lines) + USAGE_ROOM + TIME_ROOM
        for index in range(count):
            size += indent + names[index].size + 2 + values[index].size + 1
        # Another thread may have given it keys meanwhile that have not been looked at.
        cdef dict numbers = self.context._numbers if self.context._shape == self._known_shape else {}
        cdef Py_ssize_t place = 0
        cdef PyObject* key
        cdef PyObject* number
        while PyDict_Next(numbers, &place, &key, &number):
            size += indent + PyUnicode_GET_LENGTH(<object> key) + 2 + DIGITS + 1
        if size > STACK_ROOM:
            room = <char*> malloc(size)
            if room == NULL:
                raise MemoryError()
        cdef char* at = _put(room, head, len(head))
        at = _put(at, words.data, words.size)
        at[0] = b"\n"
        at = _put(at + 1, lines, len(lines))
        place = 0
        while PyDict_Next(numbers, &place, &key, &number):
            if <object> number is not None:
                at = _put_line(at, indent, <const char*> PyUnicode_DATA(<object> key), PyLong_AsLongLong(<object> number))
        for index in range(count):
            memset(at, b" ", indent)
            at = _put_word(_put(at + indent, names[index].data, names[index].size), b": ")
            at = _put(at, values[index].data, values[index].size)
            at[0] = b"\n"
            at += 1
        if usage:
            at = _put_usage(at, indent, usage)
        at = _put_time(_put_line(at, indent, b"LEVEL", importance), indent, &now)
        try:
            file._append_plain(importance, room, at - room)
        finally:
            if room != stack:
                free(room)
        return 0
