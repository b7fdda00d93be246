# SPDX-License-Identifier: BSD-3-Clause
"""Threads and devices that importing a stage module leaves in the process that forks the workers."""


def test_a_thread_that_an_import_starts_is_named_with_its_place_and_the_class(bench):
    bench.module("""
    import threading
    def wait_for_ever():
        threading.Event().wait()
    threading.Thread(target=wait_for_ever, name="prefetch", daemon=True).start()

    class Stage(ParallelProcessing):
        def process(self, clipboard):
            open(f"ran-{self.rank}", "w").close()
    """)
    bench.policy("one - Stage")
    done = bench.run()
    assert done.code == 0, done.err
    assert "importing stages_here.Stage started thread 'prefetch' at " in done.err
    assert "stages_here.py:9" in done.err and "start it in setup() or later" in done.err
    assert (bench.folder / "ran-0").exists() and (bench.folder / "ran-1").exists()


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
            pass
    """)
    bench.policy("one - Stage", slices=1)
    done = bench.run()
    assert done.code == 0, done.err
    assert "importing stages_here.Stage started 2 threads of a library" in done.err


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
