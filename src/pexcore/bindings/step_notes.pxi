# SPDX-License-Identifier: BSD-3-Clause
# What changes in every step and is seldom looked at: visit and stage of the run's progress, of output.

cdef class ProgressPage:
    """A mapped page that says at which visits and stages a run is: pairs of 64-bit words, from the third word on.

    Each visit in flight has a pair of its own.
    """

    cdef unsigned long long[:] _words
    cdef Py_ssize_t _at

    def __init__(self, page):
        self._words = memoryview(page).cast("Q")
        self._at = 2

    def turn_to(self, Py_ssize_t slot):
        """What is noted from here on belongs to the visit of a slot, from 0. Raises `IndexError` past the page."""
        if slot < 0 or 2 * slot + 4 > self._words.shape[0]:
            raise IndexError("the progress page has no such slot")
        self._at = 2 + 2 * slot

    def note(self, unsigned long long visit, unsigned long long stage):
        """Writes visit and stage. Nothing happens after `release`."""
        self._note(visit, stage)

    cdef int _note(self, unsigned long long visit, unsigned long long stage) except -1:
        if self._words is not None:
            self._words[self._at] = visit
            self._words[self._at + 1] = stage
        return 0

    def release(self):
        """Lets go of the page, so that it can be closed."""
        self._words = None


cdef extern from "<stdio_ext.h>":
    ctypedef struct FILE
    size_t __fpending(FILE* stream)


cdef extern from "<stdio.h>":
    FILE* stdout
    FILE* stderr


cdef extern from "<sys/stat.h>":
    ctypedef struct timespec:
        long tv_sec
        long tv_nsec
    cdef struct c_stat "stat":
        unsigned int st_mode
        long st_size
        timespec st_mtim
    int fstat(int descriptor, c_stat* status)
    bint S_ISREG(unsigned int mode)


cdef extern from "<unistd.h>":
    long lseek(int descriptor, long offset, int whence)
    int SEEK_CUR


cdef class OutputWatch:
    """Whether something was printed: to the file that descriptor 1 is, or into what is written to it later."""

    cdef long long _size
    cdef long long _changed
    cdef long _position

    # A list with one item, true if Python may have text or bytes that are not written yet.
    cdef readonly list said

    def __init__(self, list said):
        self.said = said
        self._size = self._changed = self._position = -1

    cdef bint _has_moved(self):
        # As has_printed() where the file was not shortened since, which may hide as much as it was shortened by. Costs
        # half: a file that is written at its end has every writer of this description leave its position there.
        if self.said[0] or __fpending(stdout) != 0 or __fpending(stderr) != 0:
            return True
        cdef long position = lseek(1, 0, SEEK_CUR)
        return position < 0 or position != self._position

    def has_printed(self):
        """Whether there may be something that `see` has not been told of."""
        cdef c_stat status
        if self.said[0] or __fpending(stdout) != 0 or __fpending(stderr) != 0:
            return True
        # Where there is no file it is not known.
        if fstat(1, &status) != 0 or not S_ISREG(status.st_mode):
            return True
        return (status.st_size != self._size or
                status.st_mtim.tv_sec * <long long> 1000000000 + status.st_mtim.tv_nsec != self._changed)

    def see(self, extent):
        """Notes that what makes the file as `_core.output_extent` says is known."""
        self._size, self._changed = extent
        self._position = lseek(1, 0, SEEK_CUR)
