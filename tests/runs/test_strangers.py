# SPDX-License-Identifier: BSD-3-Clause
"""Threads and devices that importing a stage module leaves in the process that forks the workers."""

import subprocess
import sys

import pytest
from harness.runtime.processes.cores import THREAD_VARIABLES


@pytest.mark.parametrize("method", ["auto", "exec", "fork"])
def test_a_thread_that_an_import_starts_is_named_and_workers_have_it_unless_they_are_forked(bench, method):
    bench.module("""
    import threading
    def wait_for_ever():
        threading.Event().wait()
    threading.Thread(target=wait_for_ever, name="prefetch", daemon=True).start()

    class Stage(ParallelProcessing):
        def process(self, clipboard):
            names = [thread.name for thread in threading.enumerate()]
            open(f"ran-{self.rank}", "w").write(f"{'prefetch' in names} {hash('prefetch')}")
    """)
    bench.policy("one - Stage", head=f'executionMode: "oneloop"\nstartMethod: "{method}"')
    done = bench.run()
    assert done.code == 0, done.err
    assert "importing stages_here.Stage started thread 'prefetch' at " in done.err
    assert "stages_here.py:9" in done.err and "start it in setup() or later" in done.err
    forked = method == "fork"
    words = "workers are forked after it" if forked else "every worker is therefore started by exec"
    assert words in done.err
    first, second = ((bench.folder / f"ran-{rank}").read_text() for rank in range(2))
    assert first == second and first.startswith(str(not forked))


def test_threads_that_python_knows_nothing_of_are_counted(bench):
    bench.module("""
    import _thread
    stop = _thread.allocate_lock()
    stop.acquire()
    for _ in range(2):
        _thread.start_new_thread(stop.acquire, ())
    time.sleep(0.1)

    class Stage(ParallelProcessing):
        def process(self, clipboard):
            open("threads", "w").write(str(len(os.listdir("/proc/self/task"))))
    """)
    bench.policy("one - Stage", slices=1)
    done = bench.run()
    assert done.code == 0, done.err
    assert "importing stages_here.Stage started 2 threads of a library" in done.err
    assert int((bench.folder / "threads").read_text()) >= 3


def test_threads_of_openblas_are_no_strangers(bench, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    bench.module("""
    np.ones((200, 200)) @ np.ones((200, 200))
    class Stage(ParallelProcessing):
        def process(self, clipboard):
            assert (np.ones((300, 300)) @ np.ones((300, 300)) == 300).all()
    """)
    bench.policy("one - Stage", slices=1)
    done = bench.run()
    assert done.code == 0, done.err
    assert "importing" not in done.err


OPENBLAS = """
import os
import numpy as np
np.ones((200, 200)) @ np.ones((200, 200))
from harness.runtime.processes.strangers import strangers
print(len(os.listdir("/proc/self/task")) > 1 or len(os.sched_getaffinity(0)) == 1, strangers())
null = open("/dev/null")
import harness.runtime.processes.strangers as room
room.GPU_DEVICES = ("/dev/null",)
print(strangers())
"""


@pytest.mark.parametrize("threads", ["", "2"])
def test_of_a_program_openblas_is_no_stranger_and_an_open_device_is_one(bench, monkeypatch, threads):
    for name in THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    if threads:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", threads)
    (bench.folder / "embed.py").write_text(OPENBLAS)
    done = subprocess.run(
        [sys.executable, "embed.py"], cwd=bench.folder, stdin=subprocess.PIPE, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["True []", "['the open GPU device /dev/null']"], done.stderr
