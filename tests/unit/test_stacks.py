# SPDX-License-Identifier: BSD-3-Clause
"""Stacks of another process: while it sleeps, while C code holds the interpreter, and why there are none."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from harness.runtime.processes import stacks
from harness.runtime.processes.stacks import NoStacks, dump

HOLDS_THE_LOCK = "import ctypes\n    while True: ctypes.PyDLL(None).sleep(600)"
SLEEPS = "time.sleep(600)"


@contextlib.contextmanager
def a_process(last_words: str, first_words: str = "stacks.register('here')"):
    program = f"""
import os, sys, time
from harness.runtime.processes import stacks
{first_words}
def stuck_here():
    print(f"ready", flush=True)
    {last_words}
stuck_here()
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


STUCK = {"asleep": SLEEPS, "in C code": HOLDS_THE_LOCK, "busy": "while True: pass"}


@pytest.mark.parametrize("how", STUCK)
def test_a_process_that_is_stuck_tells_where(how):
    with a_process(STUCK[how]) as process:
        for _ in range(3):
            text = dump(process.pid, 20)
            assert text.count("stuck_here") == 1
            assert text.rstrip().endswith("in <module>")
        assert process.poll() is None


def test_every_thread_is_told():
    program = "import threading; t = threading.Thread(target=another); t.start(); t.join()"
    with a_process(program, "stacks.register('here')\ndef another(): time.sleep(600)") as process:
        deadline = time.monotonic() + 20
        while "in another" not in (text := dump(process.pid, 20)):
            assert time.monotonic() < deadline
        assert "stuck_here" in text


def test_stacks_that_nobody_asked_this_way_for_are_left_out():
    with a_process(SLEEPS) as process:
        os.kill(process.pid, stacks.SIGNAL)
        deadline = time.monotonic() + 20
        while not os.stat(stacks._find_file(process.pid)[0]).st_size and time.monotonic() < deadline:
            time.sleep(0.001)
        assert dump(process.pid, 20).count("stuck_here") == 1


def test_two_readers_take_turns():
    with a_process(SLEEPS) as process:
        texts: list[str] = []
        readers = [threading.Thread(target=lambda: texts.append(dump(process.pid, 20))) for _ in range(4)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        assert [text.count("stuck_here") for text in texts] == [1, 1, 1, 1]


def test_a_forked_process_has_stacks_of_its_own():
    program = """
import os, time
from harness.runtime.processes import stacks
stacks.register('here')
if os.fork() == 0:
    stacks.register('here')
    print(f"{os.getpid()}", flush=True)
    (lambda: time.sleep(600))()
os.wait()
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        child = int(process.stdout.readline())
        deadline = time.monotonic() + 20
        while "<lambda>" not in dump(child, 20):
            assert time.monotonic() < deadline
        assert "<lambda>" not in dump(process.pid, 20)
    finally:
        os.kill(child, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize("memfd", [True, False])
def test_whether_a_process_answers_is_seen_with_and_without_memory_files(memfd):
    first = "stacks.register('here')" if memfd else "del os.memfd_create\nstacks.register('here')"
    with a_process(SLEEPS, first) as process:
        assert stacks.who(process.pid) == "here"
        assert "stuck_here" in dump(process.pid, 20)


def test_a_stopped_process_is_said_to_be_stopped():
    with a_process(SLEEPS) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        with pytest.raises(NoStacks, match="does not answer: it is stopped"):
            dump(process.pid, 0.1)
        process.send_signal(signal.SIGCONT)
        assert "stuck_here" in dump(process.pid, 20)


def test_a_process_without_stacks_is_left_alone():
    with a_process(SLEEPS, "") as process:
        assert not stacks.who(process.pid)
        with pytest.raises(NoStacks, match="writes no stacks"):
            dump(process.pid)
        assert process.poll() is None
    with pytest.raises(NoStacks, match="it has ended"):
        dump(process.pid)


def test_a_process_that_no_longer_answers_is_left_alone():
    with a_process(SLEEPS, "stacks.register('here'); stacks.unregister(); stacks.unregister()") as process:
        assert not stacks.who(process.pid)
