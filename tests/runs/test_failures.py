# SPDX-License-Identifier: BSD-3-Clause
"""Stages that raise, failure stages, slices that die: others go on, nothing hangs, causes are named."""

import json
from pathlib import Path

import pytest

STAGES = """
    class Fails(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("before", 1)
            if os.environ.get("FAIL") == "preprocess":
                raise ValueError("no such sky")
        def postprocess(self, clipboard):
            clipboard.put("before", 1)
            if os.environ.get("FAIL") == "postprocess":
                raise ValueError("no such sky")

    class FailsOnOne(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("before", 1)
            if os.environ.get("FAIL") == "process" and self.rank == 1:
                raise ValueError("no such sky")

    class Follow(ParallelProcessing):
        def process(self, clipboard):
            with open(f"followed-{self.rank}", "a") as out:
                out.write(f"{sorted(clipboard.keys())}\\n")

    class FollowSerial(SerialProcessing):
        def preprocess(self, clipboard):
            with open("followed-master", "a") as out:
                out.write(f"{sorted(clipboard.keys())}\\n")

    KEYS = ("failedInStage", "failedInStageN", "failureType", "failureMessage", "before")

    def tell(stage, clipboard, where):
        with open(f"failed-{where}-{stage.rank}", "a") as out:
            out.write(str([clipboard.get(key) for key in KEYS]) + "\\n")
            out.write(clipboard.get("failureTraceback"))

    class SweepSerial(SerialProcessing):
        def preprocess(self, clipboard):
            tell(self, clipboard, "preprocess")
        def postprocess(self, clipboard):
            tell(self, clipboard, "postprocess")

    class Sweep(ParallelProcessing):
        def process(self, clipboard):
            tell(self, clipboard, "process")
            if os.environ.get("SWEEP") == "raise":
                raise RuntimeError("the broom broke")
"""

FAILURE_STAGE = """
failureStage: {
    name: "sweep"
    serialClass: "stages_here.SweepSerial"
    parallelClass: "stages_here.Sweep"
    stagePolicy: "None"
}
"""


@pytest.fixture
def failing(bench, monkeypatch):
    """Three slices, a stage that fails where FAIL says, one that follows, and a failure stage; two visits."""
    bench.module(STAGES)
    bench.policy("bad Fails FailsOnOne", "next FollowSerial Follow", slices=3, head="", tail=FAILURE_STAGE)

    def run(where: str, **more: str):
        for name, value in {"FAIL": where, **more}.items():
            monkeypatch.setenv(name, value)
        return bench.run("--visits", "2", "--workers", "2")

    return bench, run


@pytest.mark.contract("5.5.serial", "5.5.keys", "17.6", "5.9.failed")
@pytest.mark.parametrize("where", ["preprocess", "postprocess"])
def test_a_serial_failure_runs_the_matching_failure_step_and_slices_go_on(failing, where):
    bench, run = failing
    done = run(where)
    assert done.code == 0, done.err
    text = (bench.folder / f"failed-{where}--1").read_text()
    assert text.count("['bad', 1, \"<class 'ValueError'>\", 'no such sky', 1]") == 2
    assert text.count("Traceback (most recent call last)") == 2
    assert [path.name for path in bench.folder.glob("failed-*")] == [f"failed-{where}--1"]
    assert not (bench.folder / "followed-master").exists()
    for rank in range(3):
        assert (bench.folder / f"followed-{rank}").read_text() == "['before']\n" * 2
    assert "Traceback" in done.log() and "no such sky" in done.log()
    told = f"bad.{where} raised in visit 1: ValueError: no such sky"
    assert f"pex-harness: visit 1, stage 1: {told}\n" in done.err
    assert "Traceback" not in done.err
    assert "2 visits, 2 master failures; logs" in done.out


