# SPDX-License-Identifier: BSD-3-Clause
"""Steps in which nothing special is on take a shorter way through the harness: it must not be seen.

A run that logs everything takes the long way in every step, a silent one the short way wherever it can, and
so does one that marks steps as runs do unless they are told otherwise.
"""

from __future__ import annotations

import re
import textwrap

import pytest
from harness._steps import HalfState
from harness.runtime.halves.master import MasterHalf
from harness.runtime.halves.slice import SliceHalf

NOTES = """
    def keys(clipboard):
        return clipboard and sorted(clipboard.keys())

    def note(stage, text):
        with open(f"journal{stage.rank}", "a") as journal:
            journal.write(f"{stage.getName()} {text}\\n")

    class Serial(SerialProcessing):
        def preprocess(self, clipboard):
            note(self, "pre " + repr(keys(clipboard)))
        def postprocess(self, clipboard):
            note(self, "post " + repr(keys(clipboard)))

    class Parallel(ParallelProcessing):
        def process(self, clipboard):
            note(self, "process " + repr(keys(clipboard)))
"""

HARMLESS = """
    class Installed(Parallel):
        def setup(self):
            self.process = lambda clipboard: note(self, "own")

    class Around(Parallel):
        def applyProcess(self):
            note(self, "before")
            super().applyProcess()
            note(self, "after")

    class Replaced(Parallel):
        def process(self, clipboard):
            clipboard.put("once", 1)
            self.applyProcess = lambda: (note(self, "replaced"), super(Replaced, self).applyProcess())

    class Looks(Parallel):
        def process(self, clipboard):
            clipboard.put("is head", clipboard is self.inputQueue.element())

    class Publishes(Parallel):
        def process(self, clipboard):
            clipboard.put("up", np.arange(20000) + self.rank, True)

    class Copies(Parallel):
        def process(self, clipboard):
            clipboard.put("mine", clipboard.take("down"))

    class Forks(Parallel):
        def process(self, clipboard):
            if os.fork() == 0:
                return
            os.wait()

    class ForksAndRaises(Parallel):
        def process(self, clipboard):
            if os.fork() == 0:
                raise ValueError("child")
            os.wait()

    class Other(Parallel):
        def applyProcess(self):
            from lsst.pex.harness.Clipboard import Clipboard
            self.inputQueue.getNextDataset()
            other = Clipboard()
            other.put("other", 1)
            self.outputQueue.addDataset(other)

    class Swallows(Parallel):
        def applyProcess(self):
            self.inputQueue.getNextDataset()
"""

HARMLESS_SERIAL = """
    class Installed(Serial):
        def setup(self):
            self.preprocess = lambda clipboard: note(self, "own")

    class Alone(SerialProcessing):
        def postprocess(self, clipboard):
            note(self, "post alone")

    class Around(Serial):
        def applyPreprocess(self):
            note(self, "before")
            return super().applyPreprocess()
        def applyPostprocess(self, queue):
            note(self, f"after {queue.size()}")
            super().applyPostprocess(queue)

    class Publishes(Serial):
        def preprocess(self, clipboard):
            clipboard.put("down2", np.arange(20000), True)
        def postprocess(self, clipboard):
            clipboard.put("down3", "small", True)

    class Forks(Serial):
        def preprocess(self, clipboard):
            if os.fork() == 0:
                return
            os.wait()
        def postprocess(self, clipboard):
            if os.fork() == 0:
                raise ValueError("child")
            os.wait()

    class Swallows(Serial):
        def applyPostprocess(self, queue):
            queue.getNextDataset()
"""

FAILING = {
    "process": """
        class Odd(Parallel):
            def process(self, clipboard):
                clipboard.put("before", 1)
                if self.rank == 1:
                    raise KeyError("odd")

        class Odder(Parallel):
            def process(self, clipboard):
                raise GeneratorExit("odder")

        SerialOdd = Serial
    """,
    "preprocess": """
        class SerialOdd(Serial):
            def preprocess(self, clipboard):
                clipboard.put("before", 1)
                raise KeyError("odd")

        Odd = Odder = Parallel
    """,
    "postprocess": """
        class SerialOdd(Serial):
            def postprocess(self, clipboard):
                clipboard.put("before", 1)
                raise KeyError("odd")

        Odd = Odder = Parallel
    """,
    "neither method": """
        class SerialOdd(SerialProcessing):
            pass

        Odd = Odder = Parallel
    """,
}

