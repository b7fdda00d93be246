# SPDX-License-Identifier: BSD-3-Clause
"""Signals and requests to end, at any time: in good order or at once, and nothing is left."""

import os
import random
import signal
import time

import pytest
from families import children_of

STAGES = """
    class Quick(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("image", harness.zeros((256, 256)), True)

    class Sleeps(ParallelProcessing):
        def setup(self):
            if os.environ.get("WHERE") == "setup":
                open("asleep", "w").close()
                time.sleep(60)
        def process(self, clipboard):
            open("asleep", "w").close()
            time.sleep(60)

    class SleepsInMaster(SerialProcessing):
        def preprocess(self, clipboard):
            open("asleep", "w").close()
            if os.environ.get("WHERE") == "c code":
                import hashlib
                hashlib.pbkdf2_hmac("sha256", b"x", b"y", 100_000_000)
            time.sleep(60)
"""

WHERE = {
    "slices": "nap - Sleeps",
    "setup": "nap - Sleeps",
    "master": "nap SleepsInMaster -",
    "c code": "nap SleepsInMaster -",
}


PRESSES = {signal.SIGINT: 3, signal.SIGTERM: 2, signal.SIGHUP: 2}
"""How many of a kind end a run at once, whatever its stages do."""


@pytest.mark.contract("17.11")
@pytest.mark.parametrize("where", ["slices", "master", "c code"])
@pytest.mark.parametrize("number", PRESSES)
def test_the_last_signal_ends_the_run_within_a_second(bench, monkeypatch, where, number):
    monkeypatch.setenv("WHERE", where)
    bench.module(STAGES)
    bench.policy(WHERE[where], slices=3)
    process = bench.start("--workers", "2")
    bench.wait_until((bench.folder / "asleep").exists, "the stage to be asleep")
    for _ in range(PRESSES[number] - 1):
        process.send_signal(number)
        # Two that wait to be taken are one.
        time.sleep(0.1)
    assert process.poll() is None
    sent = time.monotonic()
    process.send_signal(number)
    done = bench.finish(process)
    elapsed = time.monotonic() - sent
    assert done.code == 128 + number
    assert "ended by" in done.err.splitlines()[-1]
    assert elapsed < 1.0 or os.getloadavg()[0] > 4
    bench.wait_until(lambda: not bench.processes(), "all processes to end", timeout=1.0)


@pytest.mark.parametrize("number", PRESSES)
def test_before_the_first_visit_one_signal_ends_the_run(bench, monkeypatch, number):
    monkeypatch.setenv("WHERE", "setup")
    bench.module(STAGES)
    bench.policy(WHERE["setup"], slices=3)
    process = bench.start("--workers", "2")
    bench.wait_until((bench.folder / "asleep").exists, "the stage to be asleep")
    process.send_signal(number)
    done = bench.finish(process)
    assert done.code == 128 + number
    assert done.err.count("\n") == 1 and "ended by" in done.err


STEPS = """
    def note(what):
        with open("steps", "a") as file:
            file.write(what + chr(10))

    def rest(what):
        note(what)
        if os.environ["STOP_IN"] in what and not os.path.exists("go"):
            open("asked", "w").close()
            while not os.path.exists("go"):
                time.sleep(0.005)

    class Serial(SerialProcessing):
        def setup(self):
            self.visit = 0
        def preprocess(self, clipboard):
            self.visit += 1
            rest(f"{self.visit} preprocess {self.stageId}")
        def postprocess(self, clipboard):
            note(f"{self.visit} postprocess {self.stageId}")
        def shutdown(self):
            note(f"shutdown {self.stageId}")

    class Parallel(ParallelProcessing):
        def setup(self):
            self.visit = 0
        def process(self, clipboard):
            self.visit += 1
            rest(f"{self.visit} process {self.stageId}")
        def shutdown(self):
            note(f"slice shutdown {self.stageId}")
"""


