# SPDX-License-Identifier: BSD-3-Clause
"""A run from start to end: visits, order of the half-steps, ends, logs and figures."""

import re

import pytest

ORDER = """
    def note(clipboard, text):
        with open("journal", "a") as journal:
            journal.write(text + "\\n")

    class Serial(SerialProcessing):
        def preprocess(self, clipboard):
            note(clipboard, f"{self.getName()} preprocess")
        def postprocess(self, clipboard):
            note(clipboard, f"{self.getName()} postprocess")

    class Parallel(ParallelProcessing):
        def process(self, clipboard):
            note(clipboard, f"{self.getName()} process")
"""


@pytest.mark.contract("4.1.oneloop", "5.2.order", "5.6.oneloop")
def test_half_steps_run_in_the_order_of_the_contract(bench):
    bench.module(ORDER)
    bench.policy("one Serial Parallel", "two Serial Parallel", slices=3)
    done = bench.run()
    assert done.code == 0, done.err
    journal = (bench.folder / "journal").read_text().split("\n")[:-1]
    assert journal == [
        "one preprocess",
        "one process",
        "one process",
        "one process",
        "one postprocess",
        "two preprocess",
        "two process",
        "two process",
        "two process",
        "two postprocess",
    ]


@pytest.mark.contract("4.2.classes")
def test_a_pipeline_without_slices_runs_its_serial_halves_only(bench):
    bench.module(ORDER)
    bench.policy("one Serial Parallel", slices=0)
    done = bench.run()
    assert done.code == 0, done.err
    assert (bench.folder / "journal").read_text() == "one preprocess\none postprocess\n"


@pytest.mark.contract("5.2.instances")
def test_instances_live_for_the_run_and_clipboards_for_a_visit(bench):
    bench.module("""
    class Counter(ParallelProcessing):
        def setup(self):
            self.calls = 0
        def process(self, clipboard):
            self.calls += 1
            assert "left" not in clipboard
            clipboard.put("left", 1)
            if self.calls == 3:
                clipboard.put("noMoreDatasets", True)
    """)
    bench.policy("count - Counter", head="")
    done = bench.run()
    assert done.code == 0, done.err
    assert done.summary["visits"] == 3
    assert done.row("count", "process")["count"] == 6
    assert done.row("count", "process")["raised"] == 0


def test_visits_can_be_limited_from_the_command_line(bench):
    bench.module(ORDER)
    bench.policy("one Serial -", head="")
    done = bench.run("--visits", "4")
    assert done.code == 0, done.err
    assert done.summary["visits"] == 4
    assert "\n4 visits; logs" in done.out and "\n1 visit; logs" in bench.run("--visits", "1").out


@pytest.mark.contract("5.6.noMoreDatasets", "17.3")
def test_no_more_datasets_ends_the_run_after_the_current_stage(bench):
    bench.module(
        ORDER
        + """
    class Last(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 1:
                clipboard.put("noMoreDatasets", "yes")
    """
    )
    bench.policy("one Serial Last", "two Serial Parallel", head="")
    done = bench.run()
    assert done.code == 0, done.err
    assert (bench.folder / "journal").read_text() == "one preprocess\none postprocess\n"
    assert "no more datasets" in done.log()


@pytest.mark.contract("2.3.pipeline")
def test_stages_learn_their_place(bench):
    bench.module("""
    class Place(ParallelProcessing):
        def process(self, clipboard):
            place = (self.rank, self.stageId, self.universeSize, self.runId, self.name, self.getName())
            clipboard.put("place", place, True)

    class Master(SerialProcessing):
        def postprocess(self, clipboard):
            print("master", (self.rank, self.stageId, self.universeSize, self.runId, self.name))
            for rank in range(3):
                print("slice", clipboard.get(f"place-{rank}"))
    """)
    bench.policy("place Master Place", slices=3)
    done = bench.run()
    assert "master (-1, 1, 4, 'r1', 'place')" in done.out
    for rank in range(3):
        assert f"slice ({rank}, 1, 4, 'r1', 'place', 'place')" in done.out


