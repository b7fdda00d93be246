# SPDX-License-Identifier: BSD-3-Clause
"""Stages that hang, nurseries that die, visits that can't be repeated: what is replaced, and what is said."""

import os
import signal
import time
from pathlib import Path

import pytest
from families import children_of
from harness.ledger.checking import check

LOST = 6


HANGS = {
    "python": "while True: pass",
    "sleep": "time.sleep(600)",
    "c_with_the_gil": "import ctypes\n            while True: ctypes.PyDLL(None).sleep(600)",
    "fifo": "os.mkfifo('fifo'); open('fifo').read()",
    "stopped": "os.kill(os.getpid(), signal.SIGSTOP)",
}


REVIVED = """
    class Stops(ParallelProcessing):
        def process(self, clipboard):
            visit = harness.current_visit()
            if (visit, self.rank) == (1, 1) and not os.path.exists("stopped"):
                worker, child = os.getpid(), os.fork()
                if child == 0:
                    os.setsid()
                    os.kill(os.getpid(), signal.SIGSTOP)
                    # As the worker would go on, with all that it knew.
                    clipboard.put("sum", -1000, True)
                    open("revived", "w").close()
                    return
                with open("stops", "w") as out:
                    out.write(f"{worker} {child}")
                os.rename("stops", "stopped")
                os.kill(worker, signal.SIGSTOP)
            if visit == 2:
                open(f"second-{self.rank}", "w").close()
                while not os.path.exists("go"):
                    time.sleep(0.005)
            clipboard.put("sum", 10 * visit + self.rank, True)

    class Sums(SerialProcessing):
        def postprocess(self, clipboard):
            with open("sums", "a") as out:
                out.write(f"{list(clipboard.gather('sum'))} ")
"""


