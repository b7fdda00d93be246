# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness bench` and `harness.bench.measure`: what is measured, compared, refused."""

import json
import subprocess
import sys

import numpy as np
import pytest
from harness.bench import measure

STAGES = """
    from lsst.pex.harness.stage import Stage
    import random

    class Double(ParallelProcessing):
        def process(self, clipboard):
            image = clipboard.get("image")
            clipboard.put("double", image * np.float32(2), True)
            clipboard.put("mean", float(image.mean()), True)

    class DoubleStage(Stage):
        parallelClass = Double

    class Scaled(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("level", clipboard.get("raw").mean() * self.policy.getDouble("scale"), True)

    class Subtract(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("offset", 3.0, True)
        def postprocess(self, clipboard):
            levels = clipboard.gather("level")
            assert len(levels) == self.universeSize - 1 and all(level > 900 for level in levels)

    class SubtractSlices(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("level", float(clipboard.get("image").mean()) - clipboard.get("offset"), True)

    class SubtractStage(Stage):
        serialClass = Subtract
        parallelClass = SubtractSlices

    class InPlace(ParallelProcessing):
        def process(self, clipboard):
            image = clipboard.get("image")
            image += 1
            clipboard.put("mean", float(image.mean()), True)

    class Random(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("dice", random.random(), True)

    class Alternating(ParallelProcessing):
        stateless = True
        def process(self, clipboard):
            image = clipboard.get("image")
            clipboard.put("sum", float(image.sum()), True)
            # Another rank is late in each visit, so that ranks go from worker to worker.
            time.sleep(0.1 if self.rank == harness.current_visit() % 2 else 0.001)

    class First(ParallelProcessing):
        independent = stateless = True
        def process(self, clipboard):
            clipboard.get("image")
            visit, end = harness.current_visit(), time.monotonic() + 10
            # Until all others are through the second stage, those of this worker too.
            while self.rank == 0 and not all(os.path.exists(f"{visit}.{rank}") for rank in range(1, 4)):
                if time.monotonic() > end:
                    raise TimeoutError("the others are not through")
                time.sleep(0.002)

    class Second(ParallelProcessing):
        independent = stateless = True
        def process(self, clipboard):
            open(f"{harness.current_visit()}.{self.rank}", "w").close()

    class Looks(SerialProcessing):
        def preprocess(self, clipboard):
            keys = [key for key in clipboard.getKeys() if key.startswith("bench image")]
            means = [float(clipboard.get(key).mean()) for key in sorted(keys)]
            with open("handed", "a") as file:
                print(harness.current_visit(), *means, file=file)

    class Raises(ParallelProcessing):
        def process(self, clipboard):
            raise ValueError("no such filter")

    class RaisesAlone(ParallelProcessing):
        def process(self, clipboard):
            if type(self) is RaisesAlone:
                raise ValueError("nobody feeds me")
            clipboard.put("mean", 1.0, True)

    class Kills(ParallelProcessing):
        def process(self, clipboard):
            os.kill(os.getpid(), signal.SIGKILL)

    class Nothing(ParallelProcessing):
        pass

    class Serial(SerialProcessing):
        def preprocess(self, clipboard):
            pass

    class NoParallel(Stage):
        serialClass = Serial

    class Ends(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("noMoreDatasets", True)

    class NeedsSetup(ParallelProcessing):
        def setup(self):
            raise RuntimeError("no calibration found")
        def process(self, clipboard):
            pass
"""
SMALL = ("--shape", "64x64", "--visits", "3", "--warm-up", "1", "--rounds", "1")


