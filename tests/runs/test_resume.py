# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness run --resume`: what the ledger proves complete is not done again, everything else is."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from harness.errors import LedgerError
from harness.ledger.checking import check
from harness.ledger.reading import read_status
from harness.ledger.schema import open_for_reading
from invariants import misjudged, proven

STAGES = """
    def call(stage, visit):
        with open("calls", "a") as out:
            out.write(f"{visit} {stage.rank} {stage.getName()}\\n")

    class Count(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("visit", harness.current_visit(), True)
        def postprocess(self, clipboard):
            call(self, clipboard.get("visit"))

    class Write(ParallelProcessing):
        def process(self, clipboard):
            visit = clipboard.get("visit")
            call(self, visit)
            if os.path.exists(f"hold-{visit}-{self.rank}"):
                open(f"held-{visit}-{self.rank}", "w").close()
                for _ in range(6000):
                    if not os.path.exists(f"hold-{visit}-{self.rank}"):
                        break
                    time.sleep(0.01)
            if os.path.exists(f"fail-{visit}-{self.rank}"):
                raise ValueError(f"no sky in visit {visit}")
            path = f"out-{visit}-{self.rank}.txt"
            with open(path, "w") as out:
                out.write(f"visit {visit} rank {self.rank}")
            harness.record_output(path)
            clipboard.put("done", visit, True)

    class Last(ParallelProcessing):
        def process(self, clipboard):
            call(self, clipboard.get("visit"))
            if clipboard.get("visit") == int(os.environ.get("ENOUGH", 0)) and self.rank == 0:
                clipboard.put("noMoreDatasets", 1)
"""


@pytest.fixture
def night(bench):
    """Two slices, two stages, calls counted in a file."""
    bench.module(STAGES)
    bench.policy("write Count Write", "last - Last", head="")
    return bench


def calls(bench) -> Counter:
    """How often each (visit, rank, stage) was called since the last look."""
    path = bench.folder / "calls"
    lines = path.read_text().splitlines() if path.exists() else []
    found = Counter(tuple(line.split()) for line in lines)
    path.unlink(missing_ok=True)
    return found


def called_visits(bench) -> set[int]:
    return {int(visit) for visit, _, _ in calls(bench)}


def outputs(bench) -> dict[str, str]:
    return {path.name: path.read_text() for path in bench.folder.glob("out-*")}


EXPECTED = {
    f"out-{visit}-{rank}.txt": f"visit {visit} rank {rank}" for visit in range(1, 6) for rank in (0, 1)
}


def test_a_master_killed_in_the_middle_is_resumed_where_it_was(night):
    (night.folder / "hold-3-1").touch()
    process = night.start("--visits", "5", "--workers", "2")
    night.wait_until(lambda: (night.folder / "held-3-1").exists(), "the third visit")
    process.send_signal(signal.SIGKILL)
    assert night.finish(process).code == -signal.SIGKILL
    night.wait_until(lambda: not night.processes(), "the workers to end")
    assert called_visits(night) == {1, 2, 3}
    status = read_status(night.run_dir)
    assert status["state"] == "failed" and status["visits"] == {"complete": 2, "running": 1}

    (night.folder / "hold-3-1").unlink()
    done = night.run("--visits", "5", "--workers", "2", "--resume")
    assert done.code == 0, done.err
    redone = calls(night)
    assert {int(visit) for visit, _, _ in redone} == {3, 4, 5} and set(redone.values()) == {1}
    assert outputs(night) == EXPECTED
    assert check(night.run_dir) == []
    status = read_status(night.run_dir)
    assert status["state"] == "complete" and status["visits"] == {"complete": 5}
    assert [run["end"] for run in status["runs"]] == ["lost", "visits done"]
    assert "2 visits are complete and left out" in done.log()
    assert "run again: visit 3: the master ended in this visit" in done.log()


def test_a_complete_run_that_is_resumed_calls_no_stage(night):
    assert night.run("--visits", "5").code == 0
    calls(night)
    done = night.run("--visits", "5", "--resume")
    assert done.code == 0 and calls(night) == Counter()
    # And goes on from there when more is asked for.
    assert night.run("--visits", "6", "--resume").code == 0
    assert called_visits(night) == {6}