def asked_to_stop(bench, monkeypatch, where, ask):
    """A run that waits in `where` until `ask(process)` has asked it to end: what ran, all steps, the end."""
    monkeypatch.setenv("STOP_IN", where)
    bench.module(STEPS)
    bench.policy("a Serial Parallel", "b Serial Parallel", slices=1, head="")
    process = bench.start()
    bench.wait_until((bench.folder / "asked").exists, "the stage to wait")
    ask(process)
    (bench.folder / "go").touch()
    done = bench.finish(process)
    steps = (bench.folder / "steps").read_text().splitlines()
    return [step for step in steps if "shutdown" not in step], steps, done


@pytest.mark.parametrize(
    ("number", "presses", "last"),
    [
        (signal.SIGINT, 1, "2 postprocess 2"),
        (signal.SIGINT, 2, "2 process 1"),
        (signal.SIGTERM, 1, "2 process 1"),
        (signal.SIGHUP, 1, "2 process 1"),
    ],
)
def test_the_first_signals_end_the_run_in_good_order(bench, monkeypatch, number, presses, last):
    told = []

    def ask(process):
        for _ in range(presses):
            process.send_signal(number)
            told.append(process.stderr.readline())

    work, steps, done = asked_to_stop(bench, monkeypatch, "2 process 1", ask)
    assert done.code == 0, done.err
    assert work[-1] == last
    assert sorted(steps[-4:]) == ["shutdown 1", "shutdown 2", "slice shutdown 1", "slice shutdown 2"]
    name = signal.Signals(number).name
    assert told[0].startswith(f"pex-harness: visit 2, stage 1: {name}: the run ends ")
    assert f"; another {name} ends it at " in told[-1]
    assert done.summary["visits"] == 2
    assert f"{name}, level " in done.log()


@pytest.mark.contract("5.6.levels")
@pytest.mark.parametrize(
    ("level", "where", "last"),
    [
        (4, "2 preprocess 1", "2 postprocess 2"),
        (3, "2 preprocess 1", "2 postprocess 1"),
        (2, "2 preprocess 1", "2 preprocess 1"),
        (2, "2 process 2", "2 process 2"),
    ],
)
def test_the_command_ends_a_run_where_its_level_says(bench, monkeypatch, level, where, last):
    def ask(process):
        answer = bench.command_line("stop", str(bench.run_dir), "--level", str(level))
        assert answer.code == 0, answer.err
        assert answer.out.startswith("the run ends ")

    work, _steps, done = asked_to_stop(bench, monkeypatch, where, ask)
    assert done.code == 0, done.err
    assert work[-1] == last
    assert f"shutdown request of level {level} from process" in done.err
    assert not (bench.run_dir / "master.json").exists()


@pytest.mark.contract("17.4")
@pytest.mark.parametrize("where", ["slices", "master", "c code"])
def test_the_command_ends_a_run_at_once_wherever_it_is(bench, monkeypatch, where):
    monkeypatch.setenv("WHERE", where)
    bench.module(STAGES)
    bench.policy(WHERE[where], slices=2)
    process = bench.start()
    bench.wait_until((bench.folder / "asleep").exists, "the stage to be asleep")
    stop = bench.start_command("stop", str(bench.run_dir), "--level", "1")
    done = bench.finish(process)
    assert done.code == 143
    assert done.err.splitlines()[-1].startswith("pex-harness run: ended ")
    # Where C code holds the interpreter the listener can't answer: the command says that, too.
    assert bench.finish(stop).code in ((0,) if where != "c code" else (0, 2))


def test_the_command_knows_a_run_that_is_not_there_from_one_that_has_died(bench):
    assert "no such directory" in bench.command_line("stop", str(bench.folder / "nowhere")).err
    none = bench.command_line("stop", str(bench.folder))
    assert none.code == 2 and "no run is going on here" in none.err
    bench.module(STAGES)
    bench.policy("nap - Sleeps")
    process = bench.start()
    bench.wait_until((bench.folder / "asleep").exists, "the stage to be asleep")
    process.kill()
    process.communicate()
    dead = bench.command_line("stop", str(bench.run_dir))
    assert dead.code == 2 and f"process {process.pid} ended without taking leave" in dead.err