class Command:
    """The command in a folder with stages, as a job of its own."""

    def __init__(self, bench):
        self.bench = bench
        bench.module(STAGES)

    def __call__(self, *arguments):
        command = [sys.executable, "-m", "harness.cli.main", "bench", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=self.bench.folder, env=self.bench.environment(), capture_output=True, text=True,
            timeout=100, start_new_session=True,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture
def command(bench):
    return Command(bench)


def test_a_stage_is_measured_beside_others_with_equal_results(command):
    file = command.bench.folder / "found.json"
    compared = ["--compare", "serial,multiprocessing,futures"]
    done = command("stages_here.DoubleStage", *SMALL, "--slices", "1,2", *compared, "--json", file)
    assert done.returncode == 0, done.stderr
    for words in ("images/s", "efficiency", "sync %", "copied %", "concurrent.futures, 2 slices: "):
        assert words in done.stdout
    found = json.loads(file.read_text())
    rows = {(row["contender"], row["slices"]): row for row in found["rows"]}
    assert len(rows) == 8 and found["plan"]["shape"] == [64, 64]
    for row in rows.values():
        assert row["images_per_s"]["median"] > 0 and row["pss_mib"] > row["pss_worker_mib"] * 0.99 > 0
        assert row["mb_per_s"] == pytest.approx(row["images_per_s"]["median"] * 64 * 64 * 4 / 1e6)
    shares = rows["harness", 2]["shares"]
    assert shares["work"] + shares["sync"] + shares["wait"] == pytest.approx(1.0, abs=1e-6)
    assert rows["serial", 2]["shares"] is None and rows["serial", 2]["workers"] == 1
    assert [one["equal"] for one in found["comparisons"]] == [True] * 6
    assert {one["verdict"] for one in found["comparisons"]} == {"cannot tell"}


def test_joblib_takes_part_and_leaves_nothing(command):
    pytest.importorskip("joblib")
    done = command("stages_here.Double", *SMALL, "--slices", "2", "--compare", "joblib")
    assert done.returncode == 0, done.stderr
    assert "joblib, 2 slices: " in done.stdout


def test_a_stage_has_its_policy_and_its_own_key(command):
    policy = command.bench.folder / "scale.paf"
    policy.write_text("scale: 2.0\n")
    options = ["--policy", policy, "--key", "raw", "--compare", "serial"]
    done = command("stages_here.Scaled", *SMALL, *options)
    assert done.returncode == 0, done.stderr


def test_both_halves_run_but_cannot_be_compared(command):
    done = command("stages_here.SubtractStage", *SMALL, "--slices", "2")
    assert done.returncode == 0, done.stderr
    done = command("stages_here.SubtractStage", *SMALL, "--compare", "serial")
    assert done.returncode == 2
    assert "has a serial half (Subtract), which the harness alone runs" in done.stderr


def test_images_of_their_own_may_be_written_into_those_of_the_master_not(command):
    done = command("stages_here.InPlace", *SMALL, "--source", "slice", "--compare", "multiprocessing")
    assert done.returncode == 0, done.stderr
    done = command("stages_here.InPlace", *SMALL)
    assert done.returncode == 2
    assert "read-only" in done.stderr
    assert "With --source slice every slice has images of its own" in done.stderr


def test_a_pipeline_policy_runs_whole_with_other_numbers_of_slices(command):
    command.bench.policy("double - Double", "subtract Subtract SubtractSlices", slices=2)
    done = command("--policy", "night.paf", *SMALL, "--slices", "1,3", "--json", "-")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [(row["contender"], row["slices"]) for row in rows] == [("harness", 1), ("harness", 3)]
    assert all(len(row["rounds"]) == 1 for row in rows)


def test_slices_that_go_from_worker_to_worker_have_the_images_of_their_visit(command):
    options = ["--visits", "6", "--warm-up", "2", "--rounds", "1", "--slices", "6", "--workers", "2"]
    options += ["--shape", "8x8", "--source", "slice", "--compare", "serial"]
    done = command("stages_here.Alternating", *options)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("source", ["master", "slice"])
def test_a_pipeline_that_is_given_images_keeps_its_schedule(command, source):
    # It can end only if it is fused and balanced, as its stages declare.
    command.bench.policy("first - First", "second - Second:share", slices=4)
    done = command("--policy", "night.paf", *SMALL, "--workers", "2", "--source", source)
    assert done.returncode == 0, done.stderr


def test_visits_in_flight_have_images_of_their_own(command):
    path = command.bench.policy("looks Looks Random", slices=1, head="visitsInFlight: 3")
    np.save(command.bench.folder / "one.npy", np.full((8, 8), 1.0, np.float32))
    np.save(command.bench.folder / "two.npy", np.full((8, 8), 2.0, np.float32))
    options = ["--images", "one.npy", "two.npy", "--visits", "6", "--warm-up", "1", "--rounds", "1"]
    done = command("--policy", path, *options)
    assert done.returncode == 0, done.stderr
    handed = (command.bench.folder / "handed").read_text().splitlines()
    assert sorted(handed) == [f"{visit} {1.0 if visit % 2 else 2.0}" for visit in range(1, 8)]


def test_workers_are_those_of_the_policy_unless_told_otherwise(command):
    command.bench.policy("double - Double", slices=4, head="nWorkers: 3")
    for options, expected in (([], [2, 3]), (["--workers", "1"], [1, 1])):
        done = command("--policy", "night.paf", *SMALL, "--slices", "2,4", *options, "--json", "-")
        assert done.returncode == 0, done.stderr
        assert [row["workers"] for row in json.loads(done.stdout)["rows"]] == expected


def test_given_images_are_worked_on_until_the_minutes_are_over(command):
    np.save(command.bench.folder / "ones.npy", np.full((8, 16), 1000.0, np.float64))
    policy = command.bench.folder / "scale.paf"
    policy.write_text("scale: 2.0\n")
    options = ["--images", "ones.npy", "--key", "raw", "--policy", policy, "--visits", "3"]
    done = command("stages_here.Scaled", *options, "--compare", "serial", "--minutes", "0.0001")
    assert done.returncode == 0, done.stderr
    assert "stages_here.Scaled on 1 given image, 1 round of 3 visits" in done.stdout
    assert "only 1 of 6 rounds were begun in 0.0001 minutes" in done.stdout


def test_small_arrays_count_neither_as_copied_nor_as_shared(command):
    done = command("stages_here.Double", *SMALL, "--json", "-")
    assert json.loads(done.stdout)["rows"][0]["copied"] is None
    done = command("stages_here.Double", "--shape", "256x256", *SMALL[2:], "--json", "-")
    assert json.loads(done.stdout)["rows"][0]["copied"] == 0.0


def test_a_pipeline_policy_that_makes_its_own_images_needs_none(command):
    command.bench.policy("dice - Random", slices=2)
    done = command("--policy", "night.paf", "--visits", "3", "--rounds", "1", "--json", "-")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert row["slices"] == 2 and row["mb_per_s"] is None


def test_results_that_differ_are_told_and_end_with_5(command):
    done = command("stages_here.Random", *SMALL, "--compare", "serial")
    assert done.returncode == 5
    assert "ITS RESULTS DIFFER" in done.stdout and "results differ from the harness's" in done.stderr


def test_a_contender_that_fails_is_named_and_the_others_are_shown(command):
    done = command("stages_here.RaisesAlone", *SMALL, "--compare", "serial,multiprocessing")
    assert done.returncode == 2, done.stderr
    assert "note: one process, 1 slices: ValueError: nobody feeds me" in done.stdout
    assert "harness  " in done.stdout and "times the harness's" not in done.stdout


REFUSED = {
    "a stage that raises": ("Raises", 2, "failed on slice 0 in visit 1: ValueError: no such filter"),
    "a set-up that raises": ("NeedsSetup", 2, "no calibration found"),
    "a worker that dies": ("Kills", 3, "died of SIGKILL (signal 9)"),
    "no process": ("Nothing", 2, "expected a class with process(self, clipboard).*does not override it"),
    "a serial half": ("Serial", 2, "saw a serial half"),
    "a Stage without slices": ("NoParallel", 2, "saw a Stage without a parallelClass"),
    "no stage": ("os", 2, "no class but module"),
    "no such class": ("Dubble", 2, "did you mean 'stages_here.Double'"),
    "data that end": ("Ends", 2, "the run ended after 1 visits: expected 4"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "code", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_measured_says_why(command, name, code, words):
    import re

    done = command(f"stages_here.{name}", *SMALL)
    assert done.returncode == code and done.stdout == ""
    pattern = words if ".*" in words else re.escape(words)
    pattern = pattern.replace("process(self, clipboard)", r"process\(self, clipboard\)")
    assert done.stderr.startswith("pex-harness bench: ") and re.search(pattern, done.stderr), done.stderr


def test_wrong_usage_ends_with_2(command):
    for arguments, words in (
        (["m.S", "--shape", "0x0"], "axes of 1 pixel or more"),
        (["m.S", "--shape", "8x8", "--slices", "some"], "slices: expected numbers"),
        (["m.S", "--shape", "8x8", "--plot", "p.gif"], "ends in .png or .svg"),
        (["m.S", "--shape", "8x8", "--json", "/nowhere/at/all.json"], "json: there is no directory"),
        (["stages_here.Double", *SMALL, "--json", "."], "json: . is a directory"),
        (["stages_here.Double", *SMALL, "--minutes", "0"], "minutes: expected more than 0"),
    ):
        done = command(*arguments)
        assert done.returncode == 2 and words in done.stderr


def test_images_larger_than_memory_end_with_4(command):
    done = command("m.S", "--shape", "90000x90000", "--slices", "1000")
    assert done.returncode == 4 and "Take fewer slices or a smaller shape" in done.stderr


def test_a_pipeline_that_waits_for_events_is_refused(command):
    path = command.bench.policy("double - Double", slices=1)
    path.write_text(path.read_text().replace('name: "double"', 'name: "double"\n    eventTopic: "frames"'))
    done = command("--policy", "night.paf", *SMALL)
    assert done.returncode == 2 and "waits for events of topic 'frames'" in done.stderr


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_plot_is_drawn(command, kind):
    pytest.importorskip("matplotlib")
    path = command.bench.folder / f"plot.{kind}"
    done = command("stages_here.Double", *SMALL, "--slices", "1,2", "--plot", path)
    assert done.returncode == 0, done.stderr
    head = path.read_bytes()[:400]
    assert head.startswith(b"\x89PNG") if kind == "png" else b"<svg" in head


def test_the_function_is_called_from_any_process_and_imports_no_stage(command, monkeypatch):
    monkeypatch.syspath_prepend(str(command.bench.folder))
    told = []
    found = measure(
        "stages_here.Double", shape=(np.int64(256), 256), slices=np.array([2]), visits=np.int64(3), warm_up=1,
        rounds=2, compare=["serial"], tell=told.append,
    )  # fmt: skip
    assert json.loads(found.to_json())["plan"]["slices"] == [2]
    assert "stages_here" not in sys.modules
    row = found.row("harness", 2)
    assert len(row.rounds) == 2 and found.equal and found.rounds_done == 2 and row.copied == 0.0
    assert told[1] == "round 1 of 2: harness, 2 slices" and told[3] == "round 2 of 2: serial, 2 slices"
    with pytest.raises(KeyError, match="no row of ray with 2 slices"):
        found.row("ray", 2)
