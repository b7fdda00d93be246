# SPDX-License-Identifier: BSD-3-Clause
"""Ctrl-C, SIGTERM and SIGKILL at any time: the run ends at once and leaves nothing."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

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


@pytest.mark.contract("17.11")
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_within_a_second(bench, monkeypatch, where, number):
    monkeypatch.setenv("WHERE", where)
    bench.module(STAGES)
    bench.policy(WHERE[where], slices=3)
    process = bench.start("--workers", "2")
    bench.wait_until((bench.folder / "asleep").exists, "the stage to be asleep")
    sent = time.monotonic()
    process.send_signal(number)
    done = bench.finish(process)
    elapsed = time.monotonic() - sent
    assert done.code == 128 + number
    assert done.err.count("\n") == 1 and "ended by" in done.err
    assert elapsed < 1.0 or os.getloadavg()[0] > 4
    bench.wait_until(lambda: not bench.processes(), "all processes to end", timeout=1.0)


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
    os.write(master, b"\x03")
    assert process.wait(timeout=20) == 130
    os.close(master)


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
    # A worker is replaced, nursery and keeper are not needed: the signal ends the run. A worker that died
    # before its stages were set up has ended it already.
    assert done.code in (3, 130), done.err


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
    workers = set()
    for pid in bench.processes():
        if pid != process.pid and f"PPid:\t{process.pid}\n" in Path(f"/proc/{pid}/status").read_text():
            workers.add(pid)
    # The nursery is the first child: the workers are forked after it and have higher numbers.
    nursery = min(workers)
    os.kill(nursery, signal.SIGKILL)
    (bench.folder / "go").touch()
    done = bench.finish(process)
    assert done.code == 0, done.err