def test_the_stacks_of_a_run_tell_where_every_process_is(bench):
    bench.module("""
    class Stuck(ParallelProcessing):
        def process(self, clipboard):
            open("asleep", "w").close()
            import ctypes
            while True:
                ctypes.PyDLL(None).sleep(60)
    """)
    bench.policy("stuck - Stuck", slices=1)
    process = bench.start()
    bench.wait_until((bench.folder / "asleep").exists, "the stage to be asleep")
    shown = bench.command_line("stacks", str(bench.run_dir))
    assert shown.code == 0, shown.err
    parts = {part.partition(" (process")[0]: part for part in shown.out.split("--- ")[1:]}
    assert set(parts) == {"master", "nursery", "keeper", "worker 0"}
    assert "stages_here.py" in parts["worker 0"] and "in process" in parts["worker 0"]
    assert "startStagesLoop" in parts["master"]
    assert bench.command_line("stop", str(bench.run_dir), "--level", "1").code == 0
    assert bench.finish(process).code == 143


def test_a_visit_that_a_request_cut_short_is_not_complete(bench, monkeypatch):
    def ask(process):
        assert bench.command_line("stop", str(bench.run_dir), "--level", "2").code == 0

    asked_to_stop(bench, monkeypatch, "2 process 2", ask)
    (bench.folder / "steps").unlink()
    done = bench.run("--resume", "--visits", "2")
    assert done.code == 0, done.err
    assert "resuming: 1 visit is complete and left out" in done.log()
    assert "run again: visit 2: " in done.log()


def test_a_signal_to_every_process_of_a_job_is_the_master_s_to_answer(bench, monkeypatch):
    def ask(process):
        for pid in bench.processes():
            os.kill(pid, signal.SIGTERM)

    work, _steps, done = asked_to_stop(bench, monkeypatch, "2 process 1", ask)
    assert done.code == 0, done.err
    assert work[-1] == "2 process 1"


