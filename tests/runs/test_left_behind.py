# SPDX-License-Identifier: BSD-3-Clause
"""What stages leave behind in the master and in slices: it ends with the run, is named, and keeps nothing."""

import os
import signal
import time
from pathlib import Path

import pytest

LEAVES = """
    import multiprocessing, subprocess, threading

    def sleep():
        open(f"left-{os.getpid()}", "w").close()
        time.sleep(600)

    def daemon():
        child = os.fork()
        if child == 0:
            os.setsid()
            if os.fork() == 0:
                sleep()
            os._exit(0)
        os.waitpid(child, 0)

    def leave(stage):
        stage.pool = multiprocessing.get_context("fork").Pool(2)
        assert stage.pool.map(abs, [-1]) == [1]
        stage.children = [
            subprocess.Popen(["sleep", "600"]),
            subprocess.Popen(["sleep", "601"], start_new_session=True),
        ]
        daemon()
        if os.fork() == 0:
            sleep()
        open("end", "w").close()

    class Serial(SerialProcessing):
        def postprocess(self, clipboard):
            leave(self)

    class Parallel(ParallelProcessing):
        def process(self, clipboard):
            leave(self)
            if os.environ.get("DIES") and not os.path.exists("died"):
                open("died", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
"""


def left(bench) -> list[int]:
    """What runs in the folder's environment, zombies left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            mine = str(bench.folder).encode() in (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mine and state != "Z":
            found.append(int(entry.name))
    return found


@pytest.mark.parametrize("dies", [False, True], ids=["well", "dead"])
@pytest.mark.parametrize("half", ["Serial -", "- Parallel"])
def test_processes_in_whatever_session_end_with_the_run_at_once_and_are_named(bench, monkeypatch, half, dies):
    if dies:
        if half == "Serial -":
            pytest.skip("a master that dies is another matter")
        monkeypatch.setenv("DIES", "1")
    bench.module(LEAVES)
    bench.policy(f"leaves {half}", slices=1)
    done = bench.run()
    took = time.time() - (bench.folder / "end").stat().st_mtime
    assert done.code == 0, done.err
    assert left(bench) == []
    assert "did not leave" not in done.err and took < 9.0
    told = "stages have left processes behind, which were ended: "
    assert told in done.err and told in done.log()
    line = next(line for line in done.err.splitlines() if told in line)
    assert "'sleep 601' (pid " in line and "a fork (pid " in line
    # What has stayed in a worker's group has ended with it.
    assert ("'sleep 600'" in line) == (half == "Serial -")


def test_what_a_serial_half_forked_keeps_no_other_process_when_the_master_is_killed(bench):
    bench.module("""
    class Forks(SerialProcessing):
        def preprocess(self, clipboard):
            child = os.fork()
            if child == 0:
                time.sleep(600)
            open("child", "w").write(str(child))
            os.rename("child", "forked")
            time.sleep(600)
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            pass
    """)
    bench.policy("forks Forks Slice")
    process = bench.start()
    bench.wait_until((bench.folder / "forked").exists, "the fork")
    child = int((bench.folder / "forked").read_text())
    process.kill()
    process.wait()
    # Not read to their end, which comes with that of the fork.
    process.stdout.close()
    process.stderr.close()
    try:
        bench.wait_until(lambda: bench.processes() == [child], "all but the fork to end", timeout=8.0)
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("signals", [True, False], ids=["signal", "patience"])
def test_a_thread_that_a_serial_half_leaves_behind_does_not_keep_the_program(bench, signals):
    bench.module("""
    import threading
    class Leaves(SerialProcessing):
        def preprocess(self, clipboard):
            threading.Thread(target=time.sleep, args=(600,), name="sleeper").start()
    """)
    bench.policy("leaves Leaves -", slices=0)
    process = bench.start()
    told = process.stderr.readline()
    assert "waits up to 10 s for threads that stages have left behind: sleeper" in told
    if signals:
        process.send_signal(signal.SIGTERM)
    done = bench.finish(process, timeout=30.0)
    assert done.code == 0, done.err
    assert "ended with threads that stages have left behind: sleeper" in done.err
    assert "1 visit" in done.out


def test_a_thread_that_ends_in_time_has_done_its_work(bench):
    bench.module("""
    from concurrent.futures import ThreadPoolExecutor
    def write():
        time.sleep(0.5)
        open("written", "w").close()
    class Leaves(SerialProcessing):
        def preprocess(self, clipboard):
            self.pool = ThreadPoolExecutor(1)
            self.pool.submit(write)
    """)
    bench.policy("leaves Leaves -", slices=0)
    done = bench.run()
    assert done.code == 0, done.err
    assert (bench.folder / "written").exists() and "ended with threads" not in done.err


def test_a_program_that_embeds_a_run_keeps_its_own_children(bench):
    bench.module(LEAVES)
    bench.policy("leaves Serial Parallel", slices=1)
    (bench.folder / "embed.py").write_text(
        "import subprocess, threading\n"
        "from lsst.pex.harness.Pipeline import Pipeline\n"
        "before = subprocess.Popen(['sleep', '602'])\n"
        "def start():\n"
        "    global beside\n"
        "    beside = subprocess.Popen(['sleep', '603'])\n"
        "pipeline = Pipeline('r1', 'night.paf', run_dir='run')\n"
        "starts = threading.Timer(0.1, start)\n"
        "starts.start()\n"
        "pipeline.run()\n"
        "starts.join()\n"
        # Programs that stages of the master have started can't be told from the program's own.
        "mine = pipeline._master.stages[0].children\n"
        "print(before.poll(), beside.poll(), [one.poll() for one in mine].count(None))\n"
        "[one.kill() for one in (before, beside, *mine)]\n"
    )
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "embed.py"], cwd=bench.folder, env=bench.environment(), capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["None", "None", "2"]
    bench.wait_until(lambda: left(bench) == [], "what stages left to end", timeout=5.0)
    told = (bench.run_dir / "log" / "Pipeline.log").read_text()
    assert "'sleep 601' (pid " in told and "a fork (pid " in told