def test_only_the_visit_in_which_something_failed_is_done_again(night):
    (night.folder / "fail-2-0").touch()
    assert night.run("--visits", "5").code == 0
    assert read_status(night.run_dir)["visits"] == {"complete": 4, "partial": 1}
    calls(night)
    (night.folder / "fail-2-0").unlink()
    done = night.run("--visits", "5", "--resume")
    assert done.code == 0 and called_visits(night) == {2}
    assert "run again: visit 2: failed: slice 0" in done.log()
    assert outputs(night) == EXPECTED
    assert read_status(night.run_dir)["visits"] == {"complete": 5}
    assert check(night.run_dir) == []


def test_a_changed_and_a_missing_output_make_their_visits_run_again(night):
    night.run("--visits", "5")
    calls(night)
    (night.folder / "out-2-1.txt").write_text("visit 2 rank X")
    (night.folder / "out-4-0.txt").unlink()
    trusted = proven(night.run_dir)
    done = night.run("--visits", "5", "--resume")
    assert done.code == 0 and trusted == {1, 3, 5}
    assert misjudged(5, trusted, called_visits(night)) == []
    assert "out-2-1.txt: its SHA-256 is no longer the recorded one" in done.log()
    assert "out-4-0.txt: no such file" in done.log()
    assert outputs(night) == EXPECTED


def test_where_the_data_sets_have_ended_a_resumed_run_ends_too(night, monkeypatch):
    monkeypatch.setenv("ENOUGH", "3")
    (night.folder / "fail-2-1").touch()
    assert night.run().code == 0
    assert read_status(night.run_dir)["visits"] == {"complete": 2, "partial": 1}
    calls(night)
    (night.folder / "fail-2-1").unlink()
    done = night.run("--resume")
    assert done.code == 0 and called_visits(night) == {2}


def test_another_policy_is_refused_by_the_changed_key_unless_told_to_go_on(night):
    night.run("--visits", "2")
    policy = night.folder / "night.paf"
    policy.write_text(policy.read_text() + "# a comment changes nothing\n")
    assert night.run("--visits", "2", "--resume").code == 0
    policy.write_text(policy.read_text().replace("nSlices: 2", "nSlices: 3"))
    calls(night)
    done = night.run("--visits", "2", "--resume")
    assert done.code == 2 and calls(night) == Counter()
    assert "interrupted: nSlices: 3, was 2. Undo" in done.err and "--resume-anyway" in done.err
    assert night.run("--visits", "3", "--resume-anyway").code == 0
    assert called_visits(night) == {3}
    assert "resumed although it differs" in done.log()


def test_keys_that_no_result_depends_on_may_change(night):
    night.run("--visits", "2")
    policy = night.folder / "night.paf"
    text = policy.read_text() + 'nWorkers: 1\nlogThreshold: 5\narenaThreshold: "1 MiB"\nsliceRetries: 3\n'
    policy.write_text(text.replace("appStage: {", "appStage: {\n stageTimeout: 50.0", 1))
    calls(night)
    done = night.run("--visits", "3", "--resume", "-L", "info")
    assert done.code == 0 and called_visits(night) == {3}
    for change in ("nWorkers: 1, was absent", "sliceRetries: 3, was 1", "logThreshold: 5, was -1",
                   "appStage[0].stageTimeout: 50.0, was absent"):  # fmt: skip
        assert f"changed since, no result depends on it: {change}\n" in done.log()


def test_another_run_id_is_refused_where_the_random_streams_are_made_from_it(night):
    night.run("--visits", "1")
    other = ["run", "night.paf", "r2", "--run-dir", str(night.run_dir), "--visits", "1", "--resume"]

    def resume():
        command = [sys.executable, "-m", "harness.cli.main", *other]
        return subprocess.run(
            command, cwd=night.folder, env=night.environment(), capture_output=True, text=True, timeout=60
        )

    done = resume()
    assert done.returncode == 2 and "run id: r2, was r1, and the random streams are made" in done.stderr
    policy = night.folder / "night.paf"
    policy.write_text(policy.read_text() + "randomSeed: 5\n")
    assert night.run("--visits", "1").code == 0
    assert resume().returncode == 0


def test_code_that_a_stage_imports_from_beside_it_counts_as_the_stages(night):
    module = night.folder / "stages_here.py"
    module.write_text(f"def late():\n    import sky_here\n{module.read_text()}")
    beside = night.folder / "sky_here.py"
    beside.write_text("SKY = 7\n")
    night.run("--visits", "2")
    beside.write_text("SKY = 8\n")
    done = night.run("--visits", "2", "--resume")
    assert done.code == 2
    assert f"module sky_here ({beside}): its text has changed" in done.err
    assert night.run("--visits", "2", "--resume-anyway").code == 0


