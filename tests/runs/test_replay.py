# SPDX-License-Identifier: BSD-3-Clause
"""Post-mortems of stages that raise and of workers that die, and running such a slice's visit again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from harness.ledger.checking import check
from harness.ledger.reading import read_status

STAGES = """
    class Sky(SerialProcessing):
        def preprocess(self, clipboard):
            visit = harness.current_visit()
            clipboard.put("image", np.full((200, 300), float(visit)), True)
            clipboard.put("words", {"visit": visit, "of": "sky"}, True)

    class First(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("level", float(clipboard.get("image").mean()) + self.rank)

    class Second(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("offset", np.arange(20_000.0), True)
            if os.environ.get("BREAK") == "fault of the master":
                os.kill(os.getpid(), signal.SIGSEGV)
            if os.environ.get("BREAK") == "master":
                raise KeyError("the master's own")

    class Divide(ParallelProcessing):
        def setup(self):
            self.scale = self.policy.getInt("scale")

        def process(self, clipboard):
            how = os.environ.get("BREAK", "")
            total = float(clipboard.get("offset").sum())
            with open(f"drawn-{self.rank}", "a") as out:
                out.write(f"{self.rng.random()} {np.random.random()}\\n")
            assert clipboard.get("words")["visit"] == harness.current_visit()
            seen = (clipboard.get("level"), clipboard.get("words")["visit"], total)
            with open(f"seen-{self.rank}", "a") as out:
                out.write(f"{seen} {clipboard.get('image').flags.writeable}\\n")
            if how == "once":
                harness.record_output(f"seen-{self.rank}")
                if self.rank == 1 and not os.path.exists("died"):
                    open("died", "w").close()
                    os.kill(os.getpid(), signal.SIGKILL)
            if self.rank == 1 and how == "raise":
                clipboard.get("image")[0, 0] = 1 / (self.scale - 2)
            if self.rank == 1 and how == "kill":
                os.kill(os.getpid(), signal.SIGABRT)
            if self.rank == 1 and how == "fault":
                os.kill(os.getpid(), signal.SIGSEGV)
            if self.rank == 1 and how == "hang":
                time.sleep(60)
            if self.rank == 1 and how == "child":
                child = os.fork()
                if child == 0:
                    os.kill(os.getpid(), signal.SIGSEGV)
                os.waitpid(child, 0)
                os.kill(os.getpid(), signal.SIGKILL)
            if self.rank == 1 and how == "odd":
                clipboard.put("odd", Odd())
                raise Odd()

    class Odd(Exception):
        shape = property(lambda self: 1 / 0)
        def __str__(self):
            raise RuntimeError("no words")
        def __reduce__(self):
            raise RuntimeError("no pickle")
"""

POLICY = """
nSlices: 2
arenaSize: "64 MiB"
{head}
appStage: {{
    name: "first"
    serialClass: "stages_here.Sky"
    parallelClass: "stages_here.First"
}}
appStage: {{
    name: "divide"
    serialClass: "stages_here.Second"
    parallelClass: "stages_here.Divide"
    stagePolicy: {{
        scale: 2
    }}
}}
"""


@pytest.fixture
def broken(bench, monkeypatch):
    """A pipeline whose second stage breaks on slice 1 as asked for."""
    bench.module(STAGES)

    def run(how: str, head: str = ""):
        (bench.folder / "night.paf").write_text(POLICY.format(head=head))
        monkeypatch.setenv("BREAK", how)
        return bench.run("--visits", "2", "--workers", "2")

    return bench, run


def replay(bench, visit: int, rank: int, *options: str, told: str = "") -> subprocess.CompletedProcess:
    where = [str(bench.run_dir), str(visit), str(rank)]
    command = [sys.executable, "-m", "harness.cli.main", "replay", *where, *options]
    return subprocess.run(
        command, cwd="/", env=bench.environment(), input=told, capture_output=True, text=True, timeout=60
    )


def post_mortem(bench, visit: int, who: str) -> dict:
    return json.loads((bench.run_dir / "postmortem" / f"visit-{visit}-{who}.json").read_text())


def test_a_stage_that_raises_leaves_all_there_is_to_know_and_can_be_run_again(broken, monkeypatch):
    bench, run = broken
    assert run("raise").code == 0
    found = post_mortem(bench, 2, "slice-1")
    assert (found["cause"], found["kind"], found["stage"], found["stage_name"]) == (
        "raised", "ZeroDivisionError", 2, "divide",
    )
    assert (found["visit"], found["rank"], found["method"]) == (2, 1, "process")
    assert "1 / (self.scale - 2)" in found["traceback"] and found["policy"].strip() == "scale: 2"
    image = next(item for item in found["clipboard"] if item["key"] == "image")
    assert image == {
        "key": "image", "type": "numpy.ndarray", "shape": [200, 300], "dtype": "float64", "nbytes": 480000
    }
    assert any("divide.process raised in visit 2" in line for line in found["log"])
    (failure,) = [one for one in read_status(bench.run_dir)["failures"] if one["visit"] == 2]
    assert failure["kind"] == "ZeroDivisionError" and "Traceback" in failure["text"]

    (bench.folder / "seen-1").unlink()
    again = replay(bench, 2, 1)
    assert again.returncode == 3
    assert "stage 2 (divide) failed again" in again.stderr and "1 / (self.scale - 2)" in again.stderr
    # What it received is what the run's slice had received, read-only too.
    assert (bench.folder / "seen-1").read_text() == "(3.0, 2, 199990000.0) False\n"
    _, drawn, drawn_again = (bench.folder / "drawn-1").read_text().splitlines()
    assert drawn_again == drawn

    stopped = replay(bench, 2, 1, "--pdb", told="p self.rank + 41\nq\n")
    assert "42" in stopped.stdout and stopped.returncode == 3

    monkeypatch.setenv("BREAK", "")
    mended = replay(bench, 2, 1)
    assert mended.returncode == 0 and "every stage ran, none failed" in mended.stdout


def test_a_worker_that_dies_leaves_a_post_mortem_and_dies_again_in_the_replay(broken, monkeypatch):
    bench, run = broken
    assert run("kill", 'sliceRetries: 0\nonSliceFailure: "run"').code == 3
    found = post_mortem(bench, 1, "slice-1")
    assert (found["cause"], found["kind"], found["stage"]) == ("died", "SIGABRT (signal 6)", 2)
    assert found["clipboard"] is None and any("divide" in line for line in found["log"])
    status = read_status(bench.run_dir)
    assert status["state"] == "failed" and status["failures"][0]["cause"] == "died"
    assert check(bench.run_dir) == []
    assert replay(bench, 1, 1).returncode == -signal.SIGABRT
    monkeypatch.setenv("BREAK", "")
    (bench.folder / "seen-1").unlink()
    assert replay(bench, 1, 1).returncode == 0
    assert (bench.folder / "seen-1").read_text() == "(2.0, 1, 199990000.0) False\n"


ONCE = 'sliceRetries: 0\nonSliceFailure: "run"\n'


@pytest.mark.parametrize("method", ["fork", "exec"])
@pytest.mark.parametrize("how", ["fault", "hang", "child"])
def test_a_worker_that_dies_leaves_its_stacks_and_what_it_had_received(broken, how, method):
    bench, run = broken
    late = "stageTimeout: 3.0\n" if how == "hang" else ""
    assert run(how, f'{ONCE}{late}startMethod: "{method}"').code == 3
    found = post_mortem(bench, 1, "slice-1")
    if how == "child":
        # The child's end was not the worker's, which had no time for a word.
        assert found["kind"].startswith("SIGKILL") and found["traceback"] == ""
    else:
        head, _, calls = found["traceback"].partition("most recent call first")
        assert ("Segmentation fault" in head) == (how == "fault") and "in process" in calls
        assert "stages_here.py" in calls and "Extension modules" not in calls
        assert "in process" in read_status(bench.run_dir)["failures"][0]["text"]
    image, words, offset = sorted(found["received"], key=lambda item: (item["stage"], item["key"]))
    assert (words["stage"], words["key"], words["type"]) == (1, "words", "builtins.dict")
    assert image == {
        "stage": 1, "key": "image", "type": "numpy.ndarray", "shape": [200, 300], "dtype": "float64",
        "nbytes": 480000,
    }
    assert (offset["stage"], offset["key"], offset["shape"]) == (2, "offset", [20000])


def test_a_worker_that_dies_twice_leaves_the_stacks_of_each_death(broken):
    bench, run = broken
    run("fault", "sliceRetries: 1")
    found = [one for one in read_status(bench.run_dir)["failures"] if one["visit"] == 1]
    assert [one["text"].count("Segmentation fault") for one in found] == [1, 1]
    assert bench.run_dir.joinpath("log", "Pipeline.log").read_text().count("Segmentation fault") >= 2


def test_a_master_that_dies_of_a_fatal_signal_says_where(broken):
    bench, run = broken
    done = run("fault of the master")
    assert done.code == -signal.SIGSEGV
    assert "Segmentation fault" in done.err and "in preprocess" in done.err


EDGES = """
    class Mark(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("edge", np.full(20_000, float(self.rank)), True)

    class Take(ParallelProcessing):
        def process(self, clipboard):
            keys = sorted(key for key in clipboard if key.startswith("edge"))
            with open(f"keys-{self.rank}", "a") as out:
                out.write(" ".join(f"{key}={clipboard.get(key)[7]:g}" for key in keys) + chr(10))
            if self.rank == 1:
                os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_replay_of_a_slice_whose_worker_died_has_what_its_neighbours_had_sent(bench):
    bench.module(EDGES)
    ring = 'shareDataOn: true\ntopology: {\ntype: "ring"\nparam1: "clockwise"\n}'
    bench.policy("mark - Mark", "take - Take:share", slices=3, tail=f"{ring}\n{ONCE}")
    assert bench.run("--workers", "3").code == 3
    assert replay(bench, 1, 1).returncode == -signal.SIGKILL
    in_the_run, again = (bench.folder / "keys-1").read_text().splitlines()
    assert in_the_run == again == "edge=1 edge-0=0"
    assert [item["key"] for item in post_mortem(bench, 1, "slice-1")["received"]] == ["edge-0"]


ODD_ENDS = """
    class Uncommon(BaseException):
        pass

    class Ends(ParallelProcessing):
        def setup(self):
            if os.path.exists("in setup"):
                raise Uncommon("in setup")
        def process(self, clipboard):
            how = open("how").read() if os.path.exists("how") else ""
            if how == "exit":
                sys.exit(7)
            raise Uncommon("on purpose")
"""


def test_whatever_ends_a_stage_is_a_failure_of_the_replay_too(bench):
    bench.module(ODD_ENDS)
    bench.policy("ends - Ends", slices=1)
    assert bench.run().code == 0
    again = replay(bench, 1, 0)
    assert again.returncode == 3 and "Uncommon: on purpose" in again.stderr
    assert "stage 1 (ends) failed again" in again.stderr
    stopped = replay(bench, 1, 0, "--pdb", told="p self.rank + 41\nq\n")
    assert "41" in stopped.stdout and stopped.returncode == 3
    (bench.folder / "how").write_text("exit")
    again = replay(bench, 1, 0)
    assert again.returncode == 3 and "stage 1 (ends) failed again: SystemExit: 7" in again.stderr
    (bench.folder / "in setup").touch()
    again = replay(bench, 1, 0)
    assert again.returncode == 2 and "could not be set up: Uncommon: in setup" in again.stderr


def test_a_slice_that_is_lost_is_failed_in_the_ledger_with_its_tries_and_the_others_are_done(broken):
    bench, run = broken
    assert run("kill").code == 6
    assert check(bench.run_dir) == []
    status = read_status(bench.run_dir)
    assert status["state"] == "partial" and status["runs"][0]["exit_code"] == 6
    # Two visits: a try and a retry each.
    assert [(one["cause"], one["retried"]) for one in status["failures"]] == [("died", 1), ("died", 0)] * 2
    assert status["outcomes"] == {"done": 10, "failed": 2, "retries": 2}


def test_a_slice_that_dies_once_is_done_with_a_retry_and_its_files_are_recorded_once(broken):
    bench, run = broken
    assert run("once").code == 0
    assert check(bench.run_dir) == []
    status = read_status(bench.run_dir)
    assert status["state"] == "complete" and status["outcomes"] == {"done": 12, "retries": 1}
    assert [(one["visit"], one["retried"]) for one in status["failures"]] == [(1, 1)]
    assert "stages: 12 done, 1 retry\n" in bench.command_line("status", str(bench.run_dir)).out
    written = [(out["visit"], out["rank"]) for out in status["outputs"]["last"]]
    assert sorted(written) == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_a_failure_of_the_master_leaves_one_too(broken):
    bench, run = broken
    assert run("master").code == 0
    found = post_mortem(bench, 1, "master")
    assert (found["rank"], found["method"], found["kind"]) == (-1, "preprocess", "KeyError")
    assert check(bench.run_dir) == [] and read_status(bench.run_dir)["visits"] == {"partial": 2}


def test_exceptions_that_can_be_neither_printed_nor_pickled_leave_one_too(broken):
    bench, run = broken
    assert run("odd").code == 0
    found = post_mortem(bench, 1, "slice-1")
    assert found["kind"] == "Odd" and "no message" in found["message"]
    assert {"key": "odd"}.items() <= next(item for item in found["clipboard"] if item["key"] == "odd").items()
    assert check(bench.run_dir) == []


def test_nothing_is_kept_if_the_policy_says_so_and_all_if_it_says_that(broken):
    bench, run = broken
    run("raise", 'keepInputs: "none"')
    assert post_mortem(bench, 1, "slice-1")["inputs"] is None
    refused = replay(bench, 1, 1)
    assert refused.returncode == 2 and "no such file; what slices receive is kept" in refused.stderr
    run("", 'keepInputs: "all"')
    assert replay(bench, 2, 0).returncode == 0


def test_what_cannot_be_replayed_is_refused_with_the_reason(broken):
    bench, run = broken
    run("raise")
    for visit, rank, words in ((3, 1, "a visit from 1 to 2, saw 3"), (1, 2, "a rank from 0 to 1, saw 2"),
                               (1, 0, "no such file; what slices receive is kept for those that fail")):
        refused = replay(bench, visit, rank)
        assert refused.returncode == 2 and words in refused.stderr
    kept = bench.run_dir / "postmortem" / "visit-1-slice-1.inputs.pickle"
    kept.chmod(0o666)
    refused = replay(bench, 1, 1)
    assert refused.returncode == 2 and "loading it could run another user's code" in refused.stderr
    kept.chmod(0o600)
    kept.write_bytes(b"no pickle")
    assert "cannot be loaded: UnpicklingError" in replay(bench, 1, 1).stderr


def test_a_post_mortem_that_cannot_be_written_costs_a_warning_and_nothing_else(broken):
    bench, run = broken
    bench.run_dir.mkdir()
    (bench.run_dir / "postmortem").write_text("a file is in the way")
    done = run("raise")
    assert done.code == 0
    assert "the post-mortem could not be written: FileExistsError" in done.log("Slice1")
    assert check(bench.run_dir) == [] and read_status(bench.run_dir)["visits"] == {"partial": 2}
