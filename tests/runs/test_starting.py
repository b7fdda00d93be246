# SPDX-License-Identifier: BSD-3-Clause
"""A run that starts: commands find it as soon as it has a nursery, and end it whatever it waits for."""

import json
import os
import signal
import time

import pytest

RESTS = """
    def rest(where):
        if os.environ["WHERE"] == where:
            open("asleep", "w").close()
            time.sleep(600)
    rest("import")
    class Serial(SerialProcessing):
        def setup(self):
            rest("serial")
    class Slice(ParallelProcessing):
        def setup(self):
            rest("slice")
        def process(self, clipboard):
            pass
"""


@pytest.mark.parametrize(("where", "level"), [("import", 4), ("serial", 3), ("slice", 4), ("slice", 1)])
def test_the_command_ends_a_run_that_starts_whatever_the_level(bench, monkeypatch, where, level):
    monkeypatch.setenv("WHERE", where)
    bench.module(RESTS)
    bench.policy("rests Serial Slice")
    process = bench.start()
    bench.wait_until((bench.folder / "asleep").exists, "the phase")
    status = bench.command_line("status", str(bench.run_dir), "--json")
    assert status.code == 0, status.err
    told = json.loads(status.out)
    # The ledger is opened when all is imported.
    assert told["state"] == ("starting" if where == "import" else "running")
    assert told["pid"] == process.pid
    asked = bench.command_line("stop", str(bench.run_dir), "--level", str(level))
    assert asked.code == 0, asked.err
    assert asked.out.startswith("the run ends at once")
    done = bench.finish(process)
    assert done.code == 143
    assert f"ended at once by shutdown request of level {level} from process" in done.err.splitlines()[-1]


def test_a_run_that_starts_is_not_taken_for_the_one_before(bench, monkeypatch):
    monkeypatch.setenv("WHERE", "nowhere")
    bench.module(RESTS)
    bench.policy("rests Serial Slice")
    assert bench.run().code == 0
    monkeypatch.setenv("WHERE", "import")
    process = bench.start()
    bench.wait_until((bench.folder / "asleep").exists, "the import")
    status = bench.command_line("status", str(bench.run_dir))
    assert status.code == 0 and f"starting in process {process.pid}" in status.out
    bench.end_at_once(process)
    assert bench.finish(process).code == 143


def test_a_master_that_is_stopped_obeys_later_and_the_command_says_so(bench, monkeypatch):
    monkeypatch.setenv("WHERE", "slice")
    bench.module(RESTS)
    bench.policy("rests Serial Slice")
    process = bench.start()
    bench.wait_until((bench.folder / "asleep").exists, "the slices")
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    began = time.monotonic()
    asked = bench.command_line("stop", str(bench.run_dir))
    assert asked.code == 2 and "has not answered within 5 s: it is stopped" in asked.err
    assert "It may obey later" in asked.err and time.monotonic() - began >= 5.0
    process.send_signal(signal.SIGCONT)
    assert bench.finish(process).code == 143