def test_other_code_is_refused_by_the_name_of_its_file(night):
    night.run("--visits", "2")
    module = night.folder / "stages_here.py"
    module.write_text(module.read_text() + "\n# changed\n")
    done = night.run("--visits", "2", "--resume")
    assert done.code == 2
    assert f"module stages_here ({module}): its text has changed" in done.err


def test_without_resume_a_second_run_starts_from_the_beginning_and_keeps_the_first_in_the_ledger(night):
    night.run("--visits", "2")
    calls(night)
    assert night.run("--visits", "2").code == 0
    assert called_visits(night) == {1, 2}
    status = read_status(night.run_dir)
    assert [run["series"] for run in status["runs"]] == [1, 2]
    assert status["visits"] == {"complete": 2}


def test_resuming_where_nothing_ran_starts_from_the_beginning(night):
    done = night.run("--visits", "2", "--resume")
    assert done.code == 0 and called_visits(night) == {1, 2}
    assert "there is no earlier run here" in done.log()


def test_a_visit_that_wrote_over_the_files_of_one_that_runs_again_follows_it(bench):
    bench.module(
        """
        class Over(ParallelProcessing):
            def process(self, clipboard):
                visit = harness.current_visit()
                with open("calls", "a") as out:
                    out.write(f"{visit} {self.rank} over\\n")
                if visit in (1, 3):
                    with open("newest", "w") as out:
                        out.write(str(visit))
                    harness.record_output("newest")
                if visit == 1 and os.path.exists("fail"):
                    raise ValueError("after writing")
        """
    )
    bench.policy("over - Over", head="", slices=1)
    (bench.folder / "fail").touch()
    bench.run("--visits", "4")
    (bench.folder / "fail").unlink()
    calls(bench)
    bench.run("--visits", "4", "--resume")
    assert called_visits(bench) == {1, 3}
    assert (bench.folder / "newest").read_text() == "3"


# --- two at a time, and disks that refuse


def test_a_second_run_in_a_directory_is_refused_while_the_first_goes_on(night):
    (night.folder / "hold-1-0").touch()
    first = night.start("--visits", "1")
    night.wait_until(lambda: (night.folder / "held-1-0").exists(), "the first visit")
    second = night.run("--visits", "1")
    assert second.code == 5
    assert f"saw one in process {first.pid}; wait for its end" in second.err
    night.end_at_once(first)
    night.finish(first)
    (night.folder / "hold-1-0").unlink()
    assert night.run("--visits", "1").code == 0


def test_a_file_that_is_no_ledger_is_refused_before_any_stage_runs(night):
    night.run_dir.mkdir()
    (night.run_dir / "ledger.sqlite").write_text("notes about the night\n" * 100)
    done = night.run("--visits", "1")
    assert done.code == 5 and "not a database; the file is damaged, or no ledger" in done.err
    assert calls(night) == Counter()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_disk_that_fills_up_ends_the_run_and_resume_continues(night):
    night.run_dir.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(night.run_dir)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this container may not mount a file system")
    try:
        done = night.run("--visits", "3000", "-s")
        assert done.code == 5, done.err
        assert "database or disk is full; free some space" in done.err
        subprocess.run([*mount[:4], "remount,size=16m", *mount[5:]], check=True)
        assert check(night.run_dir) == []
        last = max(called_visits(night))
        done = night.run("--visits", str(last + 2), "-s", "--resume")
        assert done.code == 0, done.err
        again = called_visits(night)
        assert again == set(range(min(again), last + 3)) and min(again) >= last - 1
        assert read_status(night.run_dir)["visits"] == {"complete": last + 2}
    finally:
        subprocess.run(["umount", str(night.run_dir)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system read-only needs root")
def test_a_read_only_run_directory_is_refused_and_its_status_can_be_read(night):
    night.run("--visits", "1")
    bind = ["mount", "--bind", str(night.run_dir), str(night.run_dir)]
    if subprocess.run(bind, capture_output=True).returncode != 0:
        pytest.skip("this container may not mount a file system")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(night.run_dir)], check=True)
        done = night.run("--visits", "1")
        assert done.code == 2 and "not writable by this user" in done.err
        assert read_status(night.run_dir)["state"] == "complete"
    finally:
        subprocess.run(["umount", str(night.run_dir)], check=True)