FAILURE = """
    class FailSerial(SerialProcessing):
        def preprocess(self, clipboard):
            note(self, "failed " + clipboard.get("failureMessage") + repr(keys(clipboard)))
        def postprocess(self, clipboard):
            note(self, "after: " + clipboard.get("failureMessage") + repr(keys(clipboard)))

    class FailParallel(ParallelProcessing):
        def process(self, clipboard):
            note(self, "failed " + clipboard.get("failureMessage") + repr(keys(clipboard)))

    class Down(Serial):
        def preprocess(self, clipboard):
            clipboard.put("down", np.arange(10000), True)
"""

FAILURE_POLICY = """
    failureStage: {
        name: "failure"
        serialClass: "stages_here.FailSerial"
        parallelClass: "stages_here.FailParallel"
    }
"""


def together(*texts: str) -> str:
    """One module of several texts, each indented as it stands here."""
    return "".join(textwrap.dedent(text) for text in texts)


def traces(bench, verbosity: str) -> dict[str, object]:
    """What a run of two visits leaves that does not depend on times and thresholds."""
    run_dir = bench.folder / verbosity
    bench.run_dir = run_dir
    for journal in bench.folder.glob("journal*"):
        journal.unlink()
    done = bench.run("--visits", "2", "-L", verbosity)
    assert (done.run_dir / "summary.json").exists(), done.err
    summary = done.summary
    return {
        "code": done.code,
        "journals": {path.name: path.read_text() for path in sorted(bench.folder.glob("journal*"))},
        "visits": summary["visits"],
        "failures": summary["failures"],
        "partial": summary["partial_visits"],
        "deaths": summary["deaths"],
        "counts": [(row["name"], row["step"], row["count"], row["raised"]) for row in summary["stages"]],
        "bytes": [(row["bytes_copied"], row["bytes_shared"]) for row in summary["stages"]],
        "keys": summary["keys"],
    }


VARYING = re.compile(r"(?m)^ +(?:DATE|TIMESTAMP|\w+time|m..flt): .*\n|\d+\.\d{4}|\d+ kB")


def told(bench, verbosity: str) -> dict[str, list[str]]:
    """What a run tells of its steps, by log: marks and whatever is more important, without times and usage.

    Of what a stage has raised it is the first line only: a traceback shows the way.
    """
    found = {}
    for path in sorted((bench.folder / verbosity / "log").glob("*.log")):
        records = re.findall(r"(?s)(.*?\n +DATE: [^\n]*\n)\n", path.read_text())
        levels = [int(re.findall(r"(?m)^ +LEVEL: (.*)$", record)[-1]) for record in records]
        of_steps = [
            VARYING.sub("", record)
            for record, level in zip(records, levels, strict=True)
            if level >= -1 and re.search(r"(?m)^ +STAGEID: ", record)
        ]
        found[path.name] = [re.sub(r"(?s)Traceback.*(?=\n  PIPELINE)", "", record) for record in of_steps]
    return found


def compare(bench, *stages: str) -> dict[str, object]:
    """Runs the short ways and the long way; all must leave the same, which is returned."""
    bench.policy(*stages, head="", tail=FAILURE_POLICY)
    short, marked, long = (traces(bench, verbosity) for verbosity in ("silent", "trace", "debug"))
    assert short == marked == long
    assert short["journals"], "a run in which nothing has happened proves nothing"
    short_records, long_records = told(bench, "trace"), told(bench, "debug")
    assert short_records == long_records and len(short_records["Slice1.log"]) > 5
    return short


def classes(text: str) -> list[str]:
    """The names of the classes in a text, in order."""
    return re.findall(r"class (\w+)", text)


def test_odd_parallel_halves_do_the_same_whatever_way_they_take(bench):
    bench.module(together(NOTES, FAILURE, HARMLESS))
    stages = [
        text
        for name in classes(HARMLESS)
        for text in (f"{name} Serial {name}", f"plain{name} - Parallel")
    ]
    found = compare(bench, "first Down Parallel", *stages)
    assert found["code"] == 0 and not found["failures"] and found["visits"] == 2


