# SPDX-License-Identifier: BSD-3-Clause
"""Exchanges of a fused schedule: who takes part waits for its neighbours alone, and finds the same."""

import random
import time

import pytest

from tests.shared.random_pipelines import draw_plan, ledger, make_stages, results, write_policy

RING = 'shareDataOn: true\ntopology: { type: "ring"\nparam1: "clockwise" }'
LEADERS = 'shareDataOn: true\ntopology: { type: "sliceleaders"\nparam1: 3 }'


@pytest.mark.parametrize(("seed", "in_flight"), [(1, 1), (2, 1), (3, 3), (4, 3)])
def test_a_random_pipeline_that_exchanges_finds_the_same_fused_and_in_lockstep(
    bench, monkeypatch, seed, in_flight
):
    make_stages(bench, monkeypatch)
    drawn = draw_plan(random.Random(seed), visits=4, exchanging=True)
    write_policy(bench, drawn, "lockstep")
    expected = results(bench, 4)
    write_policy(bench, drawn, "fused", in_flight)
    assert "no meeting with the master" in bench.run("--explain").out
    assert results(bench, 4) == expected


AHEAD = """
    def wait_for(name):
        for _ in range(4000):
            if os.path.exists(name):
                return
            time.sleep(0.005)
        raise RuntimeError(f"{name} did not come")

    class One(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 0:
                wait_for(WAITS)
            clipboard.put("one", (self.rank, 1), True)

    class Two(ParallelProcessing):
        def process(self, clipboard):
            before = (self.rank - 1) % (self.universeSize - 1)
            if "one-%d" % before in clipboard:
                assert clipboard.get(f"one-{before}") == (before, self.stageId - 1)
            open(f"begun{self.rank}.{self.stageId}", "w").close()
            clipboard.put("one", (self.rank, self.stageId), True)

    class Look(SerialProcessing):
        def postprocess(self, clipboard):
            with open("found", "a") as file:
                file.write(repr(clipboard.gather("one")) + chr(10))
"""


def test_a_slice_runs_ahead_of_a_slow_one_elsewhere_in_the_ring(bench):
    bench.module(AHEAD.replace("WAITS", '"begun3.3"'))
    bench.policy("one - One", "two - Two:share", "three Look Two:share", slices=6,
                 head='executionMode: "oneloop"\nschedule: "fused"', tail=RING)  # fmt: skip
    done = bench.run("--workers", "6")
    assert done.code == 0 and done.summary["failures"] == [], done.err
    assert (bench.folder / "found").read_text() == repr([(rank, 3) for rank in range(6)]) + "\n"
    rows = {row["stage"]: row["items"] for row in done.summary["keys"] if row["direction"] == "across"}
    assert rows == {2: 6, 3: 6}
    up = {row["stage"]: row["items"] for row in done.summary["keys"] if row["direction"] == "up"}
    assert up == {1: 6, 2: 6, 3: 6}


def test_members_of_one_leader_do_not_wait_for_those_of_another(bench):
    bench.module(AHEAD.replace("WAITS", '"begun4.2"'))
    bench.policy("one - One", "two Look Two:share", slices=6,
                 head='executionMode: "oneloop"\nschedule: "fused"', tail=LEADERS)  # fmt: skip
    done = bench.run("--workers", "6")
    assert done.code == 0 and done.summary["failures"] == [], done.err


def test_in_lockstep_nobody_runs_ahead(bench):
    bench.module(AHEAD.replace("WAITS", '"begun3.2"').replace("range(4000)", "range(100)"))
    bench.policy("one - One", "two - Two:share", slices=6,
                 head='executionMode: "oneloop"\nschedule: "lockstep"', tail=RING)  # fmt: skip
    done = bench.run("--workers", "6")
    assert [failure["rank"] for failure in done.summary["failures"]] == [0]