def test_a_run_under_nohup_outlives_its_terminal(bench, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        work, _steps, done = asked_to_stop(
            bench, monkeypatch, "2 process 1",
            lambda process: (process.send_signal(signal.SIGHUP), process.send_signal(signal.SIGINT)),
        )
    finally:
        signal.signal(signal.SIGHUP, before)
    assert done.code == 0, done.err
    assert work[-1] == "2 postprocess 2"
    assert "SIGHUP" not in done.err


def test_stage_code_can_end_what_it_forks(bench):
    bench.module("""
    import multiprocessing
    class Pool(ParallelProcessing):
        def process(self, clipboard):
            with multiprocessing.get_context("fork").Pool(2) as pool:
                assert pool.map(abs, [-1, -2]) == [1, 2]
    """)
    bench.policy("pool - Pool", slices=1)
    done = bench.run()
    assert done.code == 0 and "failed" not in done.err, done.err


def test_ctrl_c_at_a_terminal_reaches_the_whole_group_and_still_ends_cleanly(bench):
    import pty
    import subprocess

    bench.module(STAGES)
    bench.policy("nap - Sleeps", slices=2)
    master, slave = pty.openpty()
    process = subprocess.Popen(
        bench.command(),
        cwd=bench.folder,
        env={**bench.environment(), "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: __import__("fcntl").ioctl(0, 0x540E, 0),
    )
    os.close(slave)
    bench.wait_until((bench.folder / "asleep").exists, "the stage to be asleep")
    shown = b""
    for expected in (b"another SIGINT ends it at the next synch", b"another SIGINT ends it at once"):
        os.write(master, b"\x03")
        while expected not in shown:
            shown += os.read(master, 4096)
    os.write(master, b"\x03")
    assert process.wait(timeout=20) == 130
    os.close(master)


def test_a_run_that_was_stopped_and_continued_goes_on(bench, monkeypatch):
    def ask(process):
        process.send_signal(signal.SIGTSTP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        (bench.folder / "go").touch()
        time.sleep(0.2)
        process.send_signal(signal.SIGCONT)
        assert bench.command_line("stop", str(bench.run_dir)).code == 0

    work, _steps, done = asked_to_stop(bench, monkeypatch, "2 process 1", ask)
    assert done.code == 0, done.err
    assert work[-1].endswith("postprocess 2")


@pytest.mark.parametrize(
    ("phase", "whole_group"),
    [("import", False), ("setup", False), ("visit", False), ("visit", True), ("end", False)],
)
def test_killing_the_master_in_any_phase_takes_every_process_along(bench, monkeypatch, phase, whole_group):
    import subprocess

    monkeypatch.setenv("PHASE", phase)
    bench.module("""
    def rest(phase):
        if os.environ["PHASE"] == phase:
            open("asleep", "w").close()
            time.sleep(600)
    rest("import")
    class Slice(ParallelProcessing):
        def setup(self):
            rest("setup")
        def process(self, clipboard):
            rest("visit")
        def shutdown(self):
            rest("end")
    """)
    bench.policy("slow - Slice", slices=2)
    process = subprocess.Popen(
        bench.command(), cwd=bench.folder, env=bench.environment(), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    bench.wait_until((bench.folder / "asleep").exists, "the phase")
    assert len(bench.processes()) > 1
    if whole_group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait(timeout=20)
    bench.wait_until(lambda: not bench.processes(), "every process to end", timeout=5.0)
    # What is left does not stand in the way of the next run.
    monkeypatch.setenv("PHASE", "none")
    assert bench.run().code == 0


@pytest.mark.parametrize("seed", range(6))
def test_killing_the_master_at_a_random_moment_leaves_nothing(bench, seed):
    bench.module(STAGES)
    bench.policy("quick - Quick", slices=3, head="")
    process = bench.start("--workers", "2")
    time.sleep(random.Random(seed).uniform(0.0, 0.8))
    process.kill()
    process.communicate(timeout=20)
    bench.wait_until(
        lambda: not bench.processes(), "the workers and the nursery to follow the master", timeout=5.0
    )


@pytest.mark.contract("5.3.death")
@pytest.mark.parametrize("seed", range(6))
def test_killing_any_process_at_a_random_moment_hangs_nothing(bench, seed):
    rng = random.Random(seed)
    bench.module(STAGES)
    bench.policy("quick - Quick", slices=3, head="")
    process = bench.start("--workers", "3")
    bench.wait_until((bench.run_dir / "log" / "Slice2.log").exists, "the workers to start")
    time.sleep(rng.uniform(0.0, 0.2))
    victim = rng.choice([pid for pid in bench.processes() if pid != process.pid])
    os.kill(victim, signal.SIGKILL)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    done = bench.finish(process)
    # A worker is replaced, nursery and keeper are not needed: the signal ends the run, at once before the
    # first visit, in good order after it. A worker that died before its stages were set up has ended it.
    assert done.code in (0, 3, 130), done.err


def test_the_run_goes_on_without_its_nursery(bench):
    bench.module("""
    class Waits(ParallelProcessing):
        def process(self, clipboard):
            open("started", "w").close()
            while not os.path.exists("go"):
                time.sleep(0.01)
    """)
    bench.policy("wait - Waits")
    process = bench.start()
    bench.wait_until((bench.folder / "started").exists, "the slices to run")
    nursery = children_of(process.pid)[0]
    os.kill(nursery, signal.SIGKILL)
    (bench.folder / "go").touch()
    done = bench.finish(process)
    assert done.code == 0, done.err
