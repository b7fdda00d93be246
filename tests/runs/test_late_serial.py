# SPDX-License-Identifier: BSD-3-Clause
"""Stages that never come back where nobody but the harness could notice: in `setup()`, and in the master."""

import signal
import sqlite3

import pytest

LATE = 3

HANGS = {
    "sleep": "time.sleep(600)",
    "python": "while True: pass",
    "fifo": "os.path.exists('fifo') or os.mkfifo('fifo'); open('fifo').read()",
}


@pytest.mark.parametrize("where", ["setup", "preprocess", "postprocess", "shutdown"])
@pytest.mark.parametrize("how", HANGS)
def test_a_stage_of_the_master_that_hangs_ends_the_run_after_its_timeout(bench, monkeypatch, where, how):
    if how != "fifo" and where != "preprocess":
        pytest.skip("the same mechanism everywhere")
    monkeypatch.setenv("WHERE", where)
    bench.module(f"""
    def hang(where):
        if os.environ.get("WHERE") == where:
            {HANGS[how]}
    class Hangs(SerialProcessing):
        visit = 0
        def setup(self):
            hang("setup")
        def preprocess(self, clipboard):
            self.visit += 1
            if self.visit == 2:
                hang("preprocess")
        def postprocess(self, clipboard):
            if self.visit == 2:
                hang("postprocess")
        def shutdown(self):
            hang("shutdown")
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            open(f"done-{{self.rank}}", "a").write("x")
    """)
    bench.policy("late Hangs Slice", head="stageTimeout: 0.3")
    done = bench.run("--visits", "3")
    assert done.code == LATE, done.err
    when = {"setup": "before the first visit", "shutdown": "in visit 3"}.get(where, "in visit 2")
    text = f"stage 'late'.{where} of the master has run for more than 0.3 s {when} (stageTimeout)"
    assert text in done.err and text in done.log()
    # Where it is: in the stacks, and in the traceback of what was raised there.
    assert done.log().count("in hang") >= 2
    if where in ("preprocess", "postprocess"):
        monkeypatch.setenv("WHERE", "")
        again = bench.run("--resume", "--visits", "3")
        assert again.code == 0, again.err
        assert "resuming: 1 visit is complete and left out" in again.log()
    if where != "setup":
        ledger = sqlite3.connect(bench.run_dir / "ledger.sqlite")
        ends = [end or "" for (end,) in ledger.execute("SELECT reason FROM runs ORDER BY run")]
        ledger.close()
        assert text in ends[0]


def test_a_stage_of_the_master_that_holds_the_interpreter_ends_the_program(bench):
    bench.module("""
    import subprocess
    class Holds(SerialProcessing):
        def preprocess(self, clipboard):
            subprocess.Popen(["sleep", "600", os.getcwd()], start_new_session=True)
            self.hold()
        def hold(self):
            # Never comes back to where the interpreter looks at signals, or gives way to another thread.
            import itertools
            sum(itertools.repeat(1))
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            pass
    """)
    bench.policy("holds Holds Slice", head="stageTimeout: 0.3")
    done = bench.run("--visits", "3")
    assert done.code == LATE, done.err
    text = "stage 'holds'.preprocess of the master has run for more than 0.3 s in visit 1 (stageTimeout)"
    assert text in done.err and text in done.log()
    assert "in hold" in done.log()
    status = bench.command_line("status", str(bench.run_dir))
    assert status.code == 4 and "ended without a word" in status.out


def test_stages_of_the_master_that_are_in_time_are_left_alone(bench):
    bench.module("""
    class Steady(SerialProcessing):
        def preprocess(self, clipboard):
            time.sleep(0.4)
        def postprocess(self, clipboard):
            time.sleep(0.4)
    """)
    bench.policy("a Steady -", "b Steady -", slices=0, head="stageTimeout: 1.0")
    process = bench.start("--visits", "2")
    process.send_signal(signal.SIGSTOP)
    process.send_signal(signal.SIGCONT)
    done = bench.finish(process)
    assert done.code == 0, done.err


@pytest.mark.parametrize("first", [True, False], ids=["at the start", "in a replacement"])
def test_a_slice_that_hangs_in_setup_has_the_timeout_of_its_stage(bench, first):
    bench.module(f"""
    class Hangs(ParallelProcessing):
        def setup(self):
            if self.rank == 1 and ({first} or os.path.exists("died")):
                self.hang()
        def hang(self):
            time.sleep(600)
        def process(self, clipboard):
            if self.rank == 1:
                open("died", "w").close()
                os._exit(7)
    """)
    bench.policy("hangs - Hangs", head='stageTimeout: 0.5\nexecutionMode: "oneloop"')
    done = bench.run("--workers", "2")
    assert done.code == LATE, done.err
    cause = "died of a stageTimeout of 0.5 s, after which it was killed, while it set its stages up"
    assert cause in done.err
    when = "before the first visit" if first else "in visit 1"
    text = f"is late {when}: it has set stage 'hangs' up for more than 0.5 s (stageTimeout) and is killed now"
    assert done.log().count(text) == (1 if first else 2)
    assert done.log().count("in hang") == (1 if first else 2)


def test_a_replacement_that_never_sets_up_does_not_keep_a_run_that_was_asked_to_end(bench):
    bench.module("""
    class Hangs(ParallelProcessing):
        def setup(self):
            if os.path.exists("died"):
                open("hangs", "w").close()
                time.sleep(600)
        def process(self, clipboard):
            open("died", "w").close()
            os._exit(7)
    """)
    bench.policy("hangs - Hangs", slices=1)
    process = bench.start()
    bench.wait_until((bench.folder / "hangs").exists, "the replacement")
    asked = bench.command_line("stop", str(bench.run_dir), "--level", "2")
    assert asked.code == 0, asked.err
    done = bench.finish(process, timeout=30.0)
    assert done.code == 143
    assert "slices had not set their stages up in time" in done.err