@pytest.mark.contract("5.5.slice", "17.12", "5.9.failed")
def test_a_failure_on_one_slice_leaves_the_others_and_the_master_alone(failing):
    bench, run = failing
    done = run("process")
    assert done.code == 0, done.err
    text = (bench.folder / "failed-process-1").read_text()
    assert text.count("['bad', 1, \"<class 'ValueError'>\", 'no such sky', 1]") == 2
    assert [path.name for path in bench.folder.glob("failed-*")] == ["failed-process-1"]
    assert sorted(path.name for path in bench.folder.glob("followed-*")) == [
        "followed-0",
        "followed-2",
        "followed-master",
    ]
    assert done.summary["failures"] == [{"visit": v, "stage": 1, "rank": 1} for v in (1, 2)]
    assert "slice 1 failed in visit 1: stage 'bad': ValueError: no such sky" in done.err
    assert "Traceback" in done.log("Slice1")


@pytest.mark.contract("5.5.failing")
def test_a_failure_stage_that_raises_ends_the_run(failing):
    bench, run = failing
    done = run("process", SWEEP="raise")
    assert done.code == 2
    assert "the broom broke" in done.err and "slice 1" in done.err
    assert done.err.count("\n") <= 2


@pytest.mark.contract("5.5.next", "17.5")
def test_without_a_failure_stage_the_next_visit_starts_clean(bench, monkeypatch):
    bench.module("""
    class Once(ParallelProcessing):
        def process(self, clipboard):
            self.calls = getattr(self, "calls", 0) + 1
            assert len(clipboard) == 0
            clipboard.put("left", 1)
            if self.calls == 1:
                raise ValueError("first time")
            open(f"good-{self.rank}-{self.calls}", "w").close()
    """)
    bench.policy("once - Once", head="")
    done = bench.run("--visits", "3")
    assert done.code == 0
    assert sorted(path.name for path in bench.folder.glob("good-*")) == [
        "good-0-2",
        "good-0-3",
        "good-1-2",
        "good-1-3",
    ]


@pytest.mark.contract("5.1.start")
@pytest.mark.parametrize("half", ["Serial", "Parallel"])
def test_a_stage_that_raises_in_setup_ends_the_run_before_any_visit(bench, half):
    bench.module(f"""
    class Bad({half}Processing):
        def setup(self):
            raise KeyError("threshold")
    """)
    bench.policy("bad Bad -" if half == "Serial" else "bad - Bad")
    done = bench.run()
    assert done.code == 2
    assert "'bad'" in done.err and "KeyError: 'threshold'" in done.err and "appStage[0]" in done.err
    assert done.err.count("\n") == 1
    assert "Traceback" in done.log()
    assert 'raise KeyError("threshold")' in done.log()


@pytest.mark.parametrize("half", ["Serial", "Parallel"])
def test_all_that_setup_says_is_told_as_far_as_a_person_reads_and_the_traceback_is_in_the_log(bench, half):
    bench.module(f"""
    class Bad({half}Processing):
        def setup(self):
            lines = ["three keys are wrong:", "  mean: too large", "  gain: not there"]
            raise ValueError(chr(10).join(lines))
    """)
    bench.policy("bad Bad -" if half == "Serial" else "bad - Bad")
    done = bench.run()
    assert done.code == 2
    assert "three keys are wrong:\n  mean: too large\n  gain: not there" in done.err
    assert "Traceback" not in done.err and "raise ValueError" in done.log()
    told = bench.command_line("status", str(bench.run_dir))
    assert "gain: not there" in told.out


@pytest.mark.parametrize("half", ["Serial", "Parallel"])
@pytest.mark.parametrize(("text", "whole"), [
    ('chr(10).join(f"line {number}" for number in range(500))', 500), ('"x" * 100000', 1),
])  # fmt: skip
def test_a_very_long_message_of_setup_is_cut_and_says_so(bench, half, text, whole):
    bench.module(f"""
    class Bad({half}Processing):
        def setup(self):
            raise ValueError({text})
    """)
    bench.policy("bad Bad -" if half == "Serial" else "bad - Bad")
    done = bench.run()
    assert done.code == 2 and len(done.err) < 3000 and done.err.count("\n") < 25
    assert f"characters in {whole} lines)" in done.err