def test_odd_serial_halves_do_the_same_whatever_way_they_take(bench):
    bench.module(together(NOTES, FAILURE, HARMLESS_SERIAL))
    stages = [
        text
        for name in classes(HARMLESS_SERIAL)
        for text in (f"{name} {name} Parallel", f"plain{name} Serial -")
    ]
    found = compare(bench, "first Serial Parallel", *stages)
    assert found["code"] == 0 and not found["failures"] and found["visits"] == 2


@pytest.mark.contract("5.5.serial", "5.5.slice")
@pytest.mark.parametrize("where", FAILING)
def test_a_stage_that_raises_does_the_same_whatever_way_it_takes(bench, where):
    bench.module(together(NOTES, FAILURE, FAILING[where]))
    found = compare(
        bench, "first Down Parallel", "second SerialOdd Odd", "third Serial Odder", "fourth Serial Parallel"
    )
    assert sum(raised for *_, raised in found["counts"]) == (4 if where == "process" else 2)
    failed = "".join(found["journals"].values())
    assert re.search("failure (failed|after)", failed)
    assert (where == "neither method") == ("'before'" not in failed)


ARRAYS = """
    def tell(stage, clipboard, *names):
        for name in names:
            value = clipboard.get(name)
            if isinstance(value, np.ndarray):
                value = value.dtype.str, value.shape, value.strides, value.flags.writeable, float(value.sum())
            note(stage, f"{name}: {value}")

    class Down(Serial):
        def setup(self):
            self.private = np.arange(20000.0)
        def preprocess(self, clipboard):
            number = clipboard.get("number", 0) + 1
            born = np.arange(20000) * number
            clipboard.put("born", born, True)
            clipboard.put("turned", born.reshape(100, 200).T[::-1], True)
            if self.getName() != "plain":
                clipboard.put("private", self.private, True)
                clipboard.put("the same", self.private, True)
                clipboard.put("gaps", self.private[::2], True)
                clipboard.put("text", "small", True)
                clipboard.put("cut-out", born[:200], True)
            clipboard.put("number", number, self.getName() == "mixed")
        def postprocess(self, clipboard):
            tell(self, clipboard, "born", "turned", "private")
            for name in ("born", "sent on", "private up", "taken"):
                for value in clipboard.gather(name):
                    note(self, f"{name}: {value.dtype} {value.flags.writeable} {float(value.sum())}")

    class Up(Parallel):
        def setup(self):
            self.private = np.arange(30000.0)
        def process(self, clipboard):
            tell(self, clipboard, "born", "turned", "private", "the same", "gaps", "text", "cut-out")
            tell(self, clipboard, "number")
            clipboard.put("born", np.arange(20000) + self.rank, True)
            clipboard.put("sent on", clipboard.get("turned"), True)
            if self.getName() == "private":
                clipboard.put("private up", self.private, True)
                clipboard.put("the same up", self.private, True)
            if self.getName() == "raises" and self.rank == 1:
                raise KeyError("behind what has come, before what is to go")
            if self.getName() == "ends":
                clipboard.put("noMoreDatasets", True)

    class Takes(Parallel):
        def process(self, clipboard):
            taken = clipboard.take("born")
            taken += 1
            clipboard.put("taken", taken, True)
            try:
                clipboard.take("turned", copy=False)
            except Exception as error:
                note(self, f"{type(error).__name__}: {error}")
            try:
                clipboard.get("turned")[0, 0] = 1
            except ValueError as error:
                note(self, str(error))
"""


@pytest.mark.parametrize("last", ["Up", "raises", "ends"])
def test_arrays_cross_as_they_do_whatever_way_they_take(bench, last):
    bench.module(together(NOTES, FAILURE, ARRAYS))
    stages = [f"{name} Down Up" for name in ("plain", "private", "mixed", "plain")]
    found = compare(bench, *stages, "takes Down Takes", f"{last} Down Up", "after Serial Parallel")
    assert found["visits"] == (1 if last == "ends" else 2)
    crossed = {(row["name"], row["direction"], row["key"]): row for row in found["keys"]}
    assert not crossed["plain", "down", "born"]["bytes_copied"]
    assert crossed["private", "down", "private"]["bytes_copied"]
    told = "".join(found["journals"].values())
    assert "born: int64 False" in told and "taken: int64 False" in told and "are handed over" not in told


