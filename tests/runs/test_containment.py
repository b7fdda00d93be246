# SPDX-License-Identifier: BSD-3-Clause
"""The error flow at its edges: clipboards that hold nothing, exceptions that can't be told."""

import pytest

STAGES = """
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    class Unpicklable(Exception):
        def __reduce__(self):
            raise TypeError("never to be pickled")

    class Bare(BaseException):
        pass

    def recurse():
        recurse()

    def fail():
        if os.environ["HOW"] == "recursion":
            recurse()
        held = ValueError("holds a lock")
        held.lock = __import__("threading").Lock()
        errors = {"plain": ValueError("x"), "mute": Mute(), "surrogate": ValueError("a\\udcffb"),
                  "unpicklable": Unpicklable("odd"), "held": held, "bare": Bare("from below")}
        raise errors[os.environ["HOW"]]

    class FailsAtOnce(SerialProcessing):
        def preprocess(self, clipboard):
            if os.environ["WHERE"] == "preprocess":
                fail()
        def postprocess(self, clipboard):
            if os.environ["WHERE"] == "postprocess":
                fail()

    class FailsInSlices(ParallelProcessing):
        def process(self, clipboard):
            if os.environ["WHERE"] == "process":
                fail()

    def tell(clipboard):
        with open("failed", "a") as out:
            out.write(f"{clipboard.get('failedInStage')}: {clipboard.get('failureMessage')!r}\\n")

    class SweepSerial(SerialProcessing):
        def preprocess(self, clipboard):
            tell(clipboard)
        def postprocess(self, clipboard):
            tell(clipboard)

    class Sweep(ParallelProcessing):
        def process(self, clipboard):
            tell(clipboard)
"""

FAILURE_STAGE = """
failureStage: {
    name: "sweep"
    serialClass: "stages_here.SweepSerial"
    parallelClass: "stages_here.Sweep"
}
"""


@pytest.fixture
def run(bench, monkeypatch):
    """Runs one visit of a stage that raises `how` in half-step `where`; gives the run and what was told."""
    bench.module(STAGES)
    bench.policy("bad FailsAtOnce FailsInSlices", slices=1, tail=FAILURE_STAGE)

    def run(where: str, how: str):
        monkeypatch.setenv("WHERE", where)
        monkeypatch.setenv("HOW", how)
        done = bench.run()
        assert done.code == 0, done.err
        return done, (bench.folder / "failed").read_text()

    return run


@pytest.mark.contract("5.5.keys")
@pytest.mark.parametrize("where", ["preprocess", "process", "postprocess"])
def test_a_failed_clipboard_that_holds_nothing_still_reaches_the_failure_stage(run, where):
    assert run(where, "plain")[1] == "bad: 'x'\n"


@pytest.mark.parametrize("where", ["preprocess", "process"])
def test_an_exception_whose_text_raises_is_contained_like_any_other(run, where):
    assert run(where, "mute")[1] == "bad: '(no message: Mute.__str__ raised RuntimeError)'\n"


def test_an_exception_text_that_is_no_unicode_is_contained_and_reported(run):
    done, told = run("process", "surrogate")
    assert told == "bad: 'a\\udcffb'\n"
    assert "slice 0 failed in visit 1: stage 'bad': ValueError: a?b" in done.err


@pytest.mark.parametrize("where", ["preprocess", "process", "postprocess"])
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("unpicklable", "bad: 'odd'\n"),
        ("held", "bad: 'holds a lock'\n"),
        ("recursion", "bad: 'maximum recursion depth exceeded"),
        ("bare", "bad: 'from below'\n"),
    ],
)
def test_an_exception_of_whatever_kind_is_contained_and_told(run, where, how, told):
    assert run(where, how)[1].startswith(told)
