# SPDX-License-Identifier: BSD-3-Clause
"""Signals and what stage code forks: a child takes its own, and the run does not take them for its own."""

import os
import signal
import time

import pytest

STAGES = """
    import multiprocessing, signal

    def forks(count):
        for number in range(count):
            pid = os.fork()
            if pid == 0:
                time.sleep(20)
                os._exit(3)
            os.kill(pid, signal.SIGTERM)
            yield os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def pool_ends():
        with multiprocessing.get_context("fork").Pool(2) as pool:
            for _ in range(2):
                pool.apply_async(busy)
            while len(os.listdir("busy")) < 2:
                time.sleep(0.01)
            for name in os.listdir("busy"):
                os.unlink(os.path.join("busy", name))
            begun = time.monotonic()
        return time.monotonic() - begun

    def busy():
        open(f"busy/{os.getpid()}", "w").close()
        time.sleep(20)

    def both(name):
        answer = next(code for code in (*(c for c in forks(100) if c != -signal.SIGTERM), "all"))
        os.write(1, f"{name}: pool {pool_ends() < 10}, forks {answer}\\n".encode())

    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            both("master")

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            both(f"slice {self.rank}")

    def interrupted(count):
        parent = os.getpid()
        for number in range(count):
            try:
                pid = os.fork()
                if pid == 0:
                    time.sleep(20)
                    os._exit(3)
            except KeyboardInterrupt:
                if os.getpid() == parent:
                    raise
                os._exit(7)
            os.kill(pid, signal.SIGINT)
            yield os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def handler_in_child(number):
        pid = os.fork()
        if pid == 0:
            os._exit(11 if signal.getsignal(number) is signal.SIG_IGN else 12)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def with_own_handler():
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        answer = handler_in_child(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
        return answer, handler_in_child(signal.SIGTERM)

    class Interrupting(SerialProcessing):
        def preprocess(self, clipboard):
            print("interrupted", set(interrupted(100)), "handlers", with_own_handler(), flush=True)

    class Own(ParallelProcessing):
        def process(self, clipboard):
            os.write(1, f"handlers of slice {with_own_handler()}\\n".encode())

    class Forks(SerialProcessing):
        def preprocess(self, clipboard):
            open("forking", "w").close()
            for code in forks(100_000):
                pass
"""


def test_signals_to_children_of_stages_end_these_and_not_the_run(bench):
    (bench.folder / "busy").mkdir()
    bench.module(STAGES)
    bench.policy("fork Master Slice", slices=1, head="")
    done = bench.run("--visits", "2")
    assert done.code == 0, done.err
    assert done.out.count("master: pool True, forks all") == 2
    assert done.out.count("slice 0: pool True, forks all") == 2
    assert "the run ends" not in done.log()


def test_a_child_takes_its_first_interrupt_and_keeps_handlers_of_the_stage_s_own(bench):
    bench.module(STAGES)
    bench.policy("fork Interrupting Own", slices=1)
    done = bench.run()
    assert done.code == 0, done.err
    assert "interrupted {7} handlers (11, 12)" in done.out
    assert "handlers of slice (11, 12)" in done.out
    assert "the run ends" not in done.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_whose_stage_forks_all_the_time_takes_its_own_signals(bench, number):
    bench.module(STAGES)
    bench.policy("fork Forks -", slices=1)
    process = bench.start()
    bench.wait_until((bench.folder / "forking").exists, "the stage to fork")
    presses = 0
    while process.poll() is None and presses < 20:
        process.send_signal(number)
        presses += 1
        time.sleep(0.2)
    sent = time.monotonic()
    done = bench.finish(process)
    assert done.code == 128 + number
    assert presses <= 4 or os.getloadavg()[0] > 4
    assert time.monotonic() - sent < 5 or os.getloadavg()[0] > 4
    bench.wait_until(lambda: not bench.processes(), "all processes to end", timeout=5.0)
