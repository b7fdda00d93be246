# SPDX-License-Identifier: BSD-3-Clause
"""The programs of 2009: launchPipeline.py becomes runPipeline.py, with the options and exit codes of then."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from harness.log import Log, set_default_log
from lsst.pex.harness.run import RunSetupException, UsageError, launchPipeline, msglev

SCRIPTS = Path(sysconfig.get_path("scripts"))
STAGE = """
class Show(SerialProcessing):
    def preprocess(self, clipboard):
        sys.stdout.write("run %s in %s\\n" % (self.runId, os.getpid()))
        self.log.log(-3, "a detail")

class Bad(SerialProcessing):
    def setup(self):
        raise ValueError("cannot be set up")
"""


@pytest.fixture
def launch(bench):
    """Runs one of the programs in the folder, as a production's scripts do."""
    bench.module(STAGE)
    bench.policy("Show Show -", slices=0)

    def launch(program: str, *words: str, home: str | None = "/somewhere") -> subprocess.CompletedProcess:
        environment = {**bench.environment(), "PEX_HARNESS_DIR": home}
        environment = {name: value for name, value in environment.items() if value is not None}
        return subprocess.run(
            [SCRIPTS / program, *words], cwd=bench.folder, env=environment, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip

    return launch


@pytest.mark.contract("14.1.launch", "14.2.0", "14.1.nodes")
def test_the_launcher_becomes_the_runner(launch, bench):
    done = launch("launchPipeline.py", "night.paf", "r7", "-n", "nodes.scr", "-L", "verb3", "-w", "w5")
    assert done.returncode == 0, done.stderr
    assert "run r7 in" in done.stdout
    assert "runPipeline.py -V verb3 -w w5 -- night.paf r7" in done.stderr
    assert "a detail" in (bench.folder / "r7" / "log" / "Pipeline.log").read_text()


@pytest.mark.contract("14.1.options", "17.38")
def test_names_and_paths_with_blanks_reach_the_runner_whole(launch, bench):
    (bench.folder / "my logs").mkdir()
    (bench.folder / "one night.paf").write_text((bench.folder / "night.paf").read_text())
    done = launch("launchPipeline.py", "-q", "-g", "my logs", "one night.paf", "r 7", "my name")
    assert done.returncode == 0, done.stderr
    assert "run r 7 in" in done.stdout
    text = (bench.folder / "my logs" / "Pipeline.log").read_text()
    assert "a detail" not in text


@pytest.mark.contract("14.1.codes", "17.38")
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("night.paf",), 1, "expected policy_file, runid"),
        (("night.paf", "r1", "-L", "loud"), 1, "unknown verbosity 'loud'"),
        (("nope.paf", "r1"), 1, "nope.paf: expected a readable file"),
        (("night.paf", "r1", "--nonsense"), 2, "no such option: --nonsense"),
    ],
)
def test_failures_of_the_launcher_have_codes_and_reasons(launch, words, code, told):
    done = launch("launchPipeline.py", *words)
    assert done.returncode == code and told in done.stderr
    if code == 1:
        assert done.stderr.startswith("harness.run.launchPipeline FATAL: ")


@pytest.mark.contract("14.1.directory")
def test_the_launcher_wants_an_environment_that_was_set_up(launch):
    done = launch("launchPipeline.py", "night.paf", "r1", home=None)
    assert done.returncode == 1
    assert "PEX_HARNESS_DIR is not set" in done.stderr and "export PEX_HARNESS_DIR=/" in done.stderr


@pytest.fixture
def quiet():
    set_default_log(Log())
    yield
    set_default_log(None)


@pytest.mark.contract("13.7.helpers")
def test_launching_from_python_raises_what_is_wrong(quiet, tmp_path, monkeypatch):
    monkeypatch.delenv("PEX_HARNESS_DIR", raising=False)
    with pytest.raises(RuntimeError, match="PEX_HARNESS_DIR"):
        launchPipeline("p.paf", "r1")
    monkeypatch.setenv("PEX_HARNESS_DIR", "/somewhere")
    with pytest.raises(UsageError, match="loud"):
        launchPipeline("p.paf", "r1", verbosity="loud")
    with pytest.raises(RunSetupException, match=r"p\.paf"):
        launchPipeline(tmp_path / "p.paf", "r1")
    (tmp_path / "p.paf").touch()
    called = []
    monkeypatch.setattr(os, "execv", lambda path, words: called.append((path, words)))
    launchPipeline(tmp_path / "p.paf", "r1", workerid="3", name="n", verbosity=2, logdir="logs")
    ((path, words),) = called
    assert path == words[0] == sys.executable
    assert words[-11:] == ["-n", "n", "-V", "2", "-w", "3", "-g", "logs", "--", str(tmp_path / "p.paf"), "r1"]


