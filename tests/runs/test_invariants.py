# SPDX-License-Identifier: BSD-3-Clause
"""Checks of invariants pass on the harness as it is, and fail where the defence is taken out of it.

Of causes that are named, of others that go on, and of what a resumed run recomputes; docs/design/faults.md
says where the other invariants are shown to fire.
"""

import signal
import sys
from pathlib import Path

import pytest
from invariants import Fault, held_up, misjudged, proven, unnamed

from .conftest import ONCE

WITHOUT = Path(__file__).parent / "samples" / "without_defence.py"
LOST = 6


@pytest.fixture
def without(bench, monkeypatch):
    """`without(name)` has runs of the bench lack that defence from here on; empty: none."""
    whole = bench.command

    def command(name: str, options: tuple[str, ...]) -> list[str]:
        words = whole(*options)
        assert words[:3] == [sys.executable, "-m", "harness.cli.main"]
        return [sys.executable, str(WITHOUT), name, *words[3:]] if name else words

    def remove(name: str) -> None:
        monkeypatch.setattr(bench, "command", lambda *options, **more: command(name, options))

    return remove


def require_seen(words: str, wrong: list[str]) -> None:
    """That a check has told of a breach in these words; where there are none, that it has told of nothing."""
    if words:
        assert any(words in line for line in wrong), wrong
    else:
        assert wrong == []


# --- the cause is named

FAULTS = ONCE + """
    class First(ParallelProcessing):
        def process(self, clipboard):
            if (harness.current_visit(), self.rank) == (1, 0):
                raise ValueError("no sky above")

    class Second(ParallelProcessing):
        def process(self, clipboard):
            visit = harness.current_visit()
            if (visit, self.rank) == (2, 1) and once("died"):
                os.kill(os.getpid(), signal.SIGSEGV)

    class Third(ParallelProcessing):
        def process(self, clipboard):
            if (harness.current_visit(), self.rank) == (3, 0) and once("hung"):
                time.sleep(600)
"""
DEATHS = [
    Fault(2, 2, 1, "SIGSEGV (signal 11)"),
    Fault(3, 3, 0, "a stageTimeout of 1 s, after which it was killed"),
]
RAISED = [Fault(1, 1, 0, "ValueError: no sky above")]


@pytest.mark.parametrize(
    ("defence", "seen"),
    [
        ("", ""),
        ("signals_have_no_names", "no death in the summary is Fault(visit=2, stage=2, rank=1"),
        ("nobody_ran_when_a_worker_died", "no line of the log names Fault(visit=2, stage=2, rank=1"),
        ("late_workers_are_dead_ones", "no death in the summary is Fault(visit=3, stage=3, rank=0"),
        ("what_was_raised_is_not_kept", "no failure in the ledger is Fault(visit=1, stage=1, rank=0"),
    ],
)
def test_without_what_names_a_cause_it_is_seen_to_be_unnamed(bench, without, defence, seen):
    bench.module(FAULTS)
    # On a busy machine others may be late in the third stage, too.
    path = bench.policy("first - First", "second - Second", "third - Third", head="sliceRetries: 9")
    path.write_text(path.read_text().replace('.Third"', '.Third"\n    stageTimeout: 1.0'))
    without(defence)
    done = bench.run("--workers", "2", "--visits", "3")
    assert done.code in (0, LOST), done.err
    require_seen(seen, unnamed(bench.run_dir, DEATHS, RAISED))


# --- others go on

KILLS = """
    class Meet(SerialProcessing):
        def postprocess(self, clipboard):
            clipboard.gather("none")

    class First(ParallelProcessing):
        def process(self, clipboard):
            if (harness.current_visit(), self.rank) == (1, 1):
                raise ValueError("no sky above")

    class Second(ParallelProcessing):
        def process(self, clipboard):
            if (harness.current_visit(), self.rank) == (2, 2):
                os.kill(os.getpid(), signal.SIGKILL)

    class Third(ParallelProcessing):
        def process(self, clipboard):
            visit = harness.current_visit()
            with open(f"out-{visit}-{self.rank}", "w") as out:
                out.write(f"{visit * self.rank}")
"""
CONCERNED = {(1, 1), (2, 2)}
SLICES, VISITS = 4, 3


