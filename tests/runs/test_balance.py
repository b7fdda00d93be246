# SPDX-License-Identifier: BSD-3-Clause
"""Idle workers take slices that wait for others, where stages say that it does not matter."""

import json
import random
import sqlite3

import pytest

STAGES = """
    import json, random

    class Slow(ParallelProcessing):
        stateless = True

        def process(self, clipboard):
            visit = harness.current_visit()
            with open(f"at.{visit}.{self.rank}.{self.stageId}", "a") as file:
                file.write(f"{os.getpid()}" + chr(10))
            if self.rank == 0 and self.stageId == 1:
                wait_for(visit)
            self.extra(visit)
            value = [self.rank, self.stageId, self.rng.random(), random.random(), clipboard.get("value", 0)]
            clipboard.put("value", value, True)

        def extra(self, visit):
            pass

    def wait_for(visit):
        # Until every other slice has begun, those of this worker too: only an idle worker can begin them.
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if all(os.path.exists(f"at.{visit}.{rank}.1") for rank in range(1, 6)):
                return
            time.sleep(0.005)
        raise TimeoutError("the others have not begun")

    class Dies(Slow):
        def extra(self, visit):
            if visit == 2 and self.stageId == 2 and self.rank == 4 and not os.path.exists("died"):
                open("died", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)

    class Raises(Slow):
        def extra(self, visit):
            if visit == 2 and self.rank == 4 and self.stageId == 2:
                raise ValueError("four")

    class Bound(Slow):
        stateless = False

    class Look(SerialProcessing):
        def postprocess(self, clipboard):
            with open("found", "a") as file:
                file.write(json.dumps(clipboard.gather("value")) + chr(10))
"""


def run_on(bench, workers, *, parallel="Slow", head="", visits=3):
    bench.module(STAGES)
    for path in [*bench.folder.glob("at.*"), bench.folder / "found", bench.folder / "died"]:
        path.unlink(missing_ok=True)
    bench.policy(f"one - {parallel}", f"two Look {parallel}", slices=6, head=f"randomSeed: 3\n{head}")
    done = bench.run("--workers", str(workers), "--visits", str(visits))
    places = {
        tuple(map(int, path.name.split(".")[1:])): path.read_text().split()
        for path in bench.folder.glob("at.*")
    }
    return done, places, (bench.folder / "found").read_text()


def outcomes(bench):
    connection = sqlite3.connect(bench.run_dir / "ledger.sqlite")
    try:
        run = connection.execute("SELECT max(run) FROM runs").fetchone()
        query = "SELECT visit, rank, stage, outcome FROM outcomes WHERE run = ? ORDER BY 1, 2, 3"
        return connection.execute(query, run).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("schedule", ["lockstep", "fused"])
def test_idle_workers_take_what_waits_and_results_are_those_of_a_worker_for_every_slice(bench, schedule):
    head = f'schedule: "{schedule}"'
    done, places, found = run_on(bench, 2, head=head)
    assert done.code == 0 and done.summary["failures"] == [], done.err
    for visit in (1, 2, 3):
        where = {rank: places[visit, rank, 1] for rank in range(6)}
        # The worker that had rank 0 had nothing else meanwhile, though ranks 2 and 4 belong to it as well.
        assert sum(pids == where[0] for pids in where.values()) == 1 or where[1] == where[0]
        # Where a slice has begun its visit, it ends it.
        assert all(places[visit, rank, 2] == where[rank] for rank in range(6))
    expected, _, as_found = run_on(bench, 6, head=head)
    assert expected.code == 0 and as_found == found
    assert all(outcome == "done" for *_, outcome in outcomes(bench))
    for rank in range(6):
        assert done.log(f"Slice{rank}").count("LOOPNUM: 3") > 0


def test_a_taken_slice_whose_worker_dies_is_run_again_with_all_that_worker_had(bench):
    done, places, found = run_on(bench, 2, parallel="Dies")
    assert done.code == 0 and done.summary["failures"] == [], done.err
    (death,) = done.summary["deaths"]
    assert (death["rank"], death["visit"], death["stage"]) == (4, 2, 2)
    assert 4 in death["replayed"]
    # The slices of the dead worker began again in the fresh one.
    assert len(places[2, 4, 1]) == 2 and places[2, 4, 1][0] != places[2, 4, 1][1]
    assert len(places[2, 4, 2]) == 2
    assert all(outcome == "done" for *_, outcome in outcomes(bench))
    _, _, undisturbed = run_on(bench, 6)
    assert found == undisturbed