@pytest.mark.contract("13.7.helpers")
def test_every_name_of_a_verbosity_has_its_number():
    assert msglev == {
        "silent": -30, "quiet": -10, "info": 0, "trace": 1, "verb1": 1, "verb2": 2, "verb3": 3, "debug": 10,
    }  # fmt: skip


@pytest.mark.contract("14.2.1", "14.2.2")
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("night.paf",), 1, "Usage: runPipeline.py [options] policy_file runid"),
        (("night.paf", "r1", "more"), 1, "saw 3 arguments"),
        (("night.paf", "r1", "-V", "loud"), 1, "unknown verbosity 'loud'"),
        (("night.paf", "r1", "--nonsense"), 2, "no such option: --nonsense"),
        (("nope.paf", "r1"), 2, "Traceback (most recent call last)"),
        (("nope.paf", "r1"), 2, "\nharness.run.runPipeline FATAL: "),
        (("broken.paf", "r1"), 2, "\nharness.run.runPipeline FATAL: broken.paf:1:"),
        (("bad.paf", "r1"), 2, "ValueError: cannot be set up"),
    ],
)
def test_failures_of_the_runner_have_codes_and_reasons(launch, bench, words, code, told):
    (bench.folder / "bad.paf").write_text('appStage: { serialClass: "stages_here.Bad" }\n')
    (bench.folder / "broken.paf").write_text("appStage: {\n")
    done = launch("runPipeline.py", *words)
    assert done.returncode == code and told in done.stderr
    if words[0] == "bad.paf":
        assert done.stderr.rstrip().splitlines()[-1].startswith("runPipeline.py: ")
        log = (bench.folder / "r1" / "log" / "Pipeline.log").read_text()
        assert "harness.pipeline FATAL: the run has failed: " in log


ENDING = """
def forever():
    open("asleep", "w").close()
    while True:
        time.sleep(60)

class InSlices(ParallelProcessing):
    def process(self, clipboard):
        forever()

class InMaster(SerialProcessing):
    def preprocess(self, clipboard):
        forever()

class InACall(SerialProcessing):
    def preprocess(self, clipboard):
        import ctypes
        # Taken twice: no signal ends that, and other threads run meanwhile.
        lock, mutex = ctypes.CDLL(None).pthread_mutex_lock, ctypes.create_string_buffer(64)
        lock(mutex)
        open("asleep", "w").close()
        lock(mutex)
"""
STAGES_THAT_STAY = {"slices": "nap - InSlices", "master": "nap InMaster -", "a call": "nap InACall -"}
COMMAND = ("stop", "r1", "--level", "1")
EVENT = ("publish", "triggerShutdownEvent", "level=1", "--runid", "r1", "--run-dir", "r1")


@pytest.fixture
def staying(bench):
    """Starts runPipeline.py with a stage that stays where it is, and waits until it is there."""
    bench.module(ENDING)

    def start(where: str) -> subprocess.Popen:
        bench.policy(STAGES_THAT_STAY[where], slices=1)
        process = bench.start_in(bench.folder, [str(SCRIPTS / "runPipeline.py"), "night.paf", "r1"])
        bench.wait_until((bench.folder / "asleep").exists, "the stage to be asleep")
        return process

    return start


@pytest.mark.contract("5.6.killed", "14.2.137", "17.4")
@pytest.mark.parametrize(
    ("where", "asked"),
    [("slices", COMMAND), ("slices", EVENT), ("master", COMMAND), ("a call", COMMAND), ("a call", EVENT)],
)
def test_a_request_of_level_1_ends_the_runner_with_137_wherever_it_is(bench, staying, where, asked):
    process = staying(where)
    asking = bench.start_command(*asked)
    done, answer = bench.finish(process), bench.finish(asking)
    assert done.code == 137, done.err
    assert done.err.splitlines()[-1].startswith("runPipeline.py: ended ")
    assert answer.code == 0, answer.err
    if where != "a call":
        # A process that is ended hard writes nothing any more.
        with contextlib.closing(sqlite3.connect(bench.folder / "r1" / "ledger.sqlite")) as ledger:
            assert ledger.execute("SELECT exit_code FROM runs").fetchall() == [(137,)]