def state_of(pid: int) -> str:
    """Of a process, in a letter; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_a_worker_that_was_stopped_and_replaced_can_t_be_revived_and_a_fork_of_it_acts_for_nobody(bench):
    bench.module(REVIVED)
    # Rank 0 waits longer in the second visit.
    path = bench.policy("stops Sums Stops", head="sliceRetries: 9")
    path.write_text(path.read_text().replace('.Stops"', '.Stops"\n    stageTimeout: 1.0'))
    process = bench.start("--workers", "2", "--visits", "2")
    bench.wait_until((bench.folder / "stopped").exists, "the worker to stop", timeout=60.0)
    worker, fork = map(int, (bench.folder / "stopped").read_text().split())
    bench.wait_until((bench.folder / "second-1").exists, "the second visit", timeout=60.0)
    # It was buried before another took its place: there is nobody to be woken.
    assert state_of(worker) == ""
    assert state_of(fork) == "T"
    os.kill(fork, signal.SIGCONT)
    bench.wait_until((bench.folder / "revived").exists, "the fork to go on", timeout=60.0)
    bench.wait_until(lambda: state_of(fork) in ("", "Z"), "the fork to end", timeout=60.0)
    (bench.folder / "go").touch()
    done = bench.finish(process)
    assert done.code == 0, done.err
    assert (bench.folder / "sums").read_text() == "[10, 11] [20, 21] "
    assert check(done.run_dir) == []
    causes = [death["cause"] for death in done.summary["deaths"]]
    assert causes and all("stageTimeout of 1 s" in cause for cause in causes), causes
    assert done.summary["partial_visits"] == []


@pytest.mark.parametrize("how", HANGS)
def test_a_stage_that_hangs_is_killed_after_its_timeout_and_its_slice_replayed(bench, how):
    bench.module(f"""
    class Hangs(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 1 and not os.path.exists("hung"):
                open("hung", "w").close()
                self.hang()
            with open(f"done-{{self.rank}}", "a") as out:
                out.write("x")
        def hang(self):
            {HANGS[how]}
    """)
    bench.policy("quick - Hangs", head="stageTimeout: 0.3", slices=3)
    done = bench.run("--workers", "3", "--visits", "2")
    assert done.code == 0, done.err
    assert [(bench.folder / f"done-{rank}").read_text() for rank in range(3)] == ["xx"] * 3
    log = done.log()
    assert "is late in visit 1: it has run stage 'quick' for rank 1 for more than 0.3 s" in log
    # A stopped process can't write its stacks.
    assert "in hang" in log if how != "stopped" else "no Python stacks" in log
    assert "died of a stageTimeout of 0.3 s, after which it was killed, while it ran stage 'quick'" in log
    assert "(retry 1 of 1)" in log


def test_the_timeout_of_a_stage_beats_that_of_the_pipeline_and_a_slice_that_always_hangs_has_failed(bench):
    bench.module("""
    class Slow(ParallelProcessing):
        def process(self, clipboard):
            time.sleep(0.3)
    class Hangs(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 0:
                time.sleep(600)
            open(f"done-{self.rank}", "w").close()
    """)
    path = bench.policy("slow - Slow", "hangs - Hangs", head='stageTimeout: 60.0\nexecutionMode: "oneloop"')
    text = path.read_text()
    assert text.count('parallelClass: "stages_here.Hangs"') == 1
    path.write_text(text.replace('.Hangs"', '.Hangs"\n    stageTimeout: 0.1'))
    done = bench.run()
    assert done.code == LOST, done.err
    assert (bench.folder / "done-1").exists() and not (bench.folder / "done-0").exists()
    assert [death["failed"] for death in done.summary["deaths"]] == [[], [0]]
    assert done.summary["failures"] == [{"visit": 1, "stage": 2, "rank": 0}]


def test_ranks_that_share_a_worker_have_the_timeout_each(bench):
    bench.module("""
    class Steady(ParallelProcessing):
        def process(self, clipboard):
            time.sleep(0.15)
    """)
    bench.policy("steady - Steady", slices=4, head='stageTimeout: 0.4\nexecutionMode: "oneloop"')
    done = bench.run("--workers", "1")
    assert done.code == 0 and done.summary["deaths"] == [], done.err


def test_a_master_that_is_stopped_and_goes_on_kills_nobody(bench):
    bench.module("""
    class Steady(ParallelProcessing):
        def process(self, clipboard):
            open(f"started-{self.rank}", "w").close()
            while not os.path.exists("go"):
                time.sleep(0.01)
    """)
    bench.policy("steady - Steady", head='stageTimeout: 1.0\nexecutionMode: "oneloop"')
    process = bench.start()
    bench.wait_until((bench.folder / "started-1").exists, "the slices to run")
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.5)
    process.send_signal(signal.SIGCONT)
    time.sleep(0.3)
    (bench.folder / "go").touch()
    done = bench.finish(process)
    assert done.code == 0 and done.summary["deaths"] == [], done.err


WAITS = """
    class Waits(ParallelProcessing):
        def process(self, clipboard):
            self.visits = getattr(self, "visits", 0) + 1
            open(f"started-{self.rank}-{self.visits}", "a").write(f"{os.getpid()} ")
            while not os.path.exists(f"go-{self.visits}"):
                time.sleep(0.005)
            if self.rank == 0 and os.path.exists("die") and not os.path.exists("died"):
                open("died", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            with open(f"done-{self.rank}", "a") as out:
                out.write("x")
"""


def test_a_worker_is_replaced_by_a_new_nursery_when_the_first_was_killed(bench):
    bench.module(WAITS)
    bench.policy("wait - Waits", head="")
    process = bench.start("--visits", "2")
    bench.wait_until((bench.folder / "started-1-1").exists, "the slices to run")
    nursery = children_of(process.pid)[0]
    os.kill(nursery, signal.SIGKILL)
    (bench.folder / "die").touch()
    for visit in (1, 2):
        (bench.folder / f"go-{visit}").touch()
    done = bench.finish(process)
    assert done.code == 0, done.err
    assert (bench.folder / "done-0").read_text() == "xx" == (bench.folder / "done-1").read_text()
    assert f"the nursery (pid {nursery}), which is made anew" in done.log()


def test_without_nursery_and_keeper_a_death_ends_the_run_and_says_why(bench):
    bench.module(WAITS)
    bench.policy("wait - Waits", head="")
    process = bench.start("--visits", "2")
    bench.wait_until((bench.folder / "started-1-1").exists, "the slices to run")
    nursery, keeper = children_of(process.pid)[:2]
    for pid in (nursery, keeper):
        os.kill(pid, signal.SIGKILL)
    (bench.folder / "die").touch()
    (bench.folder / "go-1").touch()
    done = bench.finish(process)
    assert done.code == 3
    assert f"the nursery (pid {nursery}) has died" in done.err
    assert f"the keeper (pid {keeper}) can't make another" in done.err


def test_a_worker_that_is_killed_between_its_steps_is_replaced(bench):
    bench.module("""
    class Quick(ParallelProcessing):
        def process(self, clipboard):
            with open(f"done-{self.rank}", "a") as out:
                out.write(f"{os.getpid()}\\n")
    class Waits(SerialProcessing):
        def postprocess(self, clipboard):
            self.visits = getattr(self, "visits", 0) + 1
            open(f"waits-{self.visits}", "w").close()
            while not os.path.exists(f"go-{self.visits}"):
                time.sleep(0.005)
    """)
    bench.policy("quick Waits Quick", head="")
    process = bench.start("--visits", "3")
    bench.wait_until((bench.folder / "waits-1").exists, "the first visit")
    os.kill(int((bench.folder / "done-0").read_text()), signal.SIGKILL)
    time.sleep(0.1)
    for visit in (1, 2, 3):
        (bench.folder / f"go-{visit}").touch()
    done = bench.finish(process)
    assert done.code == 0, done.err
    assert len(set((bench.folder / "done-0").read_text().split())) == 2
    assert (bench.folder / "done-0").read_text().count("\n") == 3
    assert "between two steps" in done.log() and done.summary["partial_visits"] == []


SPENT = {
    "take": ('clipboard.take("sky")', "took over an array that had arrived"),
    "canvas": (
        'clipboard.put("own", np.zeros(50000), True, writeable=True)', "a canvas of its own has crossed"
    ),  # fmt: skip
    "stateful": ("pass", "(stateful)"),
}


@pytest.mark.parametrize("how", SPENT)
def test_a_visit_that_cannot_be_repeated_fails_and_says_why(bench, how):
    act, words = SPENT[how]
    bench.module(f"""
    class Give(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("sky", np.ones(50000), True)
        def postprocess(self, clipboard):
            pass
    class Drop(SerialProcessing):
        def preprocess(self, clipboard):
            del clipboard["sky"]
    class Quick(ParallelProcessing):
        def process(self, clipboard):
            pass
    class Act(ParallelProcessing):
        stateful = {how == "stateful"}
        def process(self, clipboard):
            {act}
            open("acted", "a").write("x")
    class Dies(ParallelProcessing):
        def process(self, clipboard):
            if not os.path.exists("died"):
                open("died", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
    """)
    bench.policy("give Give Quick", "act Drop Act", "die - Dies", slices=1, head="")
    done = bench.run("--visits", "2")
    assert done.code == LOST, done.err
    assert words in done.log()
    assert done.summary["failures"] == [{"visit": 1, "stage": 3, "rank": 0}]
    assert (bench.folder / "acted").read_text() == "xx"


def test_a_replacement_that_always_dies_in_setup_ends_the_run(bench):
    bench.module("""
    class Dies(ParallelProcessing):
        def setup(self):
            if os.path.exists("died"):
                os._exit(9)
        def process(self, clipboard):
            open("died", "w").close()
            os._exit(7)
    """)
    bench.policy("die - Dies", slices=1)
    done = bench.run()
    assert done.code == 3
    assert "died of exit code 9" in done.err and "set its stages up" in done.err
    assert "died of exit code 7" in done.log() and done.log().count("takes its place") == 2


def test_a_replacement_that_raises_in_setup_ends_the_run_with_the_reason(bench):
    bench.module("""
    class Dies(ParallelProcessing):
        def setup(self):
            if os.path.exists("died"):
                raise ValueError("no calibration")
        def process(self, clipboard):
            open("died", "w").close()
            os._exit(7)
    """)
    bench.policy("die - Dies")
    done = bench.run("--workers", "2")
    assert done.code == 2 and "ValueError: no calibration" in done.err


def test_a_slice_that_raised_before_its_worker_died_stays_failed_and_raises_once(bench):
    bench.module("""
    class Raises(ParallelProcessing):
        def process(self, clipboard):
            open(f"ran-{self.rank}", "a").write("x")
            if self.rank == 0:
                raise ValueError("no sky")
    class Dies(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 1 and not os.path.exists("died"):
                open("died", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            open(f"end-{self.rank}", "a").write("x")
    """)
    bench.policy("raise - Raises", "die - Dies")
    done = bench.run("--workers", "1")
    assert done.code == 0, done.err
    assert done.summary["failures"] == [{"visit": 1, "stage": 1, "rank": 0}]
    assert done.summary["partial_visits"] == [1]
    assert (bench.folder / "ran-0").read_text() == "x" and (bench.folder / "ran-1").read_text() == "xx"
    assert not (bench.folder / "end-0").exists() and (bench.folder / "end-1").read_text() == "x"
