# SPDX-License-Identifier: BSD-3-Clause
"""The Slice as an object: one rank in the calling process, without a Pipeline."""

import subprocess
import sys

import pytest

STAGES = """
    class First(ParallelProcessing):
        def setup(self):
            self.visit = 0
        def process(self, clipboard):
            self.visit += 1
            print(f"visit {self.visit} rank {self.rank} of {self.universeSize} run {self.runId}")
            clipboard.put("image", np.ones((1000, 1000)), True)
            if self.visit == 2:
                raise ValueError("on purpose")
            if self.visit == 4:
                clipboard.put("noMoreDatasets", True)
        def shutdown(self):
            print(f"shutdown {self.getName()}")

    class Second(ParallelProcessing):
        def process(self, clipboard):
            print(f"second {clipboard.get('image').sum():g} {clipboard.getSharedKeys()}")

    class Sweeps(ParallelProcessing):
        def process(self, clipboard):
            print(f"swept {clipboard.get('failedInStage')} {clipboard.get('failureMessage')}")

    class Worse(ParallelProcessing):
        def process(self, clipboard):
            raise OSError("worse")
"""

STEPS = """
from lsst.pex.harness.Slice import Slice

def steps(slice):
    slice.setLogDir("logs")
    slice.initializeLogger()
    slice.configureSlice()
    slice.initializeQueues()
    slice.initializeStages()
    slice.startStagesLoop()
"""


@pytest.fixture
def script(bench):
    """Runs a program in the bench's folder, behind the steps of a Slice."""

    def run(text):
        bench.module(STAGES)
        (bench.folder / "embed.py").write_text(STEPS + text)
        return subprocess.run(
            [sys.executable, "embed.py"], cwd=bench.folder, env=bench.environment(),
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    return run


SWEEP = 'failureStage: {\nname: "Sweep"\nparallelClass: "stages_here.%s"\n}'


@pytest.mark.contract("5.8.slice")
def test_a_rank_by_itself_runs_its_visits_to_the_end_of_the_data(bench, script):
    bench.policy("one - First", "two - Second", head="", tail=SWEEP % "Sweeps")
    done = script("""
slice = Slice("alone", "night.paf", "night", 4, "w1")
slice.setUniverseSize(7)
steps(slice)
slice.shutdown()
slice.shutdown()
print(slice.getRun(), slice.getRank(), slice.visits)
""")
    assert done.returncode == 0, done.stderr
    visit = "visit {} rank 4 of 7 run alone"
    second = "second 1e+06 ['image']"
    assert done.stdout.splitlines() == [
        visit.format(1), second, visit.format(2), "swept one on purpose", visit.format(3), second,
        visit.format(4), "shutdown one", "alone 4 4",
    ]  # fmt: skip
    log = (bench.folder / "logs" / "Slice4.log").read_text()
    assert "ValueError: on purpose" in log and "4 visits: no more datasets" in log
    assert "SLICEID: 4\n" in log and "workerid: w1\n" in log and "LOOPNUM: 4\n" in log


@pytest.mark.contract("5.8.slice")
def test_one_loop_is_one_visit_and_other_loops_may_be_bounded(bench, script):
    bench.policy("one - Second", "two - Second")
    done = script("""
once = Slice("once", "night.paf", rank=1)
steps(once)
once.shutdown()
text = open("night.paf").read().replace("oneloop", "endless")
open("night.paf", "w").write(text)
more = Slice("more", "night.paf", rank=0, max_visits=3)
steps(more)
more.shutdown()
from lsst.pex.harness.Pipeline import Pipeline
after = Pipeline("after", "night.paf", "night", max_visits=1)
after.run()
print(once.visits, more.visits, after.statistics.visits)
""")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 3 1\n"


@pytest.mark.contract("5.5.failing", "5.8.slice")
def test_a_failure_stage_that_raises_ends_the_loop(bench, script):
    bench.policy("one - Second", head="", tail=SWEEP % "Worse")
    done = script("""
from harness.errors import StageFailed
slice = Slice("bad", "night.paf", rank=0)
try:
    steps(slice)
except StageFailed as error:
    print(error)
slice.shutdown()
""")
    assert done.returncode == 0, done.stderr
    assert "failure stage 'Sweep' raised in slice 0, visit 1" in done.stdout


@pytest.mark.parametrize(
    ("more", "rank", "words"),
    [
        ("", -1, "expected a rank from 0 and below 2"),
        ("", 2, "(the universe of 3 has the Pipeline, too), saw 2"),
        ('appStage: {\nserialClass: "a.B"\neventTopic: "t"\n}', 0, "waits for an event"),
        ('appStage: {\nparallelClass: "stages_here.Nobody"\n}', 0, "Nobody"),
        (
            'shareDataOn: true\ntopology: {\ntype: "ring"\nparam1: "clockwise"\n}\n'
            'appStage: {\nname: "x"\nparallelClass: "stages_here.Second"\nshareData: true\n}',
            0,
            "stage 'x' exchanges with neighbours",
        ),
    ],
)
def test_what_a_rank_by_itself_cannot_do_is_refused(bench, script, more, rank, words):
    bench.policy("one - Second", tail=more)
    done = script(f"""
from harness.errors import ConfigError
try:
    steps(Slice("r", "night.paf", rank={rank}))
except ConfigError as error:
    print(error)
""")
    assert done.returncode == 0, done.stderr
    assert words in done.stdout


def test_beside_an_open_pipeline_and_out_of_order_it_is_refused(bench, script):
    bench.policy("one - Second")
    done = script("""
from lsst.pex.harness.Pipeline import Pipeline
from harness.errors import ConfigError, InternalError
for step in ("configureSlice", "initializeStages", "startStagesLoop"):
    try:
        getattr(Slice("r", "night.paf"), step)()
    except InternalError as error:
        print(error)
pipeline = Pipeline("open", "night.paf")
pipeline.initializeLogger()
pipeline.configurePipeline()
try:
    steps(Slice("r", "night.paf", rank=0))
except ConfigError as error:
    print(error)
pipeline.close()
""")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "initializeLogger() must be called first",
        "initializeQueues() must be called first",
        "initializeQueues() must be called first",
        "a pipeline is open in this process: close() it first",
    ]