def test_a_taken_slice_that_raises_is_recorded_under_its_rank(bench):
    done, _, found = run_on(bench, 2, parallel="Raises")
    assert done.code == 0, done.err
    assert done.summary["failures"] == [{"visit": 2, "stage": 2, "rank": 4}]
    assert [row for row in outcomes(bench) if row[3] != "done"] == [(2, 4, 2, "failed")]
    # What it published in its first stage stands.
    assert [json.loads(line)[4][1] for line in found.splitlines()] == [2, 1, 2]
    assert "ValueError: four" in done.log("Slice4")


def test_one_stage_that_does_not_say_that_it_is_stateless_keeps_all_slices_where_they_belong(bench):
    bench.module(STAGES.replace("if self.rank == 0 and self.stageId == 1:", "if False:"))
    bench.policy("one - Slow", "two Look Bound", slices=6, head="")
    assert "every slice is with its worker: stage 2 (two) does not declare itself stateless" in (
        bench.run("--explain", "--workers", "2").out
    )
    done = bench.run("--visits", "3", "--workers", "2")
    assert done.code == 0, done.err
    pids = {
        rank: {
            pid
            for visit in (1, 2, 3)
            for stage in (1, 2)
            for pid in (bench.folder / f"at.{visit}.{rank}.{stage}").read_text().split()
        }
        for rank in range(6)
    }
    assert pids[0] == pids[2] == pids[4] and pids[1] == pids[3] == pids[5]
    assert len(pids[0]) == len(pids[1]) == 1


def test_explain_tells_that_idle_workers_take_slices(bench):
    bench.module(STAGES)
    bench.policy("one - Slow", "two Look Slow", slices=6)
    assert "idle workers take slices that wait" in bench.run("--explain", "--workers", "2").out
    assert "there is a worker for every slice" in bench.run("--explain", "--workers", "6").out


def test_a_stage_that_cannot_be_set_up_where_its_slice_was_taken_ends_the_run(bench):
    text = STAGES.replace("        def process(self, clipboard):\n            visit", """
        def setup(self):
            if os.path.exists(f"was{self.rank}"):
                raise OSError(f"rank {self.rank} is set up for the second time")
            open(f"was{self.rank}", "w").close()

        def process(self, clipboard):
            visit""", 1)
    bench.module(text)
    bench.policy("one - Slow", slices=6, head="")
    done = bench.run("--visits", "3", "--workers", "2")
    assert done.code == 2
    assert "is set up for the second time" in done.err


RANDOM = """
    import json

    class Part(ParallelProcessing):
        stateless = True

        def process(self, clipboard):
            visit = harness.current_visit()
            mark = f"killed.{visit}.{self.rank}.{self.stageId}"
            if [visit, self.rank, self.stageId] in KILLS and not os.path.exists(mark):
                open(mark, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.001 * (self.rank * 7 + visit * 3 + self.stageId) % 0.006)
            image = clipboard.get("image", np.zeros(20_000)) + self.rng.random()
            clipboard.put("image", image, True)
            clipboard.put(f"sum{self.stageId}", float(image.sum()), True)

    class Look(SerialProcessing):
        def postprocess(self, clipboard):
            sums = [clipboard.gather(f"sum{n}") for n in (1, 2, 3)]
            images = [float(image.sum()) for image in clipboard.gather("image")]
            with open("found", "a") as file:
                file.write(json.dumps([sums, images]) + chr(10))
"""
KILLED_VISITS = 4


@pytest.mark.parametrize("seed", range(4))
def test_random_deaths_among_taken_slices_change_no_result(bench, seed):
    draw = random.Random(seed)
    schedule = ["lockstep", "fused"][seed % 2]

    def found(workers, kills):
        bench.module(RANDOM.replace("KILLS", repr(kills)))
        (bench.folder / "found").unlink(missing_ok=True)
        bench.policy(
            "one - Part", "two - Part", "three Look Part", slices=7,
            head=f'schedule: "{schedule}"\nsliceRetries: 3\nrandomSeed: {seed}',
        )  # fmt: skip
        done = bench.run("--workers", str(workers), "--visits", str(KILLED_VISITS))
        assert done.code == 0 and done.summary["failures"] == [], done.err
        assert done.summary["lost_spans"] == 0
        assert all(outcome == "done" for *_, outcome in outcomes(bench))
        assert len(done.summary["deaths"]) == len(kills)
        return (bench.folder / "found").read_text()

    undisturbed = found(7, [])
    # At most one death of a rank in a visit, so that no retries are used up.
    places = draw.sample([(visit, rank) for visit in range(1, KILLED_VISITS + 1) for rank in range(7)], 4)
    kills = [[visit, rank, draw.randint(1, 3)] for visit, rank in places]
    assert found(3, kills) == undisturbed