# --- somebody removes what the run records itself in


def test_a_run_whose_directory_is_removed_ends_and_says_so(night):
    (night.folder / "hold-2-1").touch()
    process = night.start("--visits", "2", "--workers", "2")
    night.wait_until(lambda: (night.folder / "held-2-1").exists(), "the second visit")
    shutil.rmtree(night.run_dir)
    (night.folder / "hold-2-1").unlink()
    done = night.finish(process, timeout=120)
    assert done.code == 5 and "expected the file that this run writes to, saw none" in done.err, done.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ledger.sqlite", "expected the file that this run writes to, saw none"),
        ("ledger.lock", "expected ledger.lock, by which one run at a time goes on there, saw none"),
    ],
)
def test_a_run_that_goes_on_for_long_sees_what_is_removed_meanwhile(night, name, words):
    process = night.start("--workers", "2", "-s")
    night.wait_until(lambda: (night.folder / "out-2-0.txt").exists(), "a few visits")
    (night.run_dir / name).unlink()
    done = night.finish(process)
    assert done.code == 5 and words in done.err, done.err


def test_a_second_run_that_a_removed_lock_lets_in_is_the_only_one_that_goes_on(night):
    (night.folder / "hold-2-1").touch()
    process = night.start("--workers", "2", "-s")
    night.wait_until(lambda: (night.folder / "held-2-1").exists(), "the second visit")
    (night.run_dir / "ledger.lock").unlink()
    second = night.run("--workers", "2", "--visits", "1", "-s")
    (night.folder / "hold-2-1").unlink()
    first = night.finish(process)
    assert (first.code, second.code) == (5, 0), (first.err, second.err)
    assert "expected ledger.lock, by which one run at a time goes on there, saw another file" in first.err
    assert read_status(night.run_dir)["visits"] == {"complete": 1}


def test_a_resume_in_another_current_directory_is_refused(night):
    assert night.run("--visits", "2").code == 0
    elsewhere = night.folder / "elsewhere"
    elsewhere.mkdir()
    command = night.command("--visits", "3", policy=str(night.folder / "night.paf"))
    refused = night.finish(night.start_in(elsewhere, [*command, "--resume"]))
    assert refused.code == 2 and f"current directory: {elsewhere}, was {night.folder}" in refused.err
    assert not list(elsewhere.iterdir())
    # The same directory by another name is the same.
    other_name = night.folder / "name"
    other_name.symlink_to(night.folder)
    assert night.finish(night.start_in(other_name, [*command, "--resume"])).code == 0
    done = night.finish(night.start_in(elsewhere, [*command, "--resume-anyway", "--visits", "4"]))
    assert done.code == 0 and "resumed although it differs: current directory:" in done.log()


@pytest.mark.parametrize("run_id", ["", ".", "..", "../night", "a/../.."])
def test_a_run_id_that_names_no_run_directory_of_its_own_is_refused(night, run_id):
    before = sorted(night.folder.iterdir())
    command = [sys.executable, "-m", "harness.cli.main", "run", "night.paf", run_id, "--visits", "1"]
    done = night.finish(night.start_in(night.folder, command))
    assert done.code == 2 and f"run id {run_id!r}: expected" in done.err, done.err
    assert sorted(path for path in night.folder.iterdir() if path.name != "__pycache__") == before


def test_what_is_in_the_way_of_the_journals_of_outputs_is_told_before_a_stage_runs(night):
    night.run_dir.mkdir()
    (night.run_dir / "ledger.outputs").write_text("a file")
    done = night.run("--visits", "1")
    assert done.code == 5 and "ledger.outputs: expected a directory" in done.err, done.err
    assert called_visits(night) == set()
    assert (night.run_dir / "ledger.outputs").read_text() == "a file"


# --- what the command tells


def status(bench, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "harness.cli.main", "status", str(bench.run_dir), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=bench.folder)


def test_status_tells_where_a_live_run_is_and_how_a_finished_one_ended(night):
    assert status(night).returncode == 2 and "no such file" in status(night).stderr
    (night.folder / "hold-2-1").touch()
    process = night.start("--visits", "2")
    night.wait_until(lambda: (night.folder / "held-2-1").exists(), "the second visit")
    told = status(night, "--check")
    assert told.returncode == 0
    assert f"running in process {process.pid}, visit 2, stage 1 (write)" in told.stdout
    assert "visits: 1 complete, 1 running" in told.stdout and "no contradictions" in told.stdout
    process.kill()
    night.finish(process)
    told = status(night)
    assert told.returncode == 4 and "failed: the master ended without a word" in told.stdout


