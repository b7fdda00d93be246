# SPDX-License-Identifier: BSD-3-Clause
"""A fused schedule: the results are those of lockstep; failures, ends and records are where they belong."""

import random

import pytest

from tests.shared.random_pipelines import STAGES, draw_plan, ledger, make_stages, results, write_policy


@pytest.mark.parametrize("seed", range(4))
def test_a_random_pipeline_finds_the_same_fused_and_in_lockstep(bench, monkeypatch, seed):
    make_stages(bench, monkeypatch)
    drawn = draw_plan(random.Random(seed), visits=2)
    write_policy(bench, drawn, "lockstep")
    expected = results(bench, 2)
    write_policy(bench, drawn, "fused")
    assert results(bench, 2) == expected


DEATHS = """
    class One(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("one", np.full(20_000, 1.0 + self.rank), True)

    class Two(ParallelProcessing):
        def process(self, clipboard):
            first = not os.path.exists(f"died{self.rank}")
            if self.rank == 1 and (first or ALWAYS):
                open(f"died{self.rank}", "w").close()
                DIE()
            clipboard.put("two", float(clipboard.get("one")[5]), True)

    class Three(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("three", clipboard.get("two") + 1, True)

    class Look(SerialProcessing):
        def postprocess(self, clipboard):
            found = {key: clipboard.get(key) for key in clipboard if key.startswith("three")}
            with open("found", "a") as file:
                file.write(repr(sorted(found.items())) + chr(10))
"""


def run_deaths(bench, die, always, *, head=""):
    bench.module(DEATHS.replace("DIE()", die).replace("ALWAYS", str(always)))
    head = f'executionMode: "oneloop"\nschedule: "fused"\n{head}'
    bench.policy("one - One", "two - Two", "three Look Three", slices=3, head=head)
    done = bench.run("--workers", "2")
    return done, (bench.folder / "found").read_text().strip()


def test_a_worker_that_dies_in_a_fused_run_is_replaced_and_its_slices_are_run_again(bench):
    done, found = run_deaths(bench, "os.kill(os.getpid(), signal.SIGKILL)", always=False)
    assert done.code == 0, done.err
    assert found == "[('three-0', 2.0), ('three-1', 3.0), ('three-2', 4.0)]"
    (death,) = done.summary["deaths"]
    assert (death["rank"], death["stage"], death["replayed"]) == (1, 2, [1])
    rows = dict(((rank, stage), outcome) for _, rank, stage, outcome, _ in ledger(bench)[0])
    assert set(rows.values()) == {"done"} and len(rows) == 12


def test_a_slice_whose_retries_are_used_up_failed_in_its_stage_of_the_fused_run(bench):
    done, found = run_deaths(bench, "os.kill(os.getpid(), signal.SIGKILL)", always=True)
    assert done.code == 6, done.err
    assert found == "[('three-0', 2.0), ('three-2', 4.0)]"
    rows = dict(((rank, stage), outcome) for _, rank, stage, outcome, _ in ledger(bench)[0] if rank == 1)
    assert rows == {(1, 1): "done", (1, 2): "failed", (1, 3): "skipped"}


def test_each_stage_of_a_fused_run_has_its_own_time_limit(bench):
    head = "stageTimeout: 30.0"
    bench.module(DEATHS.replace("DIE()", "time.sleep(60)").replace("ALWAYS", "False"))
    policy = bench.policy("one - One", "two - Two", "three Look Three", slices=3,
                          head=f'executionMode: "oneloop"\nschedule: "fused"\n{head}')  # fmt: skip
    policy.write_text(policy.read_text().replace('name: "two"', 'name: "two"\n    stageTimeout: 0.5'))
    done = bench.run("--workers", "2")
    assert done.code == 0, done.err
    assert "for rank 1 for more than 0.5 s (stageTimeout)" in done.log()
    assert (bench.folder / "found").read_text().count("three-1") == 1


MORE = """
    class Input(ParallelProcessing):
        visits = 0
        independent = True
        def process(self, clipboard):
            self.visits += 1
            if self.visits == 3 and self.rank == 0:
                clipboard.put("noMoreDatasets", True)
            else:
                clipboard.put("n", self.visits)

    class Use(ParallelProcessing):
        independent = True
        def process(self, clipboard):
            clipboard.get("n") + 1

    class Dependent(Use):
        independent = False
"""


def test_a_slice_without_data_passes_the_rest_of_its_fused_run_over(bench):
    bench.module(MORE)
    bench.policy("input - Input", "use - Use", head='schedule: "fused"')
    done = bench.run()
    assert done.code == 0 and done.summary["failures"] == [], done.err
    assert done.summary["visits"] == 3 and "no more datasets" in done.log()


def test_stages_that_all_declare_themselves_independent_are_fused_and_one_that_does_not_is_told(bench):
    bench.module(MORE)
    bench.policy("input - Input", "use - Use", head="")
    told = bench.run("--explain")
    assert told.code == 0, told.err
    assert "fused schedule of one visit" in told.out
    assert "stages 1 to 2 (input, use): release the slices" in told.out
    assert bench.run("--visits", "2").code == 0
    bench.policy("input - Input", "use - Dependent", head="")
    told = bench.run("--explain").out
    assert "lockstep schedule" in told
    assert "they have met: lockstep, for stage 2 (use) does not declare itself independent" in told
    bench.policy("input - Input", "use - Use", head='schedule: "lockstep"')
    assert "they have met: lockstep asked" in bench.run("--explain").out


def test_explain_tells_why_the_slices_meet(bench):
    bench.module(STAGES)
    bench.policy(
        "a Before Work", "b - Work", "c After Work", "d - Work", "e Before -", "f - Work:share", slices=2,
        head='schedule: "fused"', tail='shareDataOn: true\ntopology: { type: "ring"\nparam1: "clockwise" }',
    )
    text = bench.run("--explain").out
    for expected in (
        "stages 1 to 3 (a, b, c): release",
        "(they have met: stage 3 (c) has a postprocess)",
        "(they have met: stage 5 (e) has a preprocess)",
        "stages 5 to 6 (e, f): release",
        "a slice begins when it and its neighbours have ended stage 5 (e); no meeting with the master",
    ):
        assert expected in text
    assert "they have met: stage 6" not in text


def test_a_method_that_only_an_instance_has_is_refused_in_a_fused_schedule(bench):
    bench.module("""
    class Odd(SerialProcessing):
        def preprocess(self, clipboard):
            pass
        def setup(self):
            self.postprocess = lambda clipboard: None
    """)
    bench.policy("one Odd -", "two - -", slices=1, head='executionMode: "oneloop"\nschedule: "fused"')
    done = bench.run()
    assert done.code == 2 and "define postprocess in Odd" in done.err
    bench.policy("one Odd -", "two - -", slices=1)
    assert bench.run().code == 0
