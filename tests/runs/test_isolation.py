# SPDX-License-Identifier: BSD-3-Clause
"""What stages draw and where they are does not depend on how slices are spread over workers."""

import subprocess
import sys

import pytest

STAGES = """
    import random
    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            note("master", self, [self.rng.integers(1 << 40), random.random(), np.random.random()])

    class Draws(ParallelProcessing):
        def setup(self):
            self.first = [self.rng.integers(1 << 40), random.random(), np.random.normal()]
        def process(self, clipboard):
            values = [self.rng.integers(1 << 40), random.gauss(0, 1), np.random.normal(size=3).tolist()]
            note("draws", self, [self.first, values, [self.rng.integers(1 << 40)]])

    class Moves(ParallelProcessing):
        def process(self, clipboard):
            note("moves", self, [os.path.basename(os.getcwd()), os.umask(0o022)])
            os.umask(0o007)
            os.makedirs(f"at{self.rank}", exist_ok=True)
            os.chdir(f"at{self.rank}")

    class Raises(ParallelProcessing):
        def process(self, clipboard):
            os.chdir("/")
            raise ValueError("lost")

    def note(who, stage, values):
        with open(os.path.join(os.environ["HOME_HERE"], "notes"), "a") as file:
            visit = harness.current.current_visit()
            file.write(f"{visit} {stage.rank} {stage.stageId} {who} {values!r}" + chr(10))
"""


def notes(bench, workers, **policy):
    path = bench.folder / "notes"
    path.unlink(missing_ok=True)
    bench.policy(
        "a Master Draws", "b - Moves", "c - Draws", "d - Raises", "e - Moves", slices=6,
        head="\n".join(f"{key}: {value}" for key, value in policy.items()),
    )
    done = bench.run("--workers", str(workers), "--visits", "2")
    assert done.code == 0, done.err
    return sorted(path.read_text().splitlines()), done


@pytest.fixture
def stages(bench, monkeypatch):
    monkeypatch.setenv("HOME_HERE", str(bench.folder))
    bench.module(STAGES)


def test_six_ranks_draw_the_same_on_one_worker_and_on_three(bench, stages):
    on_one, first = notes(bench, 1)
    on_three, second = notes(bench, 3)
    assert on_one == on_three
    assert first.summary["random_seed"] == second.summary["random_seed"]
    assert f"random seed {first.summary['random_seed']}" in first.log()
    draws = [line.split(" ", 4)[4] for line in on_one if " draws " in line or " master " in line]
    assert len(draws) == len(set(draws)) == 26


def test_another_seed_draws_other_numbers_and_the_same_one_the_same(bench, stages):
    one, done = notes(bench, 2, randomSeed=1)
    assert done.summary["random_seed"] == 1
    other, _ = notes(bench, 2, randomSeed=2)
    again, _ = notes(bench, 3, randomSeed=1)
    assert one == again
    drawn = [line for line in one if " moves " not in line]
    assert drawn and not set(drawn) & set(other)


def test_directory_and_umask_are_restored_after_every_call_even_one_that_raises(bench, stages):
    lines, _ = notes(bench, 2)
    moves = {line.partition(" moves ")[2] for line in lines if " moves " in line}
    assert moves == {f"[{bench.folder.name!r}, 18]"}


def test_never_leaves_stages_alone(bench, stages):
    lines, _ = notes(bench, 1, isolateStages='"never"')
    assert {line.partition(" moves ")[2] for line in lines if " moves " in line} != {
        f"[{bench.folder.name!r}, 18]"
    }


LEAVES = """
    class Leaves(SerialProcessing):
        def preprocess(self, clipboard):
            os.chdir(os.path.join(os.environ["HOME_HERE"], "elsewhere"))
            self.log.info("away")
        def postprocess(self, clipboard):
            self.log.info(f"gathered {clipboard.gather('rank')}")

    class Dies(ParallelProcessing):
        def process(self, clipboard):
            died = os.path.join(os.environ["HOME_HERE"], "died")
            if self.rank == 0 and harness.current.current_visit() == 2 and not os.path.exists(died):
                open(died, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            self.log.info("here")
            clipboard.put("rank", self.rank, True)
"""
EMBEDS = """
from lsst.pex.harness.Pipeline import Pipeline
Pipeline("r1", "night.paf", run_dir="run", max_visits=3).run()
"""


@pytest.mark.parametrize("embedded", [False, True])
def test_a_run_directory_that_was_named_from_here_is_the_same_when_a_stage_has_gone_elsewhere(
    bench, monkeypatch, embedded
):
    monkeypatch.setenv("HOME_HERE", str(bench.folder))
    monkeypatch.setenv("PYTHONPATH", str(bench.folder))
    bench.module(LEAVES)
    bench.policy("a Leaves Dies", slices=2, head='isolateStages: "never"')
    (bench.folder / "elsewhere").mkdir()
    command = [sys.executable, "-m", "harness.cli.main", "run", "night.paf", "r1", "--run-dir", "run"]
    command = [sys.executable, "-c", EMBEDS] if embedded else [*command, "--visits", "3"]
    done = bench.finish(bench.start_in(bench.folder, command))
    assert done.code == 0, done.err
    assert list((bench.folder / "elsewhere").iterdir()) == []
    assert done.summary["visits"] == 3 and len(done.summary["deaths"]) == 1
    assert done.log().count("gathered [0, 1]") == 3
    assert done.log("Slice0").count("here") == done.log("Slice1").count("here") == 3
    names = {path.name for path in bench.run_dir.iterdir()}
    told = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "status", "run", "--check"], cwd=bench.folder,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert told.returncode == 0 and "run: complete" in told.stdout, told.stdout + told.stderr
    # No word of a living process is left.
    asked = bench.command_line("stop", str(bench.run_dir))
    assert "no run is going on here\n" in asked.err and "ledger.sqlite" in names
