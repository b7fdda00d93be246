# SPDX-License-Identifier: BSD-3-Clause
# How processes notice that they were forked.

cdef extern from "pthread.h" nogil:
    int pthread_atfork(void (*prepare)() noexcept nogil, void (*parent)() noexcept nogil,
                       void (*child)() noexcept nogil)


forks = 0


cdef void _count_fork() noexcept nogil:
    global forks
    forks += 1


if pthread_atfork(NULL, NULL, _count_fork) != 0:
    raise MemoryError("no memory for noticing forks")


def generation():
    """How many forks lie between this process and the one that imported this.

    Asking the kernel who one is costs more. Forks by C code count, too; what a process does between vfork() and
    exec() is none.
    """
    return forks