@pytest.mark.contract("17.7")
@pytest.mark.parametrize("exception", ["SystemExit(5)", "KeyboardInterrupt()"])
@pytest.mark.parametrize("half", ["serial", "parallel"])
def test_system_exit_and_keyboard_interrupt_of_a_stage_end_the_run(bench, exception, half):
    bench.module(f"""
    class S(SerialProcessing):
        def preprocess(self, clipboard):
            if "{half}" == "serial":
                raise {exception}
    class P(ParallelProcessing):
        def process(self, clipboard):
            if "{half}" == "parallel" and self.rank == 0:
                raise {exception}
    """)
    bench.policy("first - -", "leave S P", head="")
    done = bench.run()
    assert done.code == 2
    name = exception.removesuffix("()")
    place = "stage 'leave' (preprocess, visit 1) of the master"
    if half == "parallel":
        name, place = name.replace("(5)", ": 5"), "slice 0 ended the run in stage 'leave' of visit 1"
        found = json.loads((bench.run_dir / "postmortem" / "visit-1-slice-0.json").read_text())
        assert found["stage"] == 2 and found["kind"] == name.partition(":")[0]
    text = done.err.splitlines()[-1]
    assert place in text and name in text
    status = bench.command_line("status", str(bench.run_dir))
    assert status.code == 4 and place in status.out and name in status.out
    if half == "parallel":
        assert "visit 1, slice 0, stage leave: raised" in status.out


@pytest.mark.parametrize("where", ["setup", "postprocess", "shutdown"])
def test_a_stage_of_the_master_that_ends_the_run_is_named_with_the_half_it_was_in(bench, where):
    bench.module(f"""
    class S(SerialProcessing):
        def {where}(self, *clipboard):
            sys.exit(0)
    """)
    bench.policy("leave S -", slices=0)
    done = bench.run()
    assert done.code == 2
    when = ", visit 1" if where == "postprocess" else ""
    text = f"ended by stage 'leave' ({where}{when}) of the master: SystemExit(0)"
    assert text in done.err.splitlines()[-1]
    status = bench.command_line("status", str(bench.run_dir))
    assert status.code == 4 and text in status.out


@pytest.mark.contract("17.2")
@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL (signal 9)"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV (signal 11)"),
        ("os.abort()", "SIGABRT (signal 6)"),
        ("os._exit(0)", "exit code 0"),
        ("os._exit(7)", "exit code 7"),
    ],
)
def test_a_worker_that_dies_ends_the_run_if_the_policy_says_so_and_is_named(bench, how, cause):
    bench.module(f"""
    class Dies(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 2:
                open("pid", "w").write(str(os.getpid()))
                {how}
    """)
    bench.policy("die - Dies", slices=4, head='sliceRetries: 0\nonSliceFailure: "run"')
    done = bench.run("--workers", "2")
    assert done.code == 3
    pid = (bench.folder / "pid").read_text()
    assert f"pid {pid}" in done.err and cause in done.err
    assert "rank 2" in done.err and "'die'" in done.err and "visit 1" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.contract("17.2")
def test_a_worker_that_dies_in_setup_ends_the_run(bench):
    bench.module("""
    class Dies(ParallelProcessing):
        def setup(self):
            if self.rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
        def process(self, clipboard):
            pass
    """)
    bench.policy("die - Dies")
    done = bench.run()
    assert done.code == 3
    assert "SIGKILL" in done.err