@pytest.mark.contract("14.2.137")
@pytest.mark.parametrize(("number", "presses"), [(signal.SIGINT, 3), (signal.SIGTERM, 2)])
def test_a_signal_ends_the_runner_with_a_code_of_its_own(bench, staying, number, presses):
    process = staying("slices")
    for press in range(presses):
        process.send_signal(number)
        if press < presses - 1:
            process.stderr.readline()
    assert bench.finish(process).code == 128 + number


@pytest.mark.contract("14.1.codes", "14.2.137")
@pytest.mark.parametrize("program", ["runPipeline.py", "launchPipeline.py"])
def test_the_help_tells_every_exit_code(launch, program):
    done = launch(program, "--help")
    codes = " ".join(done.stdout.split()).partition("Exit codes: ")[2].partition("Options:")[0]
    assert done.returncode == 0
    told = re.findall(r"(?:^|, )(\d+(?:\+n)?) ", codes)
    assert told == ["0", "1", "2", "3", "5", "6", "70", "137", "128+n"]


@pytest.mark.contract("14.2.options", "4.1.localLogMode", "13.8.preamble", "17.25")
def test_the_last_verbosity_wins_and_local_logs_lie_here(launch, bench):
    policy = bench.folder / "night.paf"
    policy.write_text(policy.read_text() + "localLogMode: true\nlogThreshold: 10\n")
    done = launch("runPipeline.py", "-L", "quiet", "night.paf", "r1", "-V", "debug", "-n", "None", "-w", "3")
    assert done.returncode == 0, done.stderr
    text = (bench.folder / "Pipeline.log").read_text()
    assert "a detail" in text and "PIPELINE: night\n" in text and "workerid: 3\n" in text


TALKING = """
class InMaster(SerialProcessing):
    def preprocess(self, clipboard):
        self.log.log(-3, "a detail of the master\\nand more")
        self.log.log(-4, "too fine")
        self.log.warn("a doubt")

class InSlices(ParallelProcessing):
    def process(self, clipboard):
        self.log.log(-3, "a detail of a slice")
        self.log.log(-4, "too fine")
        self.log.warn("a slice's doubt")
"""


@pytest.mark.contract("13.8.screen")
@pytest.mark.parametrize("words", [(), ("-L", "none"), ("-L", "verb3"), ("-V", "3"), ("-L", "quiet")])
def test_records_of_the_verbosity_asked_for_go_to_the_screen(launch, bench, words):
    bench.module(TALKING)
    bench.policy("talk InMaster InSlices", slices=2)
    done = launch("runPipeline.py", *words, "night.paf", "r1")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    in_full = words in (("-L", "verb3"), ("-V", "3"))
    assert lines.count("   harness.pipeline DEBUG: a detail of the master") == in_full
    assert lines.count("and more") == in_full
    for rank in (0, 1):
        told = [line for line in lines if f"slice {rank}, visit 1, stage 1: a " in line]
        assert len(told) == 1 + in_full
        assert told[0].startswith("   harness DEBUG: ") == in_full
    assert sum("a doubt" in line for line in lines) == 1
    assert "too fine" not in done.stderr
    assert ("harness.pipeline WARNING: a doubt" in lines) == (words not in ((), ("-L", "none")))


@pytest.mark.contract("13.8.screen")
def test_with_a_message_broker_records_do_not_go_to_the_screen(launch, bench):
    policy = bench.folder / "night.paf"
    # Nobody is there: the run goes no further than that, and has logged how it was set up.
    broker = 'eventBrokerHost: "stomp://127.0.0.1:1"\neventBroker: { wait: 0.0 }\n'
    policy.write_text(policy.read_text() + broker)
    done = launch("runPipeline.py", "-L", "verb3", "night.paf", "r1")
    assert done.returncode == 2 and "harness.pipeline DEBUG" not in done.stderr
    assert "harness.pipeline DEBUG" in (bench.folder / "r1" / "log" / "Pipeline.log").read_text()
    policy.write_text(policy.read_text().replace(broker, ""))
    assert "harness.pipeline DEBUG" in launch("runPipeline.py", "-L", "verb3", "night.paf", "r2").stderr


