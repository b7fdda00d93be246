# SPDX-License-Identifier: BSD-3-Clause
"""Workers that die: a fresh one runs their slices' visit again, results are those of a run without deaths."""

import re
import sqlite3

import pytest
from invariants import Fault, held_up, unnamed

from .conftest import ONCE

LOST = 6

STAGES = ONCE + """
    def fate(stage, rank, visit):
        where = f"{stage}.{rank}.{visit}"
        for way, places in eval(os.environ["DEATHS"]).items():
            if where in places and once(f"died-{where}"):
                exec(way)

    class Give(SerialProcessing):
        visit = 0
        def preprocess(self, clipboard):
            self.visit += 1
            clipboard.put("visit", self.visit, True)
            clipboard.put("sky", np.arange(40000.0) * self.visit, True)

    class First(ParallelProcessing):
        def process(self, clipboard):
            fate("first", self.rank, clipboard.get("visit"))
            clipboard.put("sum", clipboard.get("sky") + self.rank, True)
            clipboard.put("private", [self.rank])

    class Meet(ParallelProcessing):
        def process(self, clipboard):
            visit = clipboard.get("visit")
            fate("before", self.rank, visit)
            left = (self.rank - 1) % (self.universeSize - 1)
            mean = (clipboard.get("sum") + clipboard.get(f"sum-{left}")) / 2
            fate("second", self.rank, visit)
            clipboard.put("mean", mean, True)

    class Collect(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("more", np.ones(30000), True)
        def postprocess(self, clipboard):
            sums = [float(value.sum()) for value in clipboard.gather("sum")]
            means = [float(value.sum()) for value in clipboard.gather("mean")]
            with open("results", "a") as out:
                out.write(f"{clipboard.get('visit')} {sums} {means}\\n")

    class Last(ParallelProcessing):
        def process(self, clipboard):
            visit = clipboard.get("visit")
            fate("last", self.rank, visit)
            clipboard.put("end", float(clipboard.get("mean").sum() + clipboard.get("private")[0]
                                       + clipboard.get("more").sum()), True)

    class Write(SerialProcessing):
        def postprocess(self, clipboard):
            ends = [clipboard.get(f"end-{rank}", None) for rank in range(self.universeSize - 1)]
            with open("results", "a") as out:
                out.write(f"{ends}\\n")

    class Sweep(ParallelProcessing):
        def process(self, clipboard):
            keys = ("failedInStage", "failedInStageN", "failureType", "failureMessage")
            open(f"swept-{self.rank}", "a").write(f"{[clipboard.get(key) for key in keys]}\\n")
            assert "died" in clipboard.get("failureTraceback")
"""
PIPELINE = ("first Give First", "meet - Meet:share", "collect Collect Last", "write Write -")
RING = 'shareDataOn: true\ntopology: {\n    type: "ring"\n    param1: "clockwise"\n}\n'
SWEEP = 'failureStage: {\n    name: "sweep"\n    parallelClass: "stages_here.Sweep"\n}\n'
RANKS, VISITS = 4, 3
KILL = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.fixture
def dying(bench, monkeypatch):
    """Four slices on two workers in three visits; `run(deaths)` maps what kills to stage.rank.visit."""
    bench.module(STAGES)

    def run(deaths: dict[str, list[str]], head: str = "", options: tuple[str, ...] = ()):
        monkeypatch.setenv("DEATHS", repr(deaths))
        (bench.folder / "results").unlink(missing_ok=True)
        bench.policy(*PIPELINE, slices=RANKS, head=head, tail=RING + SWEEP)
        return bench.run("--workers", "2", "--visits", str(VISITS), *options)

    return bench, run


def serial() -> str:
    """What the stages write, worked out in one process."""
    import numpy as np

    text = ""
    for visit in range(1, VISITS + 1):
        given = [np.arange(40000.0) * visit + rank for rank in range(RANKS)]
        means = [(given[rank] + given[(rank - 1) % RANKS]) / 2 for rank in range(RANKS)]
        text += f"{visit} {[float(x.sum()) for x in given]} {[float(x.sum()) for x in means]}\n"
        text += f"{[float(x.sum() + rank + 30000.0) for rank, x in enumerate(means)]}\n"
    return text


