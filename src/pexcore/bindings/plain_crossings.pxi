# SPDX-License-Identifier: BSD-3-Clause
# What crosses in steps in which nothing else is special: plain arrays.
#
# Each function returns false, with nothing done, where the half has to do it: because not all is plain, or because of
# an error, which the half meets again where errors are answered.

cdef str _DOWN = "down"
cdef str _UP = "up"


cdef bint _send_down(HalfState half, int stage, _Clipboard clipboard, list untold):
    # Publishes what the master's clipboard has for a stage.
    cdef Place place = Place.__new__(Place)
    try:
        arrays = half.crossing.send_down(clipboard, stage, place)
    except Exception:
        return False
    if arrays is None:
        return False
    half.published.append((stage, place.pair()))
    untold.append((half.visit, stage, _DOWN, arrays))
    return True


cdef bint _receive_down(HalfState half, int stage, _Clipboard clipboard):
    # Puts what the master has published before a stage on a slice's clipboard.
    cdef Place place = Place.__new__(Place)
    try:
        arrays = half.crossing.look_down(stage, place)
        if arrays is None:
            return False
        half.crossing.accept(clipboard, arrays)
    except Exception:
        return False
    half.received.append((stage, place.pair()))
    return True


cdef bint _send_up(HalfState half, _Clipboard clipboard):
    # Publishes what a slice's clipboard has after a stage, or says that there is nothing.
    if not clipboard._unpublished:
        if half._told[1]:
            half.crossing.withdraw_up(half.rank)
            half._told = _NOTHING
        return True
    cdef Place place = Place.__new__(Place)
    try:
        if half.crossing.send_up(clipboard, half.rank, place) is None:
            return False
    except Exception:
        return False
    half._told = place.pair()
    return True


cdef bint _gather_up(HalfState half, int stage, int ranks, _Clipboard clipboard, list untold):
    # Puts what the slices have published on the master's clipboard.
    cdef int rank
    cdef list found = []
    try:
        for rank in range(ranks):
            if half._up_lengths[rank]:
                arrays = half.crossing.look_up(rank)
                if arrays is None:
                    return False
                found.append((rank, arrays))
        for number, arrays in found:
            half.crossing.accept_from(clipboard, number, arrays)
    except Exception:
        return False
    for number, arrays in found:
        untold.append((half.visit, stage, _UP, arrays))
    return True
