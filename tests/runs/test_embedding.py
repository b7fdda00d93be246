# SPDX-License-Identifier: BSD-3-Clause
"""The Pipeline as an object: the calls of the contract in order, twice in one process, never two at once."""

import subprocess
import sys

import pytest

SCRIPT = """
from lsst.pex.harness.Pipeline import Pipeline
from harness.errors import ConfigError

def steps(pipeline):
    pipeline.setLogThreshold(0)
    pipeline.setLogDir("logs")
    pipeline.initializeLogger()
    pipeline.configurePipeline()
    pipeline.initializeQueues()
    pipeline.initializeStages()
    pipeline.startShutdownThread()
    pipeline.startSlices()

first = Pipeline("one", "night.paf", "first")
assert first.getRun() == "one"
steps(first)
second = Pipeline("two", "night.paf", "second")
second.initializeLogger()
try:
    second.configurePipeline()
except ConfigError as error:
    print("refused:", error)
first.startStagesLoop()
first.close()
second.run()
print("visits", first.statistics.visits, second.statistics.visits)
"""


@pytest.mark.contract("5.8.embedding")
def test_the_steps_of_the_contract_one_run_after_the_other(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            open(f"{self.runId}-{self.rank}", "w").close()
    """)
    bench.policy("one - Slice")
    (bench.folder / "embed.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "embed.py"],
        cwd=bench.folder,
        env=bench.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "refused: another pipeline is open" in done.stdout
    assert "visits 1 1" in done.stdout
    names = {path.name for path in bench.folder.iterdir()}
    assert {"one-0", "one-1", "two-0", "two-1"} <= names


PAST_THE_END = """
import atexit, gc
from lsst.pex.harness.Pipeline import Pipeline

pipeline = Pipeline("kept", "night.paf", "run", max_visits=2)
pipeline.run()
import stages_here
pipeline.close()
del pipeline
gc.collect()
arrived, cut, *own = stages_here.kept
stages_here.kept.clear()

@atexit.register
def look():
    assert all((array == 1).all() for array in own)
    assert (arrived == 2).all() and (cut == 2).all() and memoryview(arrived)[3, 3] == 2
    print("sound")
"""


# An array that NumPy allocated keeps the arena by itself: what has arrived must do it too.
@pytest.mark.parametrize("own", ['clipboard.get("image")', ""], ids=["own and arrived", "arrived"])
def test_what_a_stage_keeps_is_sound_past_the_end_of_the_run_and_at_the_exit_of_the_interpreter(bench, own):
    bench.module(f"""
    kept = []

    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("image", np.ones((300, 300)), True)
        def postprocess(self, clipboard):
            arrived = clipboard.get("result-0")
            kept[:] = [arrived, arrived[5::7, ::-1], {own}]

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("result", clipboard.get("image") + (self.rank + 1.0), True)
    """)
    bench.policy("keep Master Slice")
    (bench.folder / "embed.py").write_text(PAST_THE_END)
    done = subprocess.run(
        [sys.executable, "embed.py"], cwd=bench.folder, env=bench.environment(),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "sound\n"), done.stderr
    assert "Exception ignored" not in done.stderr and "Traceback" not in done.stderr


MORE = """
import threading, time
from lsst.pex.harness.Pipeline import Pipeline
from harness.runtime.processes.signals import StoppedAtOnce

def steps(pipeline):
    pipeline.initializeLogger()
    pipeline.configurePipeline()
    pipeline.initializeQueues()
    pipeline.initializeStages()
    pipeline.startShutdownThread()
    pipeline.startSlices()

unused = Pipeline("unused", "night.paf")
steps(unused)
unused.setEventTimeout(7)
slices = unused.getSliceThreadList()
print([item.getName() for item in slices], [item.is_alive() for item in slices], unused.getEventTimeout())
unused.shutdown()
print([item.is_alive() for item in slices])

class Says:
    def __init__(self, *levels):
        self.levels, self.closed = levels, threading.Event()
    def listen(self, request):
        for level in self.levels:
            try:
                request(level, "an event")
            except ValueError as error:
                print("ignored:", error)
        self.closed.wait()
    def close(self):
        self.closed.set()

orderly = Pipeline("orderly", "night.paf")
orderly.initializeLogger()
orderly.configurePipeline()
orderly.initializeQueues()
orderly.initializeStages()
orderly.startShutdownThread(Says(9, 3))
orderly.startSlices()
orderly.startStagesLoop()
orderly.close()

at_once = Pipeline("at_once", "night.paf")
steps(at_once)
threading.Timer(0.3, at_once.exit).start()
try:
    at_once.startStagesLoop()
except StoppedAtOnce as error:
    print("stopped:", error)
at_once.close()
print("slices left:", sum(item.is_alive() for item in at_once.getSliceThreadList()))
try:
    Pipeline("x").setExitLevel(5)
except Exception as error:
    print(type(error).__name__)
"""


@pytest.mark.contract("5.8.embedding", "5.8.others")
def test_a_program_sees_its_slices_and_ends_them_in_good_order_or_at_once(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            time.sleep(30 if self.runId == "at_once" else 0)
    """)
    bench.policy("one - Slice", head="")
    (bench.folder / "embed.py").write_text(MORE)
    done = subprocess.run(
        [sys.executable, "embed.py"],
        cwd=bench.folder,
        env=bench.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "['Slice0', 'Slice1'] [True, True] 7",
        "[False, False]",
        "ignored: expected a shutdown level of 1 to 4, saw 9",
        "stopped: ended at once by setExitLevel",
        "slices left: 0",
        "InternalError",
    ]


