# SPDX-License-Identifier: BSD-3-Clause
"""What processes of a run inherit, and what must not depend on it: the terminal, signals, the life pipe."""

import contextlib
import os
import pty
import signal
import subprocess
import time

import pytest
from families import children_of

QUICK = """
    class Quick(ParallelProcessing):
        def process(self, clipboard):
            open(f"ran-{self.rank}", "w").close()
"""


def test_a_stage_that_reads_the_terminal_sees_the_end_of_input(bench):
    bench.module("""
    class Asks(ParallelProcessing):
        def process(self, clipboard):
            input("continue? ")
    """)
    bench.policy("ask - Asks", slices=1)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(bench.folder)
        command = bench.command("--no-progress")
        os.execve(command[0], command, bench.environment())
    output, status = [], []

    def has_ended() -> bool:
        os.set_blocking(terminal, False)
        with contextlib.suppress(OSError):
            output.append(os.read(terminal, 4096))
        pid, code = os.waitpid(child, os.WNOHANG)
        status.append(code)
        return pid == child

    try:
        bench.wait_until(has_ended, "the run on a terminal to end")
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status[-1]) == 0
    assert "EOFError" in (bench.run_dir / "log" / "Slice0.log").read_text()


def test_a_run_works_where_the_launcher_ignores_the_end_of_children(bench):
    bench.module(QUICK)
    bench.policy("quick - Quick")
    done = subprocess.run(
        bench.command(),
        cwd=bench.folder,
        env=bench.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    )
    assert done.returncode == 0, done.stderr
    assert (bench.folder / "ran-1").exists()


def test_a_nursery_that_still_imports_dies_with_its_master(bench):
    bench.module("open('importing', 'w').close()\ntime.sleep(60)\n")
    bench.policy("quick - Quick")
    process = bench.start()
    bench.wait_until((bench.folder / "importing").exists, "the import to begin")
    time.sleep(0.1)
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()
    bench.wait_until(lambda: not bench.processes(), "the nursery to end", timeout=5.0)


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL (signal 9)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV (signal 11)"),
        ("os._exit(0)", "exit code 0"),
    ],
)
def test_a_nursery_that_dies_while_it_imports_is_named_with_its_cause(bench, end, cause):
    bench.module(f"{end}\n")
    bench.policy("quick - Quick")
    done = bench.run()
    assert done.code == 2
    assert "importing the stage modules: the nursery (pid " in done.err
    assert f"ended by {cause}" in done.err


def test_the_death_that_ends_a_run_is_told_when_the_nursery_died_before(bench):
    bench.module("""
    class Dies(ParallelProcessing):
        def process(self, clipboard):
            open("started", "w").close()
            while not os.path.exists("go"):
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGSEGV)
    """)
    bench.policy("die - Dies", slices=1, head='sliceRetries: 0\nonSliceFailure: "run"')
    process = bench.start()
    bench.wait_until((bench.folder / "started").exists, "the slice to run")
    os.kill(children_of(process.pid)[0], signal.SIGKILL)
    time.sleep(0.2)
    (bench.folder / "go").touch()
    done = bench.finish(process)
    assert done.code == 3
    assert "nursery" in done.err.splitlines()[0] and "made anew when a worker has to be replaced" in done.err
    end = done.err.splitlines()[-1]
    assert "worker 0" in end and "SIGSEGV" in end and "nursery" not in end


@pytest.mark.parametrize("number", [1, 2], ids=["intermediate", "worker"])
def test_a_worker_that_cannot_be_forked_is_named(bench, number):
    bench.module(f"""
    calls, real_fork = [], os.fork

    def fork():
        calls.append(None)
        if len(calls) == {number}:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return real_fork()

    os.fork = fork
    {QUICK}""")
    bench.policy("quick - Quick")
    done = bench.run()
    assert done.code == 2
    assert "forking worker 0" in done.err and "temporarily unavailable" in done.err
