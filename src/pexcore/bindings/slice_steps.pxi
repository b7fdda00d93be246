# SPDX-License-Identifier: BSD-3-Clause
# The steps of slices in which nothing special is on.

cdef class SliceSteps:
    """What the loop of a worker calls: runs a stage itself where nothing but the stage has to be run.

    Everything else `WorkerHooks` does: the end of a visit, what follows a failure, fused steps, exchanges, records that
    are not plain, and whatever crosses but plain arrays. A stage that has run and raised, or left something else to
    publish, is handed to it as `Already` run.
    """

    cdef object _slow
    cdef OutputWatch _output
    cdef tuple _unmarked
    cdef dict _slices
    cdef object _apply

    def __init__(self, hooks, dict slices, base_class, OutputWatch output):
        """`hooks` are the worker's, `slices` its halves by rank, `base_class` is `ParallelProcessing`.

        `output` is told to `mark` what was printed, unless it is None.
        """
        self._unmarked = None
        self._slow = hooks.run_step
        self._output = output
        self._slices = slices
        self._apply = base_class.applyProcess

    def run_step(self, rank, visit, step, more=False):
        """As `WorkerHooks.run_step`."""
        half = self._slices.get(rank)
        if half is None or more:
            return self._slow(rank, visit, step, more)
        cdef HalfState state = <HalfState> half
        cdef int number = step
        if not _is_plain(state, visit, number) and not _opens(state, visit, number):
            return self._slow(rank, visit, step, more)
        cdef object name = None
        if _passes(state, _INFO):
            name = _name_to_tell(state, number)
            if name is None:
                return self._slow(rank, visit, step, more)
        cdef bint traced = name is not None and _passes(state, _TRACE)
        _work_for(state)
        if state._down_table[2 * number + 1] and not _receive_down(state, number, _head(state, number - 1)):
            return self._slow(rank, visit, step, more)
        cdef object already = None
        state.stage_number = number
        state._numbers._note("STAGEID", step)
        if name is not None:
            _tell_of_step(state, number, name)
        try:
            if traced:
                _mark_process(state, name, "start")
            self._run(state, number)
            if traced and forks == state._generation:
                _mark_process(state, name, "end")
        except BaseException as error:
            already = Already(error)
        if already is None and (forks != state._generation or not self._has_settled(state, number)):
            already = Already()
        if already is not None:
            return self._slow(rank, visit, step, more, already)
        state._opened = False
        if self._output is not None:
            self._unmarked = (rank, visit, step, state.stages)
        return _OK

    def told(self):
        """The master knows of the step that has run: marks what it has printed, if that was left to do."""
        unmarked = self._unmarked
        if unmarked is not None:
            self._unmarked = None
            if self._output._has_moved():
                self._output.mark(*unmarked)

    cdef object _run(self, HalfState state, int number):
        stage = state.stages[number - 1]
        apply = stage.applyProcess
        source, target = state.queues[number - 1], state.queues[number]
        if not is_from(apply, self._apply) or stage.inputQueue is not source or stage.outputQueue is not target:
            apply()
            return
        clipboard = (<Queue> source)._first
        stage.process(clipboard)
        (<Queue> source).getNextDataset()
        (<Queue> target).addDataset(clipboard)

    cdef bint _has_settled(self, HalfState state, int number) except -1:
        # Whether what is to be published after the stage was, and no visit ends early; counts what is held.
        clipboard = _head(state, number)
        if clipboard is None or state.notes.are_there or "noMoreDatasets" in clipboard._values:
            return False
        if not _send_up(state, clipboard):
            return False
        state._bytes_held[0] = _array_bytes(clipboard)
        return True


cdef inline void _work_for(HalfState half):
    # What this process does from here on is done for this slice.
    if _process.worker is not half:
        _process.worker = half
        _process.log = half.root_log


cdef object _name_to_tell(HalfState half, int number):
    # The name of a stage whose step is told of in plain records; None where that is not so.
    if _passes(half, _DEBUG) or not _tells_plainly(half):
        return None
    try:
        name = half.stages[number - 1].getName()
    except Exception:
        # The half asks again, where it is answered.
        return None
    return name if type(name) is str else None


cdef int _tell_of_step(HalfState half, int number, str name) except -1:
    # As `SliceHalf.process` does.
    cdef str text = f"stage {number} {name}, error flag 0"
    if not (<LogState> half.log)._send_plain(_INFO, text, (), 0):
        half.log.info(text)
    return 0


cdef int _mark_process(HalfState half, str name, str status) except -1:
    # As `SliceHalf._traced` does before and after the stage.
    if status == "start":
        half.blocks._mark("visit.stage", status, _TRACE, "stage " + name, name)
    half.blocks._mark("visit.stage.process", status, _TRACE, name + ".process", "")
    if status == "end":
        half.blocks._mark("visit.stage", status, _TRACE, "stage " + name, name)
    return 0


cdef bint _opens(HalfState half, long long visit, int step) except -1:
    # Begins a visit with its first step, where that is plain but for this.
    if step != 1 or half.visit == visit or half.replaces or half._more or half.exchange is not None:
        return False
    if _passes(half, _INFO):
        return False
    _work_for(half)
    try:
        if half._has_several:
            half.turn_to(visit)
        if half.foreign is not None:
            half.foreign.follow()
        if half._unprepared:
            half.prepare_births()
        half._published.clear()
        half._has_no_more = False
        half.start(visit)
        half.start_slice(visit)
    except Exception:
        # The half meets it again, where it is answered.
        return False
    half._opened = True
    return _is_plain(half, visit, step)


cdef bint _is_plain(HalfState half, long long visit, int step) except -1:
    # Of a slice, before a step.
    if half.visit != visit or step < 1 or step > len(half.stages) or (step == 1 and not half._opened):
        return False
    if half._more or half.error_flagged or half._has_no_more or half.exchange is not None:
        return False
    if half._published:
        half._published.clear()
    return _head(half, step - 1) is not None
