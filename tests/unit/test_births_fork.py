# SPDX-License-Identifier: BSD-3-Clause
"""Forks of a process with arrays in the arena: the child works on what it inherited, and harms nobody."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time

import harness
import numpy as np
import pytest
from harness import _core, arrays

MIB = 1 << 20
OUTCOME_S = 20.0


@pytest.fixture
def run():
    """A run whose arena of 64 MiB this process uses for new arrays."""
    run = _core.Run(64 * MIB, 2, 2, 1)
    run.attach_master()
    arrays.use_arena(run.arena)
    yield run
    gc.collect()
    with harness.shared_arrays():
        pass
    arrays.use_arena(None)


@pytest.fixture
def arena(run):
    return run.arena


def in_child(body) -> int:
    """Forks, and runs `body` in the child; returns its pid. The exit code is 0 when `body` returns true."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = 0 if body() else 1
        finally:
            os._exit(code)
    return pid


def exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def release_guests() -> None:
    """What the harness does after every step: births end, and the holds for ended children with them."""
    with harness.shared_arrays():
        pass


def live_blocks(arena) -> int:
    return arena.stats()["live_blocks"]


def test_a_child_s_writes_into_an_inherited_array_stay_its_own(arena):
    with harness.shared_arrays():
        born = np.zeros(MIB, np.uint8)
    made = harness.full(MIB, 1, np.uint8)

    def scribble():
        born[:] = 7
        made[:] = 7
        return (born == 7).all() and (made == 7).all()

    assert exit_code(in_child(scribble)) == 0
    assert not born.any() and (made == 1).all()


def test_a_child_reads_what_it_inherited_though_the_parent_freed_and_reused_it(arena):
    with harness.shared_arrays():
        born = [np.full(MIB, 5, np.uint8)]
        address = born[0].ctypes.data
        ready_read, ready_write = os.pipe()

        def look():
            os.close(ready_write)
            os.read(ready_read, 1)  # until the parent has closed its end
            return (born[0] == 5).all()

        pid = in_child(look)
        born.clear()
        younger = [np.full(MIB, 6, np.uint8) for _ in range(8)]
        assert address not in [array.ctypes.data for array in younger], "held for the child"
        os.close(ready_write)
        os.close(ready_read)
        assert exit_code(pid) == 0
        release_guests()
        again = np.empty(MIB, np.uint8)
        assert again.ctypes.data == address, "free when the child has ended"


def test_a_child_s_objects_are_those_of_the_time_of_the_fork(arena):
    with harness.shared_arrays():
        objects = np.array([[number] for number in range(20_000)] + [None], dtype=object)[:-1]
    assert _core.is_birth(objects.__array_interface__["data"][0])
    ready_read, ready_write = os.pipe()

    def look():
        os.close(ready_write)
        os.read(ready_read, 1)  # until the parent has closed its end
        seen = all(objects[number] == [number] for number in range(20_000))
        objects[:] = None
        return seen

    pid = in_child(look)
    for number in range(20_000):
        objects[number] = ["another", number, "that the child has never seen"]
    os.close(ready_write)
    os.close(ready_read)
    assert exit_code(pid) == 0
    assert objects[19_999][1] == 19_999


def test_what_a_parent_changes_in_place_may_show_in_a_child_that_has_not_written_there(arena):
    with harness.shared_arrays():
        born = np.full(MIB, 5, np.uint8)
    ready_read, ready_write = os.pipe()
    written_read, written_write = os.pipe()

    def look():
        born[0] = 5
        os.write(written_write, b"x")
        os.close(ready_write)
        os.read(ready_read, 1)
        return (born[:4096] == 5).all() and (born[4096:] == 6).all()

    pid = in_child(look)
    os.read(written_read, 1)
    born[:] = 6
    os.close(ready_write)
    assert exit_code(pid) == 0
    for descriptor in (ready_read, written_read, written_write):
        os.close(descriptor)


def test_what_a_child_frees_stays_the_parent_s(arena):
    with harness.shared_arrays():
        kept = [np.full(MIB, 4, np.uint8)]

        def free():
            kept.clear()
            gc.collect()
            return all((np.full(MIB, 9, np.uint8) == 9).all() for _ in range(4))

        assert exit_code(in_child(free)) == 0
    assert live_blocks(arena) == 1 and (kept[0] == 4).all()