def held_up_or_wrong(bench) -> list[str]:
    """As `held_up`; and what the others have written is what one process would have."""
    wrong = held_up(bench.run_dir, VISITS, CONCERNED)
    for visit in range(1, VISITS + 1):
        for rank in range(SLICES):
            file = bench.folder / f"out-{visit}-{rank}"
            right = file.exists() and file.read_text() == str(visit * rank)
            if not right and (visit, rank) not in CONCERNED:
                wrong.append(f"{file.name} is missing or wrong")
    return wrong


@pytest.mark.parametrize(
    ("defence", "seen"),
    [
        ("", ""),
        ("a_death_is_everybodys", "visit 2, rank 0: stage 3 is not done"),
        ("a_failed_slice_ends_the_run", "visit 3 is not begun"),
        ("nothing_contains_an_exception", "visit 3 is not begun"),
    ],
)
def test_without_what_contains_a_failure_others_are_seen_to_be_held_up(bench, without, defence, seen):
    bench.module(KILLS)
    # All meet before and behind the stage in which one dies: every rank has done something, and is to go on.
    stages = ("first Meet First", "second Meet Second", "third - Third")
    bench.policy(*stages, slices=SLICES, head='onSliceFailure: "visit"')
    without(defence)
    bench.run("--workers", "2", "--visits", str(VISITS))
    require_seen(seen, held_up_or_wrong(bench))


# --- what is proven complete does not run again, everything else does

NIGHT = """
    class Write(ParallelProcessing):
        def process(self, clipboard):
            visit = harness.current_visit()
            with open("calls", "a") as out:
                out.write(f"{visit}\\n")
            self.write(f"out-{visit}-{self.rank}", f"{visit * self.rank}")
            if visit in (2, 5) and self.rank == 1:
                self.write("newest", str(visit))
            if visit == 2 and self.rank == 0 and os.path.exists("fail"):
                raise ValueError("after writing")
            if visit == 8 and os.path.exists("hold"):
                open("held", "w").close()
                time.sleep(600)

        def write(self, name, text):
            with open(name, "w") as out:
                out.write(text)
            harness.record_output(name)
"""
ASKED = 9
TRUSTED = {1, 6, 7}
"""Of visits 1 to 8, of which 2 failed, 3 has lost a file, in 4 one was changed, 5 wrote over one of 2, and 8
was broken off."""


def break_off(bench) -> None:
    """A night whose master is killed in visit 8, and what became of its files."""
    bench.module(NIGHT)
    bench.policy("write - Write", head="")
    for name in ("fail", "hold"):
        (bench.folder / name).touch()
    process = bench.start("--workers", "2", "--visits", str(ASKED))
    bench.wait_until((bench.folder / "held").exists, "visit 8", timeout=60.0)
    process.send_signal(signal.SIGKILL)
    assert bench.finish(process).code == -signal.SIGKILL
    bench.wait_until(lambda: not bench.processes(), "the workers to follow")
    for name in ("fail", "hold", "calls", "out-3-1"):
        (bench.folder / name).unlink()
    (bench.folder / "out-4-0").write_text("1")
    # That visit 5 must follow visit 2 is told by no file yet.
    assert proven(bench.run_dir) == TRUSTED | {5}


@pytest.mark.parametrize(
    ("defence", "seen"),
    [
        ("", ""),
        ("nothing_is_proven", "visit 1 is proven complete, and has run again"),
        ("what_has_begun_is_proven", "visit 2 is not proven complete, and was left out"),
        ("outputs_are_not_looked_at", "visit 3 is not proven complete, and was left out"),
        ("who_wrote_over_a_file_does_not_follow", "visit 5 is not proven complete, and was left out"),
    ],
)
def test_without_what_proves_a_visit_complete_a_resume_is_seen_to_misjudge(bench, without, defence, seen):
    break_off(bench)
    without(defence)
    done = bench.run("--workers", "2", "--visits", str(ASKED), "--resume")
    assert done.code == 0, done.err
    called = {int(line) for line in (bench.folder / "calls").read_text().split()}
    require_seen(seen, misjudged(ASKED, TRUSTED, called))
    if not defence:
        assert proven(bench.run_dir) == set(range(1, ASKED + 1))
        assert (bench.folder / "newest").read_text() == "5"
        for visit in range(1, ASKED + 1):
            texts = [(bench.folder / f"out-{visit}-{rank}").read_text() for rank in (0, 1)]
            assert texts == ["0", str(visit)]