DEATHS = """
    def fate(stage, when):
        name = f"died{stage.rank}.{stage.stageId}.{when}"
        if name in os.environ["DIES"].split() and not os.path.exists(name):
            open(name, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)

    class Work(ParallelProcessing):
        def process(self, clipboard):
            fate(self, "first")
            before = (self.rank - 1) % (self.universeSize - 1)
            value = np.full(20_000, float(10 * self.stageId + self.rank))
            if self.stageId > 1 and f"value-{before}" in clipboard:
                value += clipboard.get(f"value-{before}")[0] / 7
            if FAILS and self.rank == 2 and self.stageId == 2:
                raise ValueError("as planned")
            clipboard.put("value", value, True)
            clipboard.put(f"mine{self.stageId}", float(value[0]), True)
            fate(self, "last")

    class Look(SerialProcessing):
        def postprocess(self, clipboard):
            with open("found", "a") as file:
                for key in sorted(clipboard):
                    if key != "value":
                        value = clipboard.get(key)
                        file.write(f"{key} {value if isinstance(value, float) else value[0]}" + chr(10))
"""
# Slices 2 and 5 have one worker: of three, with six slices.
PLACES = [
    f"died{rank}.{stage}.{when}" for stage in (1, 2, 3, 4) for rank in (1, 5) for when in ("first", "last")
]


def found_of(bench, monkeypatch, dies, fails, schedule, in_flight=1, stages=DEATHS):
    monkeypatch.setenv("DIES", " ".join(dies))
    bench.module(stages.replace("FAILS", str(fails)))
    head = f'schedule: "{schedule}"\nvisitsInFlight: {in_flight}\nsliceRetries: 20'
    plan = "one - Work", "two - Work:share", "three - Work", "four Look Work:share"
    bench.policy(*plan, slices=6, head=head, tail=RING)
    for name in ("found", *PLACES):
        (bench.folder / name).unlink(missing_ok=True)
    done = bench.run("--workers", "3", "--visits", "3")
    outcomes, visits = ledger(bench)
    crossed = sorted(map(str, done.summary["keys"]))
    return done, ((bench.folder / "found").read_text(), outcomes, visits, done.code, crossed)


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("in_flight", [1, 3])
def test_workers_that_are_killed_in_any_stage_between_exchanges_cost_nothing(
    bench, monkeypatch, fails, in_flight
):
    _, expected = found_of(bench, monkeypatch, [], fails, "lockstep")
    _, fused = found_of(bench, monkeypatch, [], fails, "fused", in_flight)
    assert fused == expected
    draw = random.Random(f"{fails} {in_flight}")
    for _ in range(3):
        dies = draw.sample(PLACES, 4)
        done, found = found_of(bench, monkeypatch, dies, fails, "fused", in_flight)
        assert found[:4] == expected[:4], (dies, done.err)
        assert len(done.summary["deaths"]) == sum((bench.folder / name).exists() for name in dies) > 0


def test_a_slice_that_had_failed_before_it_went_on_is_not_run_again_with_its_worker(bench, monkeypatch):
    _, expected = found_of(bench, monkeypatch, [], True, "lockstep")
    # Slice 2 is asked for its last stage meanwhile, which its worker has not come to.
    slow = DEATHS.replace('fate(self, "last")', 'time.sleep(0.3 * (self.rank == 5)); fate(self, "last")')
    done, found = found_of(bench, monkeypatch, ["died5.3.last"], True, "fused", stages=slow)
    assert found[:4] == expected[:4]
    (death,) = done.summary["deaths"]
    assert (death["rank"], death["stage"], death["replayed"], death["failed"]) == (5, 3, [5], [])


def test_a_slice_whose_retries_are_used_up_fails_in_its_leg_and_its_neighbours_go_on_without_it(
    bench, monkeypatch
):
    dies = ["died2.3.first"]
    bench.module(DEATHS.replace("FAILS", "False").replace("and not os.path.exists(name)", ""))
    monkeypatch.setenv("DIES", " ".join(dies))
    outcomes = {}
    for schedule in ("lockstep", "fused"):
        (bench.folder / "found").unlink(missing_ok=True)
        bench.policy("one - Work", "two - Work:share", "three - Work:share", "four Look Work:share", slices=6,
                     head=f'schedule: "{schedule}"', tail=RING)  # fmt: skip
        done = bench.run("--workers", "3", "--visits", "2")
        assert done.code == 6, done.err
        outcomes[schedule] = (bench.folder / "found").read_text(), ledger(bench)[0]
    assert outcomes["fused"] == outcomes["lockstep"]
    rows = {(rank, stage): outcome for visit, rank, stage, outcome, _ in outcomes["fused"][1] if visit == 1}
    assert [rows[2, stage] for stage in (1, 2, 3, 4)] == ["done", "done", "failed", "skipped"]