def test_a_child_allocates_nothing_in_the_arena(arena):
    before = arena.stats()
    with harness.shared_arrays():
        old = [np.ones(MIB, np.uint8)]

        def allocate():
            new = old[0] + np.uint8(1)
            explicit = harness.full(MIB, 1, np.uint8)
            shared = [_core.is_birth(array.ctypes.data) for array in (new, explicit)]
            return shared == [False, False] and (new == 2).all()

        assert exit_code(in_child(allocate)) == 0
    old.clear()
    release_guests()
    after = arena.stats()
    assert after["live_blocks"] == before["live_blocks"] == 0


def test_a_child_resizes_an_inherited_array_into_memory_of_its_own(arena):
    with harness.shared_arrays():
        array = np.full(MIB, 3, np.uint8)

        def resize():
            array.resize(4 * MIB, refcheck=False)
            if _core.is_birth(array.ctypes.data):
                return False
            return (array[:MIB] == 3).all() and not array[MIB:].any()

        assert exit_code(in_child(resize)) == 0
    assert array.size == MIB and (array == 3).all() and live_blocks(arena) == 1


def test_grandchildren_are_guests_too_and_keep_what_they_inherited(arena):
    with harness.shared_arrays():
        array = np.full(MIB, 2, np.uint8)

    def child():
        array[0] = 8

        def grandchild():
            seen = array[0] == 8 and array[1] == 2
            array[:] = 9
            return seen

        return exit_code(in_child(grandchild)) == 0 and array[0] == 8 and array[1] == 2

    assert exit_code(in_child(child)) == 0
    assert (array == 2).all()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_that_is_killed_keeps_no_block(arena, end):
    with harness.shared_arrays():
        array = np.full(MIB, 2, np.uint8)
    pid = in_child(lambda: time.sleep(OUTCOME_S))
    del array
    release_guests()
    assert live_blocks(arena) == 1, "the child may still read it"
    os.kill(pid, end)
    assert exit_code(pid) == -end
    release_guests()
    assert live_blocks(arena) == 0


def test_a_child_that_becomes_another_program_keeps_no_block(arena):
    with harness.shared_arrays():
        array = np.full(MIB, 2, np.uint8)
    pid = os.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", f"import time; time.sleep({OUTCOME_S})"])
    del array
    deadline = time.monotonic() + OUTCOME_S / 2
    while live_blocks(arena) and time.monotonic() < deadline:
        release_guests()
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert live_blocks(arena) == 0


def test_subprocesses_run_and_leave_nothing(arena):
    with harness.shared_arrays():
        array = np.full(MIB, 2, np.uint8)
        for preexec in (None, lambda: None):
            command = [sys.executable, "-c", "print(6 * 7)"]
            done = subprocess.run(command, capture_output=True, text=True, preexec_fn=preexec)
            assert done.stdout == "42\n"
    assert (array == 2).all()
    del array
    release_guests()
    assert live_blocks(arena) == 0


def test_more_forks_than_an_arena_has_holders_leave_no_descriptor_and_no_hold(arena):
    with harness.shared_arrays():
        kept = [np.full(MIB, 2, np.uint8)]
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(300):
            assert exit_code(in_child(lambda: kept[0][0] == 2)) == 0
        release_guests()
    assert len(os.listdir("/proc/self/fd")) == before
    kept.clear()
    assert live_blocks(arena) == 0


def test_many_arrays_at_the_time_of_a_fork_are_all_private_to_the_child(arena):
    with harness.shared_arrays():
        kept = [np.full(64 * 1024, number, np.uint8) for number in range(256)]

    def scribble():
        for array in kept:
            array += 1
        return all((array == (number + 1) % 256).all() for number, array in enumerate(kept))

    assert exit_code(in_child(scribble)) == 0
    assert all((array == number).all() for number, array in enumerate(kept))


