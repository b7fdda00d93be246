# SPDX-License-Identifier: BSD-3-Clause
"""The logs of a run: whole records of every process, of killed ones too, floods, other libraries, output."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import pytest

TEXT = re.compile(r"^ *harness\.slice[\w.]*(?: [A-Z]+)?: (.*)$", re.MULTILINE)


NO_RETRY = 'executionMode: "oneloop"\nsliceRetries: 0\nonSliceFailure: "run"'


def texts(log: str) -> list[str]:
    """The texts of a slice log, in order."""
    return TEXT.findall(log)


def records(log: str) -> list[str]:
    """The records of a verbose log."""
    return log.split("\n\n")[:-1]


@pytest.mark.contract("13.8.attached", "13.8.preamble")
def test_records_carry_run_rank_visit_and_stage_and_what_a_stage_attaches(bench):
    bench.module("""
    class Attach(ParallelProcessing):
        def process(self, clipboard):
            self.log.setPreambleProperty("exposure", 100 + self.rank)
    class Tell(ParallelProcessing):
        def process(self, clipboard):
            self.log.info("later")
    """)
    bench.policy("one - Attach", "two - Tell")
    done = bench.run("--visits", "1")
    assert done.code == 0, done.err
    for rank in (0, 1):
        (record,) = [record for record in records(done.log(f"Slice{rank}")) if ": later" in record]
        expected = [
            "harness.slice: later",
            "  PIPELINE: night", "  workerid: -1", "  RUNID: r1", f"  SLICEID: {rank}",
            f"  exposure: {100 + rank}", "  LOOPNUM: 1", "  STAGEID: 2", "  LEVEL: 0",
        ]  # fmt: skip
        assert record.splitlines()[:9] == expected


@pytest.mark.contract("13.8.blocks", "17.60")
def test_visits_stages_and_half_steps_are_blocks_with_usage(bench):
    bench.module("""
    class Both(SerialProcessing):
        def preprocess(self, clipboard):
            pass
    class Work(ParallelProcessing):
        def setup(self):
            self.log.traceBlock("mine").done()
        def process(self, clipboard):
            self.log.setPreambleProperty("exposure", 7)
    """)
    bench.policy("isr Both Work", slices=1)
    done = bench.run("-L", "verb2")
    assert done.code == 0, done.err
    marks = re.compile(r"^ *(harness[\w.]+) DEBUG: (Starting|Ending) (.*)$", re.MULTILINE)
    assert marks.findall(done.log("Slice0")) == [
        ("harness.slice.mine", "Starting", "mine"),
        ("harness.slice.mine", "Ending", "mine"),
        ("harness.slice.visit", "Starting", "visit 1"),
        ("harness.slice.visit.stage", "Starting", "stage isr"),
        ("harness.slice.visit.stage.process", "Starting", "isr.process"),
        ("harness.slice.visit.stage.process", "Ending", "isr.process"),
        ("harness.slice.visit.stage", "Ending", "stage isr"),
        ("harness.slice.visit", "Ending", "visit 1"),
    ]
    assert [name for name, _, _ in marks.findall(done.log())] == [
        "harness.pipeline.visit",
        "harness.pipeline.visit.stage",
        "harness.pipeline.visit.stage.preprocess", "harness.pipeline.visit.stage.preprocess",
        "harness.pipeline.visit.stage.postprocess", "harness.pipeline.visit.stage.postprocess",
        "harness.pipeline.visit.stage",
        "harness.pipeline.visit",
    ]  # fmt: skip
    end = next(record for record in records(done.log("Slice0")) if "Ending stage isr" in record)
    for line in ("exposure: 7", "LOOPNUM: 1", "STAGEID: 1", "STATUS: end", "stagename: isr"):
        assert f"\n   {line}\n" in end
    assert all(f"\n   {name}: " in end for name in ("usertime", "systemtime", "minflt", "majflt"))


def test_stages_get_a_log_that_is_told_in_importance_and_in_verbosity_and_times_blocks(bench):
    bench.module("""
    from harness.log import Debug
    Debug.default_max_debug = 10
    class Tell(SerialProcessing):
        def preprocess(self, clipboard):
            self.log.debug(1, "in verbosity")
            self.log.debug(2, "too much")
            self.log.traceBlock("warp").done()
    class Work(ParallelProcessing):
        preprocess = process = Tell.preprocess
    """)
    bench.policy("one Tell Work", slices=1)
    done = bench.run()
    assert done.code == 0, done.err
    for name, log in (("pipeline", done.log()), ("slice", done.log("Slice0"))):
        assert f"\n harness.{name} DEBUG: in verbosity\n" in log and "too much" not in log
        assert f"\n harness.{name}.warp DEBUG: Ending warp\n" in log
        assert "usertime: " in log.split("Ending warp")[1].split("\n\n")[0]


def test_what_a_killed_worker_has_sent_is_in_its_log_once_and_in_order(bench):
    bench.module("""
    class Die(ParallelProcessing):
        def process(self, clipboard):
            # More than the ring holds.
            for number in range(2000):
                self.log.info(f"record {number}")
            if self.rank == 1:
                self.log.log(-1, "the last")
                os.kill(os.getpid(), signal.SIGKILL)
    """)
    bench.policy("one - Die", head=NO_RETRY)
    done = bench.run("--workers", "2")
    assert done.code == 3
    sent = ("record", "the last")
    seen = [text for text in texts(done.log("Slice1")) if text.startswith(sent)]
    assert seen == [*(f"record {number}" for number in range(2000)), "the last"]


def test_a_fresh_worker_goes_on_in_the_log_and_the_output_of_the_dead_one(bench):
    bench.module("""
    class Once(ParallelProcessing):
        def process(self, clipboard):
            again = os.path.exists("died")
            self.log.info("second life" if again else "first life")
            print("second words" if again else "first words")
            if not again:
                open("died", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
    """)
    bench.policy("one - Once", slices=1)
    bench.stage_output = "file"
    done = bench.run()
    assert done.code == 0, done.err
    assert [text for text in texts(done.log("Slice0")) if "life" in text] == ["first life", "second life"]
    printed = (bench.run_dir / "log" / "Worker0.out").read_text()
    assert printed.index("first words") < printed.index("second words")
    assert "the last of" in done.log() and "first words" in done.log()


def test_what_was_sent_before_the_master_was_killed_is_in_the_logs_once(bench):
    bench.module("""
    class Kill(ParallelProcessing):
        def process(self, clipboard):
            for number in range(200):
                self.log.info(f"record {number}")
                if number == 100:
                    time.sleep(0.25)
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(10)
    """)
    bench.policy("one - Kill", slices=1)
    done = bench.run()
    assert done.code == -signal.SIGKILL
    wanted = [f"record {number}" for number in range(200)]

    def written():
        return [text for text in texts(done.log("Slice0")) if text.startswith("record")]

    bench.wait_until(lambda: "record 199" in written(), "the nursery to write what was left")
    assert written() == wanted


def test_records_are_in_their_file_while_the_stage_still_computes(bench):
    bench.module("""
    class Long(ParallelProcessing):
        def process(self, clipboard):
            self.log.log(-1, "deep in thought")
            while not os.path.exists("go"):
                time.sleep(0.01)
    """)
    bench.policy("one - Long", slices=1)
    process = bench.start()
    file = bench.run_dir / "log" / "Slice0.log"
    bench.wait_until(lambda: file.exists() and "deep in thought" in file.read_text(), "the record")
    assert process.poll() is None
    (bench.folder / "go").touch()
    assert bench.finish(process).code == 0


def test_records_of_many_processes_are_whole_in_one_console_and_one_file_each(bench):
    bench.module("""
    import threading
    class Chatter(ParallelProcessing):
        def process(self, clipboard):
            def send(who):
                for number in range(40):
                    length = 50_000 if number == 20 else 37 * number
                    self.log.warn(f"rank {self.rank} {who} {number} " + "x" * length + " end")
            child = os.fork()
            if child == 0:
                send("child")
                os._exit(0)
            threads = [threading.Thread(target=send, args=(f"thread{n}",)) for n in range(2)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            assert os.waitpid(child, 0)[1] == 0
    """)
    bench.policy("one - Chatter", slices=3)
    done = bench.run("--workers", "3")
    assert done.code == 0, done.err
    for rank in range(3):
        lines = [line for line in texts(done.log(f"Slice{rank}")) if line.startswith("rank")]
        for who in ("thread0", "thread1", "child"):
            own = [line for line in lines if f" {who} " in line]
            numbers = [int(line.split()[3]) for line in own]
            assert numbers == list(range(40))
            for number, line in zip(numbers, own, strict=True):
                length = 50_000 if number == 20 else 37 * number
                assert line == f"rank {rank} {who} {number} " + "x" * length + " end"
    told = [line for line in done.err.splitlines() if re.search(r" thread\d ", line)]
    whole = re.compile(r"pex-harness: slice (\d), visit 1, stage 1: rank \1 .* end")
    assert all(whole.fullmatch(line) for line in told)
    assert len(told) == 3 * 2 * 39, "long records are not repeated on the console"


@pytest.mark.contract("13.8.attached")
def test_the_preamble_reaches_one_log_and_the_context_every_log_of_a_half(bench):
    bench.module("""
    import logging, warnings
    from harness.log import Debug, Log, Trace
    class Attach(ParallelProcessing):
        def process(self, clipboard):
            self.log.setPreamblePropertyInt("frame", 85)
            self.log.context.set("exposure", f"e{self.rank}")
    class Tell(ParallelProcessing):
        def setup(self):
            self.own = Log(self.log, "own")
            self.debug = Debug("debug")
        def process(self, clipboard):
            self.log.info("from the stage")
            self.own.info("from a child")
            self.debug.debug(0, "from Debug")
            Trace("trace", 0, "from Trace")
            logging.getLogger("library").warning("from logging")
            warnings.warn("from warnings")
    class Forget(ParallelProcessing):
        def process(self, clipboard):
            self.log.context.remove("exposure")
            self.log.info("the end")
    """)
    bench.policy("one - Attach", "two - Tell", "three - Forget")
    done = bench.run()
    assert done.code == 0, done.err
    told = 0
    for rank in (0, 1):
        found = [one for one in records(done.log(f"Slice{rank}")) if re.search(r": (.*: )?from \w", one)]
        told += len(found)
        assert all(f"\n  exposure: e{rank}" in one for one in found)
        assert ["frame: 85" in one for one in found] == [True] + [False] * (len(found) - 1)
        log = done.log(f"Slice{rank}")
        block = log.split("Ending stage two")[1].split("\n\n")[0]
        assert f"   exposure: e{rank}\n" in block
        assert "exposure" not in log.split(": the end")[1]
    # A warning is told once in a run.
    assert told == 2 * 6 - 1


def test_warnings_on_the_console_say_in_which_visit_and_stage_they_were_sent(bench):
    bench.module("""
    class Tell(SerialProcessing):
        def setup(self):
            self.log.warn("set up")
        def preprocess(self, clipboard):
            self.log.warn("no flat\\nof this band")
            warnings.warn("odd")
    class Work(ParallelProcessing):
        def process(self, clipboard):
            self.log.warn("no sky")
    import warnings
    """)
    bench.policy("one - -", "two Tell Work", slices=1)
    done = bench.run("--visits", "2")
    assert done.code == 0, done.err
    lines = [line for line in done.err.splitlines() if line.startswith("pex-harness: ")]
    lines = [line for line in lines if "names no class" not in line]
    place = "visit 1, stage 2: "
    (odd,) = [line for line in lines if "UserWarning: odd" in line]
    assert odd.startswith(f"pex-harness: {place}{bench.folder}")
    lines.remove(odd)
    assert sorted(lines) == [
        "pex-harness: set up",
        "pex-harness: slice 0, visit 1, stage 2: no sky",
        "pex-harness: visit 1, stage 2: no flat",
    ]


def test_a_flood_is_bounded_and_counted_and_hides_no_warning(bench):
    bench.module("""
    class Flood(ParallelProcessing):
        def process(self, clipboard):
            for number in range(1000):
                self.log.info(f"drop {number}")
            self.log.warn("a warning after the flood")
    """)
    bench.policy("one - Flood", slices=1, head="logFlood: 50")
    done = bench.run("--visits", "2")
    assert done.code == 0, done.err
    seen = texts(done.log("Slice0"))
    assert 80 <= sum(text.startswith("drop") for text in seen) <= 100
    assert seen.count("a warning after the flood") == 2
    for visit in (1, 2):
        notice = f"more than 50 records below WARN in visit {visit}: the others of this visit are only"
        assert sum(text.startswith(notice) for text in seen) == 1
        (count,) = re.findall(rf"(\d+) records in visit {visit} were not written", done.log("Slice0"))
        assert 950 <= int(count) <= 960


def test_records_of_other_libraries_and_warnings_come_to_the_slice_s_log(bench):
    bench.module("""
    import logging, warnings
    quiet = logging.getLogger("aloof")
    quiet.propagate = False
    class Use(ParallelProcessing):
        def process(self, clipboard):
            logging.getLogger("somelib.part").warning("odd value %d", 7, extra={"ccd": 12})
            logging.getLogger("somelib.part").info("below the logger's level")
            quiet.error("on its own")
            warnings.warn("deprecated thing", UserWarning)
    """)
    bench.policy("one - Use", slices=2, head="")
    done = bench.run("--visits", "3", "--workers", "2")
    assert done.code == 0, done.err
    log = done.log("Slice0")
    record = next(record for record in records(log) if "odd value" in record)
    assert record.startswith("somelib.part WARNING: odd value 7\n")
    assert "\n  ccd: 12\n" in record and "\n  LOOPNUM: 1\n" in record and "\n  SLICEID: 0\n" in record
    assert log.count("aloof WARNING: on its own") == 3 and "below the logger" not in log
    both = log + done.log("Slice1")
    assert both.count("UserWarning: deprecated thing") == 1
    assert re.search(r"(?m)^warnings WARNING: .*stages_here\.py:\d+: UserWarning: deprecated thing$", both)


def test_astropy_s_records_come_to_the_log(bench):
    pytest.importorskip("astropy")
    bench.module("""
    from astropy import log as astropy_log
    class Use(ParallelProcessing):
        def process(self, clipboard):
            astropy_log.warning("from astropy")
    """)
    bench.policy("one - Use", slices=1)
    done = bench.run()
    assert done.code == 0, done.err
    assert done.log("Slice0").count("astropy WARNING: from astropy") == 1


def test_handlers_and_levels_of_standard_logging_work_on_a_run_s_logs(bench):
    bench.module("""
    import logging
    class Lines(logging.Handler):
        def emit(self, record):
            text = f"{record.name} {record.levelname} {record.getMessage()}"
            with open("handled", "a") as out:
                out.write(f"{text} {record.SLICEID} {record.LOOPNUM}\\n")
    logging.getLogger("harness.slice.mine").addHandler(Lines())
    logging.getLogger("harness.slice.mine").setLevel(logging.DEBUG)
    from lsst.pex.logging import Log
    class Use(ParallelProcessing):
        def process(self, clipboard):
            Log(self.log, "mine").log(-7, "fine detail")
            self.log.log(-7, "too fine")
    """)
    bench.policy("one - Use", slices=1)
    done = bench.run()
    assert done.code == 0, done.err
    assert (bench.folder / "handled").read_text() == "harness.slice.mine DEBUG fine detail 0 1\n"
    assert "mine DEBUG: fine detail" in done.log("Slice0") and "too fine" not in done.log("Slice0")


def test_what_stages_and_c_code_print_is_kept_with_its_rank_and_stage(bench):
    bench.module("""
    import ctypes, subprocess
    libc = ctypes.CDLL(None)
    class Print(ParallelProcessing):
        def process(self, clipboard):
            print(f"python of {self.rank}")
            libc.printf(b"C of %d\\n", self.rank)
            subprocess.run(["echo", f"child of {self.rank}"])
            print(f"error of {self.rank}", file=sys.stderr)
    class Still(ParallelProcessing):
        def process(self, clipboard):
            pass
    """)
    bench.policy("talk - Print", "hush - Still", slices=2)
    bench.stage_output = "file"
    done = bench.run("--workers", "1")
    assert done.code == 0, done.err
    assert "python of" not in done.out and "error of" not in done.err
    expected = "".join(
        f"python of {rank}\nC of {rank}\nchild of {rank}\nerror of {rank}\n"
        f"--- 41 bytes above: slice {rank}, visit 1, stage 1 talk ---\n"
        for rank in (0, 1)
    )
    assert (bench.run_dir / "log" / "Worker0.out").read_text() == expected


def test_a_stage_that_prints_without_end_leaves_beginning_end_and_a_count(bench):
    bench.module("""
    class Print(ParallelProcessing):
        def process(self, clipboard):
            for number in range(30000):
                print(f"line {number:06d}", flush=True)
    class Still(ParallelProcessing):
        def process(self, clipboard):
            time.sleep(0.3)
            print("at last")
    """)
    head = 'executionMode: "oneloop"\noutputLimit: "20 kB"'
    bench.policy("talk - Print", "hush - Still", slices=1, head=head)
    bench.stage_output = "file"
    done = bench.run("--workers", "1")
    assert done.code == 0, done.err
    text = (bench.run_dir / "log" / "Worker0.out").read_text()
    assert len(text) < 40000
    dropped = r"--- (\d+) bytes were dropped here: more than outputLimit, 20000 bytes ---\n"
    head, count, tail = re.split(dropped, text)
    assert head.startswith("line 000000\n") and 9900 < len(head) <= 10000
    assert "slice 0, visit 1, stage 1 talk ---" in text
    # Whether the last cut came before or after the second stage is a matter of time.
    assert re.search(r"\nat last\n--- .*above.*: slice 0, visit 1, stage 2 hush ---\n$", text)
    assert int(count) > 200_000
    assert f"{count} bytes of output are not in" in done.log() and "grew past outputLimit" in done.err


def test_the_last_words_of_a_worker_are_kept_and_told(bench):
    bench.module("""
    import ctypes
    class Die(ParallelProcessing):
        def process(self, clipboard):
            ctypes.CDLL(None).printf(b"about to die\\n")
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    bench.policy("one - Die", slices=1, head=NO_RETRY)
    bench.stage_output = "file"
    done = bench.run()
    assert done.code == 3
    assert (bench.run_dir / "log" / "Worker0.out").read_text() == "about to die\n"
    assert "the last of" in done.log() and "about to die" in done.log()


FAILING = """
class Master(SerialProcessing):
    def preprocess(self, clipboard):
        raise ValueError("no flat")
class Raise(ParallelProcessing):
    def process(self, clipboard):
        WORDS
        raise ValueError("no sky")
class Unready(ParallelProcessing):
    def setup(self):
        raise ValueError("no setup")
class Leave(ParallelProcessing):
    def process(self, clipboard):
        raise SystemExit("by itself")
"""
CHAINED = """self.log.info("a\\n\\nb\\r\\n\\r\\nc\\n", {"words": "x\\n\\ny"})
        try:
            {}["flat"]
        except KeyError:
            raise ValueError("sky\\n\\nof night\\n")
"""


@pytest.mark.parametrize(
    ("stage", "code", "told"),
    [
        ("bad Master Raise", 0, ("no flat", "no sky")),
        ("bad - Unready", 2, ("no setup", "no setup")),
        ("bad - Leave", 2, ("by itself", "by itself")),
    ],
)
@pytest.mark.parametrize("layout", ["netlogger", "indented"])
def test_records_of_failures_are_whole_ones(bench, layout, stage, code, told):
    words = CHAINED if layout == "netlogger" and "Raise" in stage else "pass"
    bench.module(FAILING.replace("WORDS", words))
    bench.policy(stage, slices=1, head=f'executionMode: "oneloop"\nlogFormat: "{layout}"')
    done = bench.run()
    assert done.code == code, done.err
    for name, text in zip(("Pipeline", "Slice0"), told, strict=True):
        found = records(done.log(name))
        assert any(("of night" if words is CHAINED and name == "Slice0" else text) in one for one in found)
        if layout == "netlogger":
            assert all(re.search(r"^i LEVEL: -?\d+$", one, re.MULTILINE) for one in found), found
        else:
            assert not re.search(r"\n\n +PIPELINE: ", done.log(name))
    if words is CHAINED:
        (one,) = [one for one in found if "\ns COMMENT: a\n" in one]
        assert "s COMMENT: a\n \nb\n \nc\n \ns words: x\n \ny\n" in one


def test_json_logs_are_one_object_per_line(bench):
    bench.module("""
    class Tell(ParallelProcessing):
        def process(self, clipboard):
            self.log.log(0, "two\\nlines", {"rms": 0.5, "bad": float("nan")})
    """)
    bench.policy("one - Tell", slices=1, head='logFormat: "json"')
    done = bench.run("--visits", "1")
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in done.log("Slice0").splitlines()]
    (told,) = [line for line in lines if line["message"] == "two\nlines"]
    assert told["log"] == "harness.slice" and told["level"] == "INFO" and told["importance"] == 0
    assert (told["run"], told["rank"], told["visit"], told["stage"]) == ("r1", 0, 1, 1)
    assert told["properties"] == {"PIPELINE": "night", "workerid": "-1", "rms": 0.5, "bad": "nan"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", told["time"])
    assert all(line["log"].startswith("harness") for line in lines)


def test_a_renamed_log_file_is_followed_by_a_new_one(bench):
    bench.module("""
    class Rotate(ParallelProcessing):
        def process(self, clipboard):
            self.log.info("before")
            while not os.path.exists("rotated"):
                time.sleep(0.005)
            self.log.info("after")
    """)
    bench.policy("one - Rotate", slices=1)
    process = bench.start()
    file = bench.run_dir / "log" / "Slice0.log"
    bench.wait_until(lambda: file.exists() and ": before" in file.read_text(), "the first record")
    file.rename(old := file.with_suffix(".1"))
    (bench.folder / "rotated").touch()
    done = bench.finish(process)
    assert done.code == 0, done.err
    assert ": after" not in old.read_text()
    assert ": before" not in file.read_text() and ": after" in file.read_text()


def test_a_full_disk_costs_records_and_not_the_run(bench):
    bench.module("""
    class Tell(ParallelProcessing):
        def process(self, clipboard):
            if not os.path.islink("run/log/Slice0.log"):
                os.remove("run/log/Slice0.log")
                os.symlink("/dev/full", "run/log/Slice0.log")
            for number in range(100):
                self.log.info(f"lost {number}")
            print("printed")
    """)
    bench.policy("one - Tell", slices=1)
    done = bench.run()
    assert done.code == 0, done.err
    assert done.err.count("cannot write log records to") == 1 and "No space left on device" in done.err


def test_a_stage_that_prints_to_a_full_disk_goes_on(bench):
    bench.module("""
    class Tell(ParallelProcessing):
        def process(self, clipboard):
            full = os.open("/dev/full", os.O_WRONLY)
            os.dup2(full, 1)
            print("no room for this")
    """)
    bench.policy("one - Tell", slices=1)
    bench.stage_output = "file"
    done = bench.run()
    assert done.code == 0 and done.row("one", "process")["raised"] == 0


def test_a_program_that_embeds_a_run_finds_its_logging_as_it_was(bench):
    bench.module("""
    class Quiet(ParallelProcessing):
        def process(self, clipboard):
            pass
    """)
    bench.policy("one - Quiet", slices=1)
    (bench.folder / "embed.py").write_text(
        "import logging, os, threading, warnings\n"
        "from harness.runtime.pipeline.pipeline import Pipeline\n"
        "show, fds = warnings.showwarning, len(os.listdir('/proc/self/fd'))\n"
        "pipeline = Pipeline('r1', 'night.paf', run_dir='run')\n"
        "pipeline.run()\n"
        "assert logging.getLogger().handlers == [] and warnings.showwarning is show\n"
        "assert [t.name for t in threading.enumerate()] == ['MainThread']\n"
        "assert 'harness.slice: the run has ended' in open('run/log/Slice0.log').read()\n"
    )
    done = subprocess.run(
        [sys.executable, "embed.py"], cwd=bench.folder, env=bench.environment(), capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