def test_status_of_failures_names_slices_and_post_mortems(night):
    (night.folder / "fail-1-1").touch()
    night.run("--visits", "2")
    told = status(night, "--check")
    assert told.returncode == 3 and ": partial:" in told.stdout
    assert "visit 1, slice 1, stage write: raised: ValueError: no sky in visit 1\n" in told.stdout
    assert str(night.run_dir / "postmortem" / "visit-1-slice-1.json") in told.stdout
    assert "no contradictions" in told.stdout


def test_status_tells_the_first_line_of_what_was_raised_and_no_more_of_it_than_fits_a_line(bench):
    bench.module("""
        class Far(Exception):
            pass

        class Work(ParallelProcessing):
            def process(self, clipboard):
                if self.rank == 0:
                    raise Far("first" + chr(10) + "second: ValueError: no")
                try:
                    raise KeyError("cause")
                except KeyError as cause:
                    raise ValueError("x" * 5000) from cause
    """)
    bench.policy("one - Work")
    assert bench.run().code == 0
    told = status(bench).stdout
    assert "visit 1, slice 0, stage one: raised: Far: first\n" in told and "second" not in told
    assert f"slice 1, stage one: raised: ValueError: {'x' * 197}...\n" in told
    found = read_status(bench.run_dir)["failures"]
    assert [one["message"] for one in found] == ["first", "x" * 197 + "..."]


def test_status_exits_with_5_where_the_ledger_contradicts_itself(night):
    night.run("--visits", "1")
    connection = sqlite3.connect(night.run_dir / "ledger.sqlite")
    connection.execute("DELETE FROM outcomes WHERE rank = 0")
    connection.commit()
    connection.close()
    told = status(night, "--check", "--json")
    assert told.returncode == 5 and "expected 6 outcomes, one per rank and stage, saw 4" in told.stdout


def test_stage_times_and_outputs_are_in_the_ledger(night):
    night.run("--visits", "3")
    told = read_status(night.run_dir)
    rows = {(row["name"], row["step"]): row["runs"] for row in told["stages"]}
    assert rows["write", "process"] == rows["last", "process"] == 6 and rows["write", "postprocess"] == 3
    assert told["outputs"]["count"] == 6
    newest = told["outputs"]["last"][-1]
    assert newest["bytes"] == len("visit 3 rank 0") and Path(newest["path"]).parent == night.folder


# --- killed at any moment


def complete_visits(bench) -> set[int]:
    try:
        connection = open_for_reading(bench.run_dir / "ledger.sqlite")
    except LedgerError:
        return set()
    rows = connection.execute(
        "SELECT v.visit FROM standing s JOIN visits v ON v.run = s.run AND v.visit = s.visit"
        " WHERE v.state = 'complete'"
    ).fetchall()
    connection.close()
    return {visit for (visit,) in rows}


def test_masters_killed_at_random_moments_lose_nothing_and_do_nothing_twice(night):
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    moments = random.Random(seed)
    visits = 60
    for _ in range(4):
        before = complete_visits(night)
        process = night.start("--visits", str(visits), "--workers", "2", "-s", "--resume")
        target = len(before) + moments.randint(1, 8)
        night.wait_until(
            lambda target=target, process=process: process.poll() is not None
            or len(complete_visits(night)) >= target,
            "a few visits",
        )
        time.sleep(moments.random() * 0.01)
        process.kill()
        night.finish(process)
        night.wait_until(lambda: not night.processes(), "the workers to end")
        assert check(night.run_dir) == []
        assert before <= complete_visits(night)
        assert called_visits(night) & before == set()
    before = complete_visits(night)
    assert proven(night.run_dir) == before
    assert night.run("--visits", str(visits), "-s", "--resume").code == 0
    assert misjudged(visits, before, called_visits(night)) == []
    assert complete_visits(night) == set(range(1, visits + 1)) and check(night.run_dir) == []
    assert outputs(night) == {
        f"out-{visit}-{rank}.txt": f"visit {visit} rank {rank}"
        for visit in range(1, visits + 1)
        for rank in (0, 1)
    }