def test_the_blocks_of_a_killed_worker_are_free_again(run, arena):
    ready_read, ready_write = os.pipe()
    master = os.getpid()
    pid = os.fork()
    if pid == 0:
        # As a worker begins: a process of the run, that was not forked by a process with arrays.
        run.attach_worker(0, os.getpid())
        arrays.use_arena(run.arena)
        with harness.shared_arrays():
            held = [np.ones(MIB, np.uint8) for _ in range(10)]
            os.write(ready_write, b"x")
            while os.getppid() == master:
                held[0] = held[1] + held[2]
        os._exit(0)
    run.start_watcher()
    run.watch(0, pid)
    os.read(ready_read, 1)
    assert live_blocks(arena) >= 10
    os.kill(pid, signal.SIGKILL)
    assert run.wait_for_ends(OUTCOME_S)
    while run.take_death() is not None:
        pass
    run.stop_watcher()
    os.close(ready_read)
    os.close(ready_write)
    stats = arena.stats()
    assert stats["live_blocks"] == 0
    assert stats["committed_bytes"] == stats["warm_bytes"]


PAST_THE_END = """
    import atexit, sys, threading
    import numpy as np, harness
    from harness import _core, arrays

    run = _core.Run(16 << 20, 1, 1, 1)
    run.attach_master()
    arrays.use_arena(run.arena)
    with harness.shared_arrays():
        born = np.arange(200_000)
    made = harness.full(200_000, 3)
    views = [born[5::7], made[::-1], memoryview(born)]
    class Cycle: pass
    cycle = Cycle(); cycle.self = cycle; cycle.array = born + 0
    arrays.use_arena(None)
    del run
    sys.kept_past_the_end = views
    @atexit.register
    def look():
        assert views[0][0] == 5 and views[1][0] == 3 and cycle.array[9] == 9
        print("sound")
"""


def run_program(text, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)], capture_output=True, text=True, timeout=100,
        env={**os.environ, **environment},
    )


# No array that NumPy allocated keeps the arena here: the blocks themselves have to.
BLOCKS_PAST_THE_END = """
    import atexit, sys
    import numpy as np, harness
    from harness import _core, arrays

    run = _core.Run(16 << 20, 1, 1, 1)
    run.attach_master()
    arrays.use_arena(run.arena)
    made = [harness.full(200_000, number) for number in range(4)]
    assert run.arena.find(made[0].ctypes.data) is not None
    arrays.use_arena(None)
    del run
    made.pop()
    sys.kept_past_the_end = made[0][::-1]
    @atexit.register
    def look():
        made.pop()
        assert sys.kept_past_the_end[0] == 0 and made[1][9] == 1
        print("sound")
"""


@pytest.mark.parametrize("program", [PAST_THE_END, BLOCKS_PAST_THE_END], ids=["births and blocks", "blocks"])
def test_views_kept_past_the_run_and_past_the_exit_of_the_interpreter_are_sound(program):
    done = run_program(program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "sound\n", "")


def test_where_the_default_handler_is_not_in_use_the_stage_s_own_thread_is_covered():
    done = run_program("""
        from contextvars import Context
        import numpy as np, harness
        from harness import _core, arrays, births

        run = _core.Run(16 << 20, 1, 1, 1)
        run.attach_master()
        arrays.use_arena(run.arena)
        _core.redirect_numpy = lambda: None
        with harness.shared_arrays():
            print(births.coverage.name)
            for way in (births._call, Context().run):
                array = way(np.empty, 200_000)
                print(_core.is_birth(array.ctypes.data))
        del array
        print(run.arena.stats()["live_blocks"])
    """)
    assert done.stdout.split() == ["THIS_CONTEXT", "True", "False", "0"], done.stderr


def test_where_no_handler_is_in_use_explicit_arrays_are_shared_still():
    done = run_program("""
        import numpy as np, harness
        from harness import _core, arrays, births

        run = _core.Run(16 << 20, 1, 1, 1)
        run.attach_master()
        arrays.use_arena(run.arena)
        _core.redirect_numpy = _core.redirect_numpy_here = lambda: None
        with harness.shared_arrays():
            print(births.coverage.name, _core.is_birth(np.empty(200_000).ctypes.data))
            made = harness.empty(200_000)
            print(run.arena.find(made.ctypes.data) is not None)
    """)
    assert done.stdout.split() == ["NOTHING", "False", "True"], done.stderr
