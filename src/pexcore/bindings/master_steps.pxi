# SPDX-License-Identifier: BSD-3-Clause
# The steps of the master in which nothing special is on.

cdef class MasterSteps:
    """What the loop of the master calls: does itself what has no more to it than to call the stage.

    Everything else `MasterHalf` does: visits, events, what follows a failure, records that are not plain, and whatever
    crosses. A half-step that has run and raised is handed to it as `Already` run.
    """

    cdef HalfState _half
    cdef ProgressPage _page
    cdef object _leave
    cdef object _apply_before
    cdef object _apply_after
    cdef frozenset _base_methods
    cdef bint _exchanges
    cdef int _ranks
    cdef Queue _spare
    cdef list _untold

    def __init__(self, HalfState half, base_class):
        """`half` is a `MasterHalf`, `base_class` is `SerialProcessing`."""
        self._half = half
        self._page = half.recorder.page
        self._leave = half.recorder.leave_stage
        self._apply_before = base_class.applyPreprocess
        self._apply_after = base_class.applyPostprocess
        self._base_methods = frozenset({base_class.preprocess, base_class.postprocess})
        self._exchanges = bool(half.config.exchanges)
        self._ranks = half.config.n_slices
        self._spare = Queue()
        self._untold = half.statistics.tally.untold

    def __getattr__(self, name):
        # Visits, events, deaths: nothing that happens in every step.
        return getattr(self._half, name)

    def preprocess(self, number):
        """As `MasterHalf.preprocess`."""
        cdef HalfState half = self._half
        cdef bint traced = _passes(half, _TRACE)
        if half.error_flagged or (traced and not _marks_plainly(half)):
            return half.preprocess(number)
        stage = half.stages[number - 1]
        half.stage_number = half._first = number
        if self._page is not None:
            self._page._note(half.visit, half._first)
        half._numbers._note("STAGEID", number)
        progress = half.on_progress
        if progress is not None:
            progress(half.visit, stage.getName())
        half._between = None
        cdef object already = None
        try:
            if traced:
                _mark_half_step(half, stage, "visit.stage.preprocess", "preprocess", "start")
            half._between = self._before(half, stage, number)
            if traced and forks == half._generation:
                _mark_half_step(half, stage, "visit.stage.preprocess", "preprocess", "end")
        except BaseException as error:
            already = Already(error)
        if already is not None:
            return half.preprocess(number, already)
        if forks != half._generation:
            half.call_stage(Already())
        return _OK

    cdef object _before(self, HalfState half, stage, int number):
        apply = stage.applyPreprocess
        source = half.queues[number - 1]
        if not is_from(apply, self._apply_before) or stage.inputQueue is not source:
            return apply()
        clipboard = (<Queue> source)._first
        method = stage.preprocess
        if not _is_of(method, self._base_methods) or _is_of(stage.postprocess, self._base_methods):
            method(clipboard)
        (<Queue> source).getNextDataset()
        # Nobody but the master sees it: the same one serves again, once it is empty.
        cdef Queue between = self._spare
        if between._size:
            between = Queue.__new__(Queue)
        between.addDataset(clipboard)
        return between

    def publish(self, number):
        """As `MasterHalf.publish`."""
        cdef HalfState half = self._half
        cdef int stage = number
        if half.error_flagged or half.notes.are_there:
            return half.publish(number)
        if half._event is not None and half._event[0] == stage:
            return half.publish(number)
        between = half._between
        if type(between) is not Queue or not (<Queue> between)._size or _passes(half, _DEBUG):
            return half.publish(number)
        clipboard = (<Queue> between)._first
        if type(clipboard) is not _Clipboard:
            return half.publish(number)
        if not (<_Clipboard> clipboard)._unpublished:
            # What stands there may be of an earlier visit.
            if half._down_table[2 * stage + 1]:
                return half.publish(number)
        elif not _send_down(half, stage, <_Clipboard> clipboard, self._untold):
            return half.publish(number)

    def gather(self, number, raised, earlier=()):
        """As `MasterHalf.gather`."""
        cdef HalfState half = self._half
        cdef int rank
        if raised or self._exchanges or _passes(half, _DEBUG):
            return half.gather(number, raised, earlier)
        for rank in range(self._ranks):
            if half._up_lengths[rank]:
                break
        else:
            return
        between = half._between
        clipboard = None
        if not half.error_flagged and type(between) is Queue:
            clipboard = (<Queue> between)._first
        if type(clipboard) is not _Clipboard:
            return half.gather(number, raised)
        if not _gather_up(half, number, self._ranks, <_Clipboard> clipboard, self._untold):
            return half.gather(number, raised)

    def postprocess(self, number):
        """As `MasterHalf.postprocess`."""
        cdef HalfState half = self._half
        between = half._between
        cdef bint traced = _passes(half, _TRACE)
        if half.error_flagged or type(between) is not Queue or half.notes.are_there:
            return half.postprocess(number)
        if traced and not _marks_plainly(half):
            return half.postprocess(number)
        stage = half.stages[number - 1]
        # Not that of the half-step before, where slices have run several stages.
        half.stage_number = number
        half._numbers._note("STAGEID", number)
        cdef object already = None
        try:
            if traced:
                _mark_half_step(half, stage, "visit.stage.postprocess", "postprocess", "start")
            self._after(half, stage, <Queue> between, number)
            if traced and forks == half._generation:
                _mark_half_step(half, stage, "visit.stage.postprocess", "postprocess", "end")
        except BaseException as error:
            already = Already(error)
        if already is None:
            clipboard = _head(half, number)
            if forks != half._generation or clipboard is None or half.notes.are_there:
                already = Already()
        if already is not None:
            return half.postprocess(number, already)
        half._bytes_held[0] = _array_bytes(clipboard)
        half._reached = number
        self._leave(number)
        return _OK

    cdef object _after(self, HalfState half, stage, Queue between, int number):
        apply = stage.applyPostprocess
        target = half.queues[number]
        if not is_from(apply, self._apply_after) or stage.outputQueue is not target or type(target) is not Queue:
            return apply(between)
        _postprocess_all(stage, between, <Queue> target, self._base_methods)


cdef inline bint _marks_plainly(HalfState half) except -1:
    # Whether nothing is marked in a half-step but its start and its end, in plain records.
    return not _passes(half, _VERB2) and _tells_plainly(half)


cdef int _mark_half_step(HalfState half, stage, str block, str method, str status) except -1:
    # As `MasterHalf._traced` does before and after the stage.
    half.blocks._mark(block, status, _TRACE, f"{stage.getName()}.{method}", "")
    return 0