@pytest.mark.parametrize(
    ("way", "cause", "place"),
    [
        (KILL, "SIGKILL (signal 9)", "first.2.2"),
        (KILL, "SIGKILL (signal 9)", "second.3.1"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV (signal 11)", "second.1.1"),
        ("os.abort()", "SIGABRT (signal 6)", "before.0.2"),
        ("os.kill(os.getpid(), signal.SIGBUS)", "SIGBUS (signal 7)", "last.0.3"),
        ("os._exit(0)", "exit code 0", "last.2.1"),
    ],
)
def test_a_slice_that_kills_its_worker_once_is_replayed_and_results_are_those_of_a_serial_run(
    dying, way, cause, place
):
    bench, run = dying
    done = run({way: [place]})
    assert done.code == 0, done.err
    assert (bench.folder / "results").read_text() == serial()
    stage, rank, visit = place.split(".")
    for words in (f"worker {int(rank) % 2} (pid ", f"died of {cause}", "while it ran stage",
                  f"visit {visit} for rank {rank}", "(retry 1 of 1)"):  # fmt: skip
        assert words in done.log()
    (death,) = done.summary["deaths"]
    assert int(rank) in death["replayed"] and death["failed"] == [] and death["cause"].startswith(cause)
    assert done.summary["partial_visits"] == [] and done.summary["failures"] == []
    assert done.summary["arena"]["live_blocks"] == 0
    published = {row["key"]: row["items"] for row in done.summary["keys"] if row["direction"] == "up"}
    assert published == dict.fromkeys(("sum", "mean", "end"), RANKS * VISITS)
    assert not list(bench.folder.glob("swept-*"))
    number = {"first": 1, "before": 2, "second": 2, "last": 3}[stage]
    with sqlite3.connect(done.run_dir / "ledger.sqlite") as ledger:
        assert ledger.execute("SELECT rank, stage, cause, retried FROM failures").fetchall() == [
            (int(rank), number, "died", 1)
        ]
        assert ledger.execute("SELECT DISTINCT outcome FROM outcomes").fetchall() == [("done",)]
        retried = ledger.execute("SELECT visit, rank, stage, retries FROM outcomes WHERE retries > 0")
        assert retried.fetchall() == [(int(visit), int(rank), number, 1)]
        assert {state for (state,) in ledger.execute("SELECT state FROM visits")} == {"complete"}


def test_several_deaths_in_one_visit_and_of_all_workers_lose_nothing(dying):
    bench, run = dying
    done = run({KILL: ["first.0.1", "before.1.1", "second.2.1", "last.3.1", "first.1.2", "first.2.2"]})
    assert done.code == 0, done.err
    assert (bench.folder / "results").read_text() == serial()
    assert len(done.summary["deaths"]) == 6


def test_a_slice_whose_retries_are_used_up_fails_alone_and_the_exit_code_says_so(dying):
    bench, run = dying
    done = run({KILL: ["second.2.2"]}, head="sliceRetries: 0")
    assert done.code == LOST, done.err
    lines, expected = (bench.folder / "results").read_text().splitlines(), serial().splitlines()
    assert lines[:2] == expected[:2] and lines[4:] == expected[4:]
    ends, good = eval(lines[3]), eval(expected[3])
    # Without retries, rank 0, which had run on the same worker in this visit, has lost it, too.
    assert ends == [None, good[1], None, good[3]]
    assert done.summary["partial_visits"] == [2]
    swept = (bench.folder / "swept-2").read_text()
    assert "['meet', 2, \"<class 'harness.errors.SliceDied'>\", \"worker 0 (pid" in swept
    assert "died of SIGKILL (signal 9)" in swept
    assert "while it ran stage 'meet' of visit 2 for rank 2" in swept
    assert swept.count("\n") == 1
    assert done.summary["failures"] == [{"visit": 2, "stage": s, "rank": r} for s, r in ((2, 2), (3, 0))]


def test_a_slice_that_always_kills_its_worker_does_not_take_its_neighbours_along(dying, monkeypatch):
    bench, run = dying
    (bench.folder / "stages_here.py").write_text(
        (bench.folder / "stages_here.py").read_text().replace('once(f"died-{where}")', "True")
    )
    done = run({KILL: ["second.2.2"]}, head="sliceRetries: 2")
    assert done.code == LOST, done.err
    lines, expected = (bench.folder / "results").read_text().splitlines(), serial().splitlines()
    ends, good = eval(lines[3]), eval(expected[3])
    assert ends == [good[0], good[1], None, good[3]]
    assert lines[4:] == expected[4:]
    assert done.summary["failures"] == [{"visit": 2, "stage": 2, "rank": 2}]
    assert [death["failed"] for death in done.summary["deaths"]] == [[], [], [2]]
    assert unnamed(done.run_dir, [Fault(2, 2, 2, "SIGKILL (signal 9)")]) == []
    assert held_up(done.run_dir, VISITS, {(2, 2)}) == []
    assert "sliceRetries (2) are used up" in done.log()
    with sqlite3.connect(done.run_dir / "ledger.sqlite") as ledger:
        told = ledger.execute("SELECT rank, stage, cause, retried FROM failures").fetchall()
        assert told == [(2, 2, "died", 1), (2, 2, "died", 1), (2, 2, "died", 0)]
        assert ledger.execute("SELECT state FROM visits ORDER BY visit").fetchall()[1] == ("partial",)
        outcome = "SELECT outcome FROM outcomes WHERE visit = 2 AND rank = 2 ORDER BY stage"
        assert [row[0] for row in ledger.execute(outcome)] == ["done", "failed", "skipped", "skipped"]


def test_on_slice_failure_run_ends_the_run_at_once(dying):
    bench, run = dying
    done = run({KILL: ["second.2.2"]}, head='sliceRetries: 0\nonSliceFailure: "run"')
    assert done.code == 3
    assert "rank 2" in done.err and "SIGKILL" in done.err and done.err.count("\n") == 1
    assert len((bench.folder / "results").read_text().splitlines()) == 2


def test_a_failure_stage_that_kills_its_worker_is_not_run_again(dying):
    bench, run = dying
    (bench.folder / "stages_here.py").write_text(
        (bench.folder / "stages_here.py").read_text().replace("keys = (", f"{KILL}; keys = (")
    )
    done = run({KILL: ["second.2.2"]}, head="sliceRetries: 0")
    assert done.code == LOST, done.err
    assert "rank 2 is skipped: its failure stage has died, too" in done.log()
    assert (bench.folder / "results").read_text().splitlines()[4:] == serial().splitlines()[4:]


@pytest.fixture
def recording(bench):
    """Stage 1 records an output, stage 2 kills its worker once, the failure stage records; `run(head)`."""
    bench.module(f"""
    def write(stage, name):
        open(name, "w").write("x")
        stage.log.info(f"writes {{name}}")
        harness.record_output(name)

    class Writes(ParallelProcessing):
        def process(self, clipboard):
            write(self, "written")

    class Dies(ParallelProcessing):
        def process(self, clipboard):
            if not os.path.exists("died"):
                open("died", "w").close()
                {KILL}

    class Sweep(ParallelProcessing):
        def process(self, clipboard):
            write(self, "swept")
    """)

    def run(head: str):
        bench.policy("writes - Writes", "dies - Dies", slices=1, head=head, tail=SWEEP)
        return bench.run("--visits", "1")

    return run


def outputs_of(done) -> list[tuple]:
    with sqlite3.connect(done.run_dir / "ledger.sqlite") as ledger:
        rows = ledger.execute("SELECT path, visit, rank, stage FROM outputs ORDER BY output").fetchall()
    return [(path.rpartition("/")[2], *rest) for path, *rest in rows]


def stage_ids(done, words: str) -> list[str]:
    records = [part for part in done.log("Slice0").split("\n\n") if words in part]
    return [re.search(r"STAGEID: (\d+)", part)[1] for part in records]


def test_what_a_replay_writes_and_logs_again_belongs_to_its_stage(recording):
    done = recording("")
    assert done.code == 0, done.err
    assert outputs_of(done) == [("written", 1, 0, 1)]
    assert stage_ids(done, "writes written") == ["1", "1"]


def test_what_the_failure_stage_of_a_dead_slice_writes_belongs_to_the_stage_that_died(recording):
    done = recording("sliceRetries: 0")
    assert done.code == LOST, done.err
    assert outputs_of(done) == [("written", 1, 0, 1), ("swept", 1, 0, 2)]
    assert stage_ids(done, "writes swept") == ["2"]
