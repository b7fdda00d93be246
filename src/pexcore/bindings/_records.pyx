# cython: language_level=3
# SPDX-License-Identifier: BSD-3-Clause
"""The text of records that are as simple as most are, in the indented layout, and what a process has used."""

from cpython.unicode cimport PyUnicode_AsEncodedString
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


cdef object _seconds(timeval spent):
    # Both numbers are exact as doubles, so that the quotient prints as the six digits that the kernel counts.
    return (spent.tv_sec * 1000000.0 + spent.tv_usec) / 1e6


cdef list _usage(int flags):
    cdef c_rusage used
    cdef list found = []
    getrusage(RUSAGE_SELF, &used)
    if flags & UTIME:
        found.append(("usertime", _seconds(used.ru_utime)))
    if flags & STIME:
        found.append(("systemtime", _seconds(used.ru_stime)))
    if flags & MEMSZ:
        found.append(("maxrss", used.ru_maxrss))
    if flags & MINFLT:
        found.append(("minflt", used.ru_minflt))
    if flags & MAJFLT:
        found.append(("majflt", used.ru_majflt))
    if flags & NSWAP:
        found.append(("nswap", used.ru_nswap))
    if flags & BLKIN:
        found.append(("blocksin", used.ru_inblock))
    if flags & BLKOUT:
        found.append(("blocksout", used.ru_oublock))
    return found


def usage(int flags):
    """Pairs of name and figure of this process, as the usage flags of `BlockTimingLog` ask for them.

    `usertime` and `systemtime` in s, `maxrss` in kB, the rest are counts (getrusage(2)).
    """
    return _usage(flags)


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
            importance: its importance.
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
            starts = known[importance] = (first(base, importance), middle(base, importance))
        clock_gettime(CLOCK_REALTIME, &now)
        if now.tv_sec != self._second:
            tai, date = self._stamp(now.tv_sec * 1000000000)
            date = date.partition(".")[0]
            self._tai_offset = tai - now.tv_sec * 1000000000
            self._second_text = date
            self._second = now.tv_sec
        cdef unicode start = " " * (2 - importance if importance < 0 else 2)
        cdef list parts = [(<tuple> starts)[0], comment, "\n", (<tuple> starts)[1]]
        for name, value in properties:
            parts.append(f"{start}{name}: {value}\n")
        if usage_flags:
            for name, value in _usage(usage_flags):
                parts.append(f"{start}{name}: {value}\n")
        tai = now.tv_sec * <long long> 1000000000 + now.tv_nsec + self._tai_offset
        micros = now.tv_nsec // 1000
        parts.append(
            f"{start}LEVEL: {importance}\n{start}TIMESTAMP: {tai}\n{start}DATE: {self._second_text}.{micros:06d}\n\n"
        )
        return PyUnicode_AsEncodedString("".join(parts), "utf-8", "backslashreplace")
