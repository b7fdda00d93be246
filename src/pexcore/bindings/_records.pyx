# cython: language_level=3
# SPDX-License-Identifier: BSD-3-Clause
"""The text of records that are as simple as most are, in the indented layout, and what a process has used."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.unicode cimport PyUnicode_AsEncodedString
from libc.stdio cimport sprintf
from libc.string cimport memset
from libc.time cimport time_t


cdef extern from "<time.h>" nogil:
    ctypedef struct timespec:
        time_t tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec* now)
    int CLOCK_REALTIME


cdef extern from "<sys/resource.h>" nogil:
    ctypedef struct timeval:
        long tv_sec
        long tv_usec
    cdef struct c_rusage "rusage":
        timeval ru_utime
        timeval ru_stime
        long ru_maxrss
        long ru_minflt
        long ru_majflt
        long ru_nswap
        long ru_inblock
        long ru_oublock
    int RUSAGE_SELF
    int getrusage(int who, c_rusage* usage)


# The flags of BlockTimingLog, in the order in which the figures stand in a record.
cdef enum:
    UTIME = 1
    STIME = 2
    MEMSZ = 4
    NSWAP = 16
    BLKIN = 32
    BLKOUT = 64
    MINFLT = 128
    MAJFLT = 256


cdef enum:
    ROOM = 1024         # bytes, more than the lines of usage and time of a record take
    MOST_INDENT = 24    # blanks


cdef int _seconds(char* text, const char* start, const char* name, timeval spent) noexcept:
    # As Python prints the nearest double: as many digits as are needed, and an exponent below a ten thousandth.
    cdef long micros = spent.tv_usec
    cdef int digits = 6
    if spent.tv_sec == 0 and 0 < micros < 100:
        if micros < 10 or micros % 10 == 0:
            return sprintf(text, "%s%s: %lde-0%d\n", start, name, micros if micros < 10 else micros // 10,
                           6 if micros < 10 else 5)
        return sprintf(text, "%s%s: %ld.%lde-05\n", start, name, micros // 10, micros % 10)
    while digits > 1 and micros % 10 == 0:
        micros //= 10
        digits -= 1
    return sprintf(text, "%s%s: %ld.%0*ld\n", start, name, <long> spent.tv_sec, digits, micros)


cdef int _write_usage(char* text, const char* start, int flags) noexcept:
    cdef c_rusage used
    cdef int at = 0
    getrusage(RUSAGE_SELF, &used)
    if flags & UTIME:
        at += _seconds(text + at, start, "usertime", used.ru_utime)
    if flags & STIME:
        at += _seconds(text + at, start, "systemtime", used.ru_stime)
    if flags & MEMSZ:
        at += sprintf(text + at, "%smaxrss: %ld\n", start, used.ru_maxrss)
    if flags & MINFLT:
        at += sprintf(text + at, "%sminflt: %ld\n", start, used.ru_minflt)
    if flags & MAJFLT:
        at += sprintf(text + at, "%smajflt: %ld\n", start, used.ru_majflt)
    if flags & NSWAP:
        at += sprintf(text + at, "%snswap: %ld\n", start, used.ru_nswap)
    if flags & BLKIN:
        at += sprintf(text + at, "%sblocksin: %ld\n", start, used.ru_inblock)
    if flags & BLKOUT:
        at += sprintf(text + at, "%sblocksout: %ld\n", start, used.ru_oublock)
    return at


def seconds_text(long seconds, long micros):
    """How a time is written, without a final newline."""
    cdef char text[128]
    cdef timeval spent
    spent.tv_sec = seconds
    spent.tv_usec = micros
    _seconds(text, "", "s", spent)
    return (<bytes> text).decode()[3:-1]


cdef bytes _encoded(text):
    return PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace")


cdef class IndentedText:
    """Makes texts of records in the indented layout with all properties."""

    cdef object _stamp
    cdef long long _second
    cdef object _second_text
    cdef long long _tai_offset

    def __init__(self, stamp):
        """`stamp` makes TAI nanoseconds, and a date, of UTC nanoseconds."""
        self._stamp = stamp
        self._second = -1

    def text(self, base, int importance, first, middle, comment, properties, int usage_flags):
        """The bytes of a record of now.

        Args:
            base: what the record begins with.
            importance: its importance, -24 at least.
            first, middle: functions of `base` and `importance`: what stands before the comment, and the lines of
                the properties of `base`.
            comment: its one text.
            properties: pairs of names and plain values, whose names are not in `base`.
            usage_flags: what of the process's usage follows; 0 for nothing.
        """
        cdef timespec now
        cdef dict known = base.starts
        starts = known.get(importance)
        if starts is None:
            starts = known[importance] = (_encoded(first(base, importance)), _encoded(middle(base, importance)))
        clock_gettime(CLOCK_REALTIME, &now)
        if now.tv_sec != self._second:
            tai, date = self._stamp(now.tv_sec * 1000000000)
            date = date.partition(".")[0].encode()
            self._tai_offset = tai - now.tv_sec * 1000000000
            self._second_text = date
            self._second = now.tv_sec
        cdef char lines[ROOM]
        cdef char start[MOST_INDENT + 3]
        cdef int blanks = (MOST_INDENT if importance < -MOST_INDENT else -importance) if importance < 0 else 0
        memset(start, b" ", blanks + 2)
        start[blanks + 2] = 0
        cdef int length = _write_usage(lines, start, usage_flags) if usage_flags else 0
        cdef const char* second = <bytes> self._second_text
        length += sprintf(
            lines + length, "%sLEVEL: %d\n%sTIMESTAMP: %lld\n%sDATE: %s.%06ld\n\n", start, importance, start,
            now.tv_sec * <long long> 1000000000 + now.tv_nsec + self._tai_offset, start, second,
            <long> (now.tv_nsec // 1000),
        )
        cdef list parts = [(<tuple> starts)[0], _encoded(comment), b"\n", (<tuple> starts)[1]]
        for name, value in properties:
            parts.append(_encoded(f"{' ' * (blanks + 2)}{name}: {value}\n"))
        parts.append(PyBytes_FromStringAndSize(lines, length))
        return b"".join(parts)
