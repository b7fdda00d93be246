# SPDX-License-Identifier: BSD-3-Clause
# Parts of a record's text: numbers, what the process has used, the time.

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


cdef extern from "<charconv>" namespace "std" nogil:
    cdef struct to_chars_result:
        char* ptr
    to_chars_result to_chars(char* first, char* last, long long number)


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
    ZERO = 48
    DIGITS = 20    # at most, of a number, with its sign


cdef inline char* _put(char* at, const char* text, size_t length) noexcept nogil:
    memcpy(at, text, length)
    return at + length


cdef inline char* _put_word(char* at, const char* word) noexcept nogil:
    return _put(at, word, strlen(word))


cdef inline char* _put_number(char* at, long long number) noexcept nogil:
    return to_chars(at, at + DIGITS, number).ptr


cdef inline char* _put_digits(char* at, long number, int digits) noexcept nogil:
    # With leading zeros.
    cdef int place
    for place in range(digits - 1, -1, -1):
        at[place] = <char> (ZERO + number % 10)
        number //= 10
    return at + digits


cdef inline char* _put_name(char* at, int indent, const char* name) noexcept nogil:
    memset(at, b" ", indent)
    return _put_word(_put_word(at + indent, name), b": ")


cdef inline char* _put_line(char* at, int indent, const char* name, long long number) noexcept nogil:
    at = _put_number(_put_name(at, indent, name), number)
    at[0] = b"\n"
    return at + 1


cdef char* _put_seconds(char* at, int indent, const char* name, timeval spent) noexcept nogil:
    # As Python prints the nearest double: as many digits as are needed, and an exponent below a ten thousandth.
    cdef long micros = spent.tv_usec
    cdef int digits = 6
    at = _put_name(at, indent, name)
    if spent.tv_sec == 0 and 0 < micros < 10:
        at = _put_word(_put_number(at, micros), b"e-06")
    elif spent.tv_sec == 0 and 0 < micros < 100:
        at = _put_number(at, micros // 10)
        if micros % 10:
            at[0] = b"."
            at = _put_number(at + 1, micros % 10)
        at = _put_word(at, b"e-05")
    else:
        while digits > 1 and micros % 10 == 0:
            micros //= 10
            digits -= 1
        at = _put_number(at, spent.tv_sec)
        at[0] = b"."
        at = _put_digits(at + 1, micros, digits)
    at[0] = b"\n"
    return at + 1


cdef enum:
    USAGE_ROOM = 8 * (24 + 2 + 16 + 2 * DIGITS)    # bytes, more than all figures take, however far they are indented


cdef char* _put_usage(char* at, int indent, int flags) noexcept nogil:
    cdef c_rusage used
    getrusage(RUSAGE_SELF, &used)
    if flags & UTIME:
        at = _put_seconds(at, indent, b"usertime", used.ru_utime)
    if flags & STIME:
        at = _put_seconds(at, indent, b"systemtime", used.ru_stime)
    if flags & MEMSZ:
        at = _put_line(at, indent, b"maxrss", used.ru_maxrss)
    if flags & MINFLT:
        at = _put_line(at, indent, b"minflt", used.ru_minflt)
    if flags & MAJFLT:
        at = _put_line(at, indent, b"majflt", used.ru_majflt)
    if flags & NSWAP:
        at = _put_line(at, indent, b"nswap", used.ru_nswap)
    if flags & BLKIN:
        at = _put_line(at, indent, b"blocksin", used.ru_inblock)
    if flags & BLKOUT:
        at = _put_line(at, indent, b"blocksout", used.ru_oublock)
    return at


def seconds_text(long seconds, long micros):
    """How a time is written."""
    cdef char text[128]
    cdef timeval spent
    spent.tv_sec = seconds
    spent.tv_usec = micros
    cdef char* end = _put_seconds(text, 0, b"s", spent)
    return (<bytes> text[:end - text]).decode()[3:-1]


cdef enum:
    SECOND_ROOM = 32
    TIME_ROOM = 3 * (24 + 2 + 16) + 3 * DIGITS + SECOND_ROOM


cdef long long _second = -1
cdef char _second_text[SECOND_ROOM]
cdef long long _tai_offset = 0


cdef int _turn_to_second(long long second) except -1:
    # Records come in bursts: most are of the second of the one before.
    global _second, _tai_offset
    tai, date = _stamp(second * 1000000000)
    cdef bytes text = date.partition(".")[0].encode()
    cdef long long offset = tai - second * 1000000000
    if len(text) >= SECOND_ROOM:
        raise ValueError(f"a date of {len(text)} characters")
    memcpy(_second_text, <const char*> text, len(text) + 1)
    _tai_offset = offset
    _second = second
    return 0


cdef inline char* _put_time(char* at, int indent, const timespec* now) noexcept nogil:
    # In the second that was turned to.
    cdef long long nanoseconds = now.tv_sec * <long long> 1000000000 + now.tv_nsec
    at = _put_line(at, indent, b"TIMESTAMP", nanoseconds + _tai_offset)
    at = _put_word(_put_name(at, indent, b"DATE"), _second_text)
    at[0] = b"."
    at = _put_digits(at + 1, now.tv_nsec // 1000, 6)
    at[0] = at[1] = b"\n"
    return at + 2