def embed(bench, script):
    (bench.folder / "embed.py").write_text(script)
    return subprocess.run(
        [sys.executable, "embed.py"], cwd=bench.folder, env=bench.environment(),
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip


IDLE = """
class Slice(ParallelProcessing):
    def process(self, clipboard):
        pass
"""

NO_THREAD = """
import threading
from lsst.pex.harness.Pipeline import Pipeline

start = threading.Thread.start

def refuse(thread):
    if thread.name == "pex-log":
        raise RuntimeError("can't start new thread")
    start(thread)

threading.Thread.start = refuse
first = Pipeline("first", "night.paf")
try:
    first.run()
except RuntimeError as error:
    print("failed:", error)
threading.Thread.start = start
second = Pipeline("second", "night.paf")
second.run()
print("visits", second.statistics.visits)
"""


def test_where_no_thread_can_be_started_the_run_says_so_and_the_next_one_can_start(bench):
    bench.module(IDLE)
    bench.policy("one - Slice")
    done = embed(bench, NO_THREAD)
    assert done.stdout.splitlines() == ["failed: can't start new thread", "visits 1"], done.stderr


BROKEN_CLOSE = """
from lsst.pex.harness.Pipeline import Pipeline

first = Pipeline("first", "night.paf")
close = first._listener.close

def fail():
    close()
    raise OSError("no more")

first._listener.close = fail
try:
    first.run()
except OSError as error:
    print("failed:", error)
second = Pipeline("second", "night.paf")
second.run()
print("visits", second.statistics.visits)
"""


def test_a_run_whose_close_fails_half_way_is_not_in_the_way_of_the_next(bench):
    bench.module(IDLE)
    bench.policy("one - Slice")
    done = embed(bench, BROKEN_CLOSE)
    assert done.stdout.splitlines() == ["failed: no more", "visits 1"], done.stderr


BROKEN_START = """
import os
from pathlib import Path
from harness.errors import HarnessError
from harness.runtime.processes.supervisor import Supervisor
from lsst.pex.harness.Pipeline import Pipeline

admit = Supervisor._admit

def refuse(self, run, worker, pid):
    if worker == 1:
        raise HarnessError("worker 1 can't be watched")
    admit(self, run, worker, pid)

Supervisor._admit = refuse
try:
    Pipeline("r1", "night.paf", workers=4).run()
except HarnessError as error:
    print("failed:", error)
print("children:", Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
"""


def test_a_start_that_breaks_off_leaves_no_child_to_the_program_not_even_a_zombie(bench):
    bench.module(IDLE)
    bench.policy("one - Slice", slices=4)
    done = embed(bench, BROKEN_START)
    assert done.stdout.splitlines() == ["failed: worker 1 can't be watched", "children: []"], done.stderr


RAISING_CONSOLE = """
from harness.log import LogDestination
from lsst.pex.harness.Pipeline import Pipeline

class Console(LogDestination):
    taken = 0
    def write(self, record):
        if threading.current_thread().name != "pex-log":
            return False
        Console.taken += 1
        if Console.taken < 4:
            raise KeyError("colour")
        return True

import threading
pipeline = Pipeline("r1", "night.paf")
pipeline.add_log_destination(Console(None, None))
pipeline.run()
print("taken", Console.taken)
"""


def test_a_console_that_raises_is_told_once_and_gets_the_records_that_follow(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            for number in range(6):
                self.log.warn(f"record {number}")
                time.sleep(0.02)
    """)
    bench.policy("one - Slice", slices=1)
    done = embed(bench, RAISING_CONSOLE)
    assert done.stdout.splitlines() == ["taken 6"], done.stderr
    assert done.stderr.count("cannot write log records to a console: KeyError: 'colour'") == 1
    assert "3 lines in all could not be written to a console" in done.stderr