def test_grandchildren_of_a_dead_worker_die_with_it(bench):
    bench.module("""
    import subprocess

    class Dies(ParallelProcessing):
        def process(self, clipboard):
            child = subprocess.Popen(["sleep", "600"])
            open("grandchild", "a").write(f"{child.pid} ")
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    bench.policy("die - Dies", slices=1)
    assert bench.run().code == 6
    pids = (bench.folder / "grandchild").read_text().split()
    assert len(pids) == 2  # of the worker, and of the one that took its place

    def is_gone(pid: str) -> bool:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        return state == "Z"

    bench.wait_until(lambda: all(map(is_gone, pids)), "the grandchildren to die")


def test_a_worker_that_dies_in_shutdown_is_told(bench):
    bench.module("""
    class Dies(ParallelProcessing):
        def process(self, clipboard):
            pass
        def shutdown(self):
            if self.rank == 1:
                os.kill(os.getpid(), signal.SIGSEGV)
    """)
    bench.policy("die - Dies")
    done = bench.run("--workers", "2")
    assert done.code == 0, done.err
    assert "worker 1 (ranks 1) ended by SIGSEGV" in done.err and "shut down" in done.err
    assert "worker 0" not in done.err


@pytest.mark.parametrize("ending", ["return", "raise ValueError('child')", "sys.exit(0)"])
def test_a_process_that_a_stage_forks_and_lets_return_does_not_act_for_the_slice(bench, ending):
    bench.module(f"""
    class Forks(ParallelProcessing):
        def process(self, clipboard):
            child = os.fork()
            if child == 0:
                {ending}
            os.waitpid(child, 0)
            with open(f"done-{{self.rank}}", "a") as out:
                out.write("x")
    """)
    bench.policy("fork - Forks", head="")
    done = bench.run("--visits", "3")
    assert done.code == 0, done.err
    assert done.row("fork", "process")["raised"] == 0
    for rank in range(2):
        assert (bench.folder / f"done-{rank}").read_text() == "xxx"


@pytest.mark.parametrize("where", ["setup", "shutdown"])
@pytest.mark.parametrize("waits", [True, False], ids=["parent_waits", "parent_goes_on"])
@pytest.mark.parametrize("ending", ["return", "raise ValueError('child')", "sys.exit(0)"])
def test_a_process_forked_outside_visits_does_not_act_for_the_worker(bench, ending, waits, where):
    bench.module(f"""
    class Forks(ParallelProcessing):
        visit = 0
        def {where}(self):
            child = os.fork()
            if child == 0:
                {ending}
            elif {waits}:
                ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                open(f"ended-{{self.rank}}", "w").write(f"{{ended}}")
        def process(self, clipboard):
            self.visit += 1
            open(f"done-{{self.rank}}", "a").write(f"{{self.visit}} ")
    """)
    bench.policy("fork - Forks", head="")
    done = bench.run("--visits", "3", "--workers", "2")
    assert done.code == 0, done.err
    assert done.err == "" and done.summary["deaths"] == []
    for rank in range(2):
        assert (bench.folder / f"done-{rank}").read_text() == "1 2 3 "
        assert "ValueError" not in done.log(f"Slice{rank}")
        assert done.log(f"Slice{rank}").count("the run has ended") == 1
        if waits:
            assert (bench.folder / f"ended-{rank}").read_text() == "83"


@pytest.mark.parametrize("where", ["preprocess", "postprocess", "setup", "shutdown"])
@pytest.mark.parametrize("waits", [True, False], ids=["parent_waits", "parent_goes_on"])
@pytest.mark.parametrize("ending", ["return", "raise ValueError('child')", "sys.exit(0)"])
def test_a_process_that_a_stage_forks_and_lets_return_does_not_act_for_the_master(
    bench, ending, waits, where
):
    bench.module(f"""
    def forks(where):
        if where != "{where}":
            return
        child = os.fork()
        if child == 0:
            {ending}
        elif {waits}:
            ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            open("ended", "a").write(f"{{ended}} ")

    class Forks(SerialProcessing):
        def setup(self):
            forks("setup")
        def preprocess(self, clipboard):
            forks("preprocess")
        def postprocess(self, clipboard):
            forks("postprocess")
        def shutdown(self):
            forks("shutdown")

    class Slice(ParallelProcessing):
        visit = 0
        def process(self, clipboard):
            self.visit += 1
            open(f"done-{{self.rank}}", "a").write(f"{{self.visit}} ")
    """)
    bench.policy("fork Forks Slice", head="")
    done = bench.run("--visits", "3")
    assert done.code == 0, done.err
    assert done.err == "" and done.out.count("visits") == 1
    assert done.summary["visits"] == 3 and done.row("fork", "preprocess")["raised"] == 0
    for rank in range(2):
        assert (bench.folder / f"done-{rank}").read_text() == "1 2 3 "
    if waits:
        times = 3 if where.endswith("process") else 1
        assert (bench.folder / "ended").read_text() == "83 " * times
    for log in ("Pipeline", "Slice0", "Slice1"):
        assert "ValueError" not in done.log(log)