@pytest.mark.contract("13.8.directory")
@pytest.mark.parametrize("program", ["runPipeline.py", "launchPipeline.py"])
@pytest.mark.parametrize("logs", ["nowhere", "night.paf"])
def test_a_log_directory_that_does_not_exist_is_refused_before_anything_is_made(launch, bench, program, logs):
    done = launch(program, "-g", logs, "night.paf", "r1")
    assert done.returncode == 2
    assert f"harness.run.runPipeline FATAL: log directory {logs} (-g): expected one that" in done.stderr
    assert not (bench.folder / "nowhere").exists() and not (bench.folder / "r1").exists()


def log_files(bench) -> list[str]:
    """Where log files lie."""
    return sorted(str(path.relative_to(bench.folder)) for path in bench.folder.rglob("*.log"))


EMBEDDED = """
import sys
from lsst.pex.harness.Pipeline import Pipeline
from lsst.pex.harness.Slice import Slice

def run(run_id, log_dir):
    pipeline = Pipeline(run_id, "night.paf", "night")
    if log_dir is not None:
        pipeline.setLogDir(log_dir)
    pipeline.run()

run("r1", None)
run("r2", "r2logs")
rank = Slice("r3", "night.paf", "night", 1)
rank.initializeLogger()
rank.shutdown()
"""


@pytest.mark.contract("4.1.localLogMode")
@pytest.mark.parametrize("local", ["true", "false"])
def test_local_logs_of_a_pipeline_as_an_object_lie_in_the_current_directory(bench, local):
    bench.module("class Rest(ParallelProcessing):\n    def process(self, clipboard):\n        pass\n")
    bench.policy("rest - Rest", slices=1, tail=f"localLogMode: {local}")
    (bench.folder / "embed.py").write_text(EMBEDDED)
    done = bench.finish(bench.start_in(bench.folder, [sys.executable, "embed.py"]))
    assert done.code == 0, done.err
    asked = ["r2logs/Pipeline.log", "r2logs/Slice0.log"]
    if local == "true":
        assert log_files(bench) == ["Pipeline.log", "Slice0.log", "Slice1.log", *asked]
    else:
        assert log_files(bench) == ["r1/log/Pipeline.log", "r1/log/Slice0.log", *asked, "r3/log/Slice1.log"]


def test_local_logs_of_a_run_by_command_stay_in_its_directory(launch, bench):
    policy = bench.folder / "night.paf"
    policy.write_text(policy.read_text() + "localLogMode: true\n")
    assert bench.run().code == 0
    assert log_files(bench) == ["run/log/Pipeline.log"]


@pytest.mark.contract("14.3.runSlice")
@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("-l", "-3", "-n", "me", "night.paf", "r1"), 2, "runSlice FATAL: slices are processes of a run"),
        (("night.paf",), 1, "Usage: runSlice.py [-l threshold] [-n name] policy_file runid"),
        (("night.paf", "r1", "-x"), 1, "runSlice.py: no such option: -x"),
        (("-l", "loud", "night.paf", "r1"), 1, "invalid integer value: 'loud'"),
    ],
)  # fmt: skip
def test_the_program_for_slices_says_that_a_run_starts_them_itself(launch, bench, words, code, told):
    done = launch("runSlice.py", *words)
    assert done.returncode == code and told in done.stderr and done.stdout == ""
    assert not (bench.folder / "r1").exists()


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or waits for a parent that does not look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.contract("14.1.shell")
def test_the_shell_s_launcher_runs_in_the_background_and_records_what_is_set_up(launch, bench):
    done = launch("launchPipeline.sh", "night.paf", "r8", "-w", "w5", home=None)
    assert done.returncode == 0 and "output in night-r8.log" in done.stdout, done.stderr
    summary = bench.folder / "r8" / "summary.json"
    bench.wait_until(summary.exists, "the end of the run in the background")
    pid = int(done.stdout.split()[1].rstrip(","))
    bench.wait_until(lambda: has_ended(pid), "the background process to end")
    assert "run r8 in" in (bench.folder / "night-r8.log").read_text()
    assert "PEX_HARNESS_DIR=" in (bench.folder / "eups-env.txt").read_text()
    assert launch("launchPipeline.sh", "night.paf").returncode == 1