def test_the_end_of_the_data_is_seen_whatever_way_it_takes(bench):
    bench.module(together(NOTES, FAILURE, """
        class Ends(Parallel):
            def process(self, clipboard):
                clipboard.put("noMoreDatasets", True)
    """))
    found = compare(bench, "first Serial Parallel", "second Serial Ends", "third Serial Parallel")
    assert found["visits"] == 1 and "third" not in "".join(found["journals"].values())


def test_a_threshold_that_a_stage_changes_holds_from_the_next_step_on(bench):
    bench.module("""
    class Change(ParallelProcessing):
        def process(self, clipboard):
            self.log.setThreshold({"loud": -10, "quiet": 10}.get(self.getName(), self.log.getThreshold()))
    """)
    names = ("one", "loud", "two", "quiet", "three")
    bench.policy(*[f"{name} - Change" for name in names], slices=1)
    done = bench.run("-L", "silent")
    assert done.code == 0, done.err
    log = done.log("Slice0")
    # A stage's line stands before its methods run, and what follows is told at the threshold of that moment.
    assert re.findall(r"stage \d (\w+), error flag", log) == ["two", "quiet"]
    assert re.findall(r"arrives behind stage (\d)", log) == ["3"]


def test_a_log_that_a_stage_has_changed_is_used_as_it_is_from_the_next_step_on(bench):
    bench.module("""
    class Listens(ParallelProcessing):
        def process(self, clipboard):
            if self.getName() == "two":
                half = self.log
                self.log.info = lambda message, properties=None: type(half).info(half, f"heard: {message}")
            elif self.getName() == "four":
                del self.log.info
                self.log.setPreamblePropertyString("exposure", "17")
    """)
    names = ("one", "two", "three", "four", "five")
    bench.policy(*[f"{name} - Listens" for name in names], slices=1)
    done = bench.run("-L", "trace", "--visits", "1")
    assert done.code == 0, done.err
    log = done.log("Slice0")
    assert re.findall(r"(heard: )?stage \d (\w+), error flag 0", log) == [
        ("", "one"), ("", "two"), ("heard: ", "three"), ("heard: ", "four"), ("", "five"),
    ]  # fmt: skip
    marks = re.findall(r"(Starting|Ending) stage (\w+)\n(?:   .*\n)*?(   exposure: 17\n)?   LOOPNUM", log)
    assert [name for _, name, exposure in marks if exposure] == ["four", "five", "five"]


def test_what_a_stage_logs_has_its_numbers(bench):
    bench.module("""
    class Warns(ParallelProcessing):
        def process(self, clipboard):
            self.log.warn(f"from {self.getName()}")
    """)
    bench.policy("one - Warns", "two - Warns", "three - Warns", head="")
    done = bench.run("-L", "quiet", "--visits", "2")
    assert done.code == 0, done.err
    found = re.findall(r"from (\w+)\n(?:.*\n)*?  LOOPNUM: (\d)\n  STAGEID: (\d)\n", done.log("Slice1"))
    names = ("one", "two", "three")
    assert found == [(name, visit, str(1 + names.index(name))) for visit in "12" for name in names]


def test_what_stages_print_is_marked_as_theirs(bench):
    bench.stage_output = "file"
    bench.module("""
    class Prints(ParallelProcessing):
        def process(self, clipboard):
            if self.getName() == "two":
                print("hello", flush=True)
            elif self.getName() == "three":
                os.write(1, b"from below\\n")
    """)
    bench.policy("one - Prints", "two - Prints", "three - Prints", "four - Prints", slices=1)
    done = bench.run("-L", "silent")
    assert done.code == 0, done.err
    text = (done.run_dir / "log" / "Worker0.out").read_text()
    assert "hello\n--- 6 bytes above: slice 0, visit 1, stage 2 two ---\n" in text
    assert "from below\n--- 11 bytes above: slice 0, visit 1, stage 3 three ---\n" in text
    assert "one" not in text and "four" not in text


@pytest.mark.parametrize("half", [MasterHalf, SliceHalf])
def test_no_half_hides_what_the_compiled_steps_look_at(half):
    for name in vars(HalfState):
        if not name.startswith("__"):
            assert getattr(half, name) is getattr(HalfState, name), name