ENDS = """
    class One(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 0 and harness.current_visit() == 2:
                for name in ("began2.3.3", "go") if STOPS else ("began2.3.3",):
                    while not os.path.exists(name):
                        time.sleep(0.002)
            clipboard.put("one", 1, True)
            if not STOPS and self.rank == 0 and harness.current_visit() == 2:
                clipboard.put("noMoreDatasets", True)

    class Two(ParallelProcessing):
        def process(self, clipboard):
            open(f"began{harness.current_visit()}.{self.stageId}.{self.rank}", "w").close()
            clipboard.put("one", self.stageId, True)
"""


def ends_of(bench, stops):
    bench.module(ENDS.replace("STOPS", str(stops)))
    bench.policy("one - One", "two - Two:share", "three - Two:share", "four - Two:share", slices=6,
                 head='schedule: "fused"', tail=RING)  # fmt: skip
    return bench.start("--workers", "6", "--visits", "4")


def began(bench, visit, stage):
    return {int(path.name.rpartition(".")[2]) for path in bench.folder.glob(f"began{visit}.{stage}.*")}


@pytest.mark.parametrize("level", [2, 3])
def test_a_stop_lets_slices_come_as_far_as_the_first_of_them_has_begun(bench, level):
    process = ends_of(bench, stops=True)
    bench.wait_until(lambda: (bench.folder / "began2.3.3").exists(), "the second visit's third stage")
    assert bench.command_line("stop", str(bench.run_dir), "--level", str(level)).code == 0
    time.sleep(0.5)
    (bench.folder / "go").touch()
    done = bench.finish(process)
    assert began(bench, 2, 2) == began(bench, 2, 3) == set(range(6))
    assert began(bench, 2, 4) == set()
    states = [state for _, state, _ in ledger(bench)[1]]
    assert states == ["complete", "partial"], done.err
    assert bench.run("--workers", "6", "--visits", "4", "--resume").code == 0
    assert began(bench, 4, 4) == set(range(6))


def test_neighbours_of_a_slice_without_data_do_not_go_on(bench):
    done = bench.finish(ends_of(bench, stops=False))
    assert done.code == 0 and done.summary["failures"] == [], done.err
    assert began(bench, 2, 3) == {3}
    assert began(bench, 2, 2) == {2, 3, 4}
    states = [state for _, state, _ in ledger(bench)[1]]
    assert states[0] == "complete" and len(states) == 2
    assert "no more data" in ledger(bench)[1][1][2]


def test_a_slice_that_waited_long_for_its_neighbours_is_not_late(bench):
    bench.module("""
    class One(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 0:
                time.sleep(2)
            clipboard.put("one", self.rank, True)

    class Two(ParallelProcessing):
        def process(self, clipboard):
            time.sleep(0.3)
    """)
    policy = bench.policy("one - One", "two - Two:share", slices=4,
                          head='executionMode: "oneloop"\nschedule: "fused"', tail=RING)  # fmt: skip
    policy.write_text(policy.read_text().replace('name: "two"', 'name: "two"\n    stageTimeout: 0.6'))
    done = bench.run("--workers", "4")
    assert done.code == 0 and done.summary["deaths"] == [], done.err


def test_a_slice_that_hangs_behind_an_exchange_is_killed_while_others_wait(bench):
    bench.module("""
    class One(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("one", self.rank, True)

    class Two(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 2 and not os.path.exists("hung"):
                open("hung", "w").close()
                time.sleep(60)
            clipboard.put("two", clipboard.get(f"one-{(self.rank - 1) % 4}"), True)

    class Look(SerialProcessing):
        def postprocess(self, clipboard):
            with open("found", "a") as file:
                file.write(repr(clipboard.gather("two")))
    """)
    policy = bench.policy("one - One", "two - Two:share", "three Look Two:share", slices=4,
                          head='executionMode: "oneloop"\nschedule: "fused"', tail=RING)  # fmt: skip
    policy.write_text(policy.read_text().replace('name: "two"', 'name: "two"\n    stageTimeout: 0.5'))
    done = bench.run("--workers", "2")
    assert done.code == 0, done.err
    assert "stage 'two' for rank 2 for more than 0.5 s (stageTimeout)" in done.log()
    assert (bench.folder / "found").read_text() == "[3, 0, 1, 2]"