@pytest.mark.contract("2.4.shutdown", "17.3")
def test_orderly_end_calls_shutdown_of_every_instance(bench):
    bench.module("""
    class Closing(ParallelProcessing):
        def process(self, clipboard):
            pass
        def shutdown(self):
            open(f"closed-{self.rank}", "w").close()

    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            pass
        def shutdown(self):
            open("closed-master", "w").close()
    """)
    bench.policy("close Master Closing", slices=3)
    done = bench.run("--workers", "2")
    assert done.code == 0, done.err
    assert sorted(path.name for path in bench.folder.glob("closed-*")) == [
        "closed-0",
        "closed-1",
        "closed-2",
        "closed-master",
    ]


@pytest.mark.contract("5.9.visits")
def test_every_rank_has_its_own_log_with_the_visit_on_each_record(bench):
    bench.module("""
    class Talk(ParallelProcessing):
        def setup(self):
            self.log.createChildLog("talk").info("set up")
            self.child = self.log.createChildLog("talk")
        def process(self, clipboard):
            self.child.info(f"hello from {self.rank}")
    """)
    bench.policy("talk - Talk", slices=3)
    done = bench.run("--workers", "2")
    assert done.code == 0, done.err
    for rank in range(3):
        text = done.log(f"Slice{rank}")
        assert f"harness.slice.talk: hello from {rank}" in text
        record = text.split(f"hello from {rank}")[1].split("\n\n")[0]
        assert "LOOPNUM: 1" in record and "STAGEID: 1" in record
        assert f"SLICEID: {rank}" in record and "RUNID: r1" in record
        assert "user+system" in text and "VmPeak" in text
    assert "hello from" not in done.err


@pytest.mark.contract("17.1")
def test_explain_prints_the_schedule_and_runs_nothing(bench):
    bench.module(ORDER)
    bench.policy("one Serial Parallel")
    done = bench.run("--explain")
    assert done.code == 0, done.err
    assert "stage 1 (one): release the slices" in done.out
    assert not (bench.folder / "journal").exists()


@pytest.mark.parametrize("schedule", ["lockstep", "fused"])
def test_explain_tells_of_serial_methods_that_are_there_and_of_no_others(bench, schedule):
    bench.module("""
        class Before(SerialProcessing):
            def preprocess(self, clipboard):
                pass
        class Behind(SerialProcessing):
            def postprocess(self, clipboard):
                pass
        class Slice(ParallelProcessing):
            def process(self, clipboard):
                pass
    """)
    bench.policy("one Before Slice", "two - Slice", "three Behind Slice", head=f'schedule: "{schedule}"')
    done = bench.run("--explain")
    assert done.code == 0, done.err
    assert re.findall(r"(\w+)\): (\w+) in the master", done.out) == [
        ("one", "preprocess"), ("three", "postprocess")
    ]  # fmt: skip
    assert done.out.count("none may start before preprocess has returned") == 1
    assert done.out.count("postprocess may use what they found") == 1
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", done.out, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_table_names_every_stage_that_does_something(bench):
    bench.module(ORDER)
    bench.policy("one Serial -", "two - Parallel")
    done = bench.run()
    assert [line.split()[:2] for line in done.out.splitlines()[2:-1]] == [
        ["one", "preprocess"],
        ["one", "postprocess"],
        ["two", "process"],
    ]


@pytest.mark.parametrize("options", [[], ["--explain"]])
def test_a_reader_of_the_output_that_leaves_is_no_error(bench, options):
    bench.module(ORDER)
    bench.policy("one Serial Parallel")
    process = bench.start(*options)
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), complaint) == (0, "")


@pytest.mark.parametrize("kind", ["None", "io.StringIO()"])
def test_where_standard_output_is_closed_or_takes_text_only_the_run_ends_well(bench, kind):
    bench.module("""
    import io

    class Closes(SerialProcessing):
        def preprocess(self, clipboard):
            sys.stdout = {kind}
    """.replace("{kind}", kind))
    bench.policy("one Closes -")
    done = bench.run()
    assert (done.code, done.err) == (0, "")
