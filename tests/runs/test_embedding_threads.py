# SPDX-License-Identifier: BSD-3-Clause
"""Programs with threads, loops, notebooks and classes of their own that embed a Pipeline."""

import json
import os
import subprocess
import sys
import textwrap

import pytest
from starts import SAYS_WHICH, THREADED

EXEC = 'startMethod: "exec"'


def embed(bench, script, **environment):
    (bench.folder / "embed.py").write_text(textwrap.dedent(script))
    return subprocess.run(
        [sys.executable, "embed.py", str(bench.run_dir)], cwd=bench.folder, capture_output=True, text=True,
        timeout=60, env={**os.environ, "PYTHONPATH": "", **environment},
    )  # fmt: skip


LOCKED = """
    import threading
    lock = threading.Lock()

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            with lock:
                logging.getLogger("slices").info(f"rank {self.rank} in {os.getcwd()}")
            clipboard.put("rank", self.rank, True)

    class Sum(SerialProcessing):
        def postprocess(self, clipboard):
            print("ranks", clipboard.gather("rank"), flush=True)
"""
HOLDS_A_LOCK = """
import asyncio, gc, logging, os, sys, threading
from pathlib import Path

sys.path.insert(0, os.path.join(os.getcwd(), "hidden"))
logging.getLogger("slices").setLevel(logging.INFO)
import stages_here

loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, name="loop", daemon=True).start()
held, enough = threading.Event(), threading.Event()

def hold():
    with stages_here.lock:
        held.set()
        enough.wait()

holder = threading.Thread(target=hold, name="holder")
holder.start()
held.wait()

from lsst.pex.harness.Pipeline import Pipeline

def fds():
    gc.collect()
    return sorted(os.listdir("/proc/self/fd"))

before = fds()
for number in range(2):
    pipeline = Pipeline(f"r{number}", "night.paf", run_dir=sys.argv[1])
    pipeline.run()
    del pipeline
print("fds", fds() == before, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
enough.set()
holder.join()
loop.call_soon_threadsafe(loop.stop)
"""


def test_a_program_with_a_loop_in_a_thread_and_a_lock_held_at_the_start_runs_a_pipeline(bench):
    (bench.folder / "hidden").mkdir()
    bench.module("import logging\n" + textwrap.dedent(LOCKED))
    (bench.folder / "stages_here.py").rename(bench.folder / "hidden" / "stages_here.py")
    bench.policy("one - Slice", "sum Sum -", slices=3)
    done = embed(bench, HOLDS_A_LOCK)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["ranks [0, 1, 2]"] * 2 + ["fds True []"], done.stderr
    log = (bench.run_dir / "log" / "Pipeline.log").read_text()
    assert "the nursery is started by exec, for this process has thread 'loop' at " in log
    assert "thread 'holder' at " in log and f"{bench.folder / 'embed.py'}:16" in log
    assert f"rank 1 in {bench.folder}" in (bench.run_dir / "log" / "Slice1.log").read_text()


IN_A_THREAD = """
import sys, threading
from lsst.pex.harness.Pipeline import Pipeline

pipeline = Pipeline("r1", "night.paf", run_dir=sys.argv[1])
thread = threading.Thread(target=pipeline.run)
thread.start()
thread.join()
print("failures", pipeline.statistics.failures, "deaths", len(pipeline.statistics.deaths))
"""


@pytest.mark.parametrize("threads", ["", THREADED], ids=["forked by an exec'd nursery", "exec'd each"])
def test_a_pipeline_may_live_in_a_thread_of_its_program(bench, threads):
    bench.module(textwrap.dedent(threads) + textwrap.dedent(SAYS_WHICH) + textwrap.dedent("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            open(f"{starts()}-{self.rank}", "w").close()
    """))
    bench.policy("one - Slice")
    done = embed(bench, IN_A_THREAD, PYTHONPATH=str(bench.folder))
    assert done.stdout == "failures [] deaths 0\n", done.stderr
    kind = "worker" if threads else "nursery"
    assert {path.name for path in bench.folder.glob(f"{kind}-*")} == {f"{kind}-0", f"{kind}-1"}


OWN_CLASSES = """
import sys, threading
from dataclasses import dataclass
import numpy as np
from lsst.pex.harness.stage import ParallelProcessing, SerialProcessing
from lsst.pex.harness.Pipeline import Pipeline
from harness.errors import HarnessError

if sys.argv[-1] == "without":
    sys.modules["cloudpickle"] = None

def twice(frame):
    return Frame(frame.number * 2, frame.pixels * 2)

@dataclass
class Frame:
    number: int
    pixels: np.ndarray

class Load(SerialProcessing):
    def preprocess(self, clipboard):
        clipboard.put("frame", Frame(4, np.ones((300, 300))), True)

class Double(ParallelProcessing):
    def process(self, clipboard):
        clipboard.put("double", twice(clipboard.get("frame")), True)

class Save(SerialProcessing):
    def postprocess(self, clipboard):
        for frame in clipboard.gather("double"):
            print(type(frame) is Frame, frame.number, frame.pixels.sum(), flush=True)

threading.Thread(target=threading.Event().wait, daemon=True).start()
try:
    Pipeline("r1", "night.paf", run_dir=sys.argv[1]).run()
except HarnessError as error:
    print(error)
"""


def test_stage_classes_of_the_program_itself_are_carried_or_named_with_the_cure(bench):
    policy = bench.policy("load Load -", "double - Double", "save Save -")
    policy.write_text(policy.read_text().replace("stages_here.", "__main__."))
    (bench.folder / "own.py").write_text(OWN_CLASSES)
    command = [sys.executable, "own.py", str(bench.run_dir)]
    done = subprocess.run([*command, "without"], cwd=bench.folder, capture_output=True, text=True, timeout=60)
    assert "__main__.Load, __main__.Double, __main__.Save" in done.stdout, done.stderr
    assert "put the class into a module" in done.stdout and "install cloudpickle" in done.stdout
    pytest.importorskip("cloudpickle", reason="carries stage classes of a notebook or script")
    done = subprocess.run(command, cwd=bench.folder, capture_output=True, text=True, timeout=60)
    assert done.stdout == "True 8 180000.0\n" * 2, done.stderr


NO_INTERPRETER = """
import multiprocessing, os, sys
from pathlib import Path
from lsst.pex.harness.Pipeline import Pipeline
from harness.errors import HarnessError

multiprocessing.set_executable("/nowhere/python")
try:
    Pipeline("r1", "night.paf", run_dir=sys.argv[1]).run()
except HarnessError as error:
    print(error)
print(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
"""


def test_an_interpreter_that_is_not_there_is_named_and_nothing_stays(bench):
    bench.module("class Stage(ParallelProcessing): pass")
    bench.policy("one - Stage", head=EXEC)
    done = embed(bench, NO_INTERPRETER, PYTHONPATH=str(bench.folder))
    first, second = done.stdout.splitlines()
    assert "starting nursery by exec: /nowhere/python: No such file or directory" in first, done.stderr
    assert second == "[]"


FORKS = """
import os, sys
from lsst.pex.harness.Pipeline import Pipeline

pipeline = Pipeline("r1", "night.paf", run_dir=sys.argv[1], max_visits=3)
pipeline.initializeLogger()
pipeline.configurePipeline()
pipeline.initializeQueues()
pipeline.initializeStages()
pipeline.startShutdownThread()
pipeline.startSlices()
child = os.fork()
if child == 0:
    # Takes leave as a program does: what it holds of the run is taken down with it.
    sys.exit(7)
print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
pipeline.startStagesLoop()
pipeline.close()
print("deaths", len(pipeline.statistics.deaths))
"""


def test_a_fork_of_the_program_that_exits_leaves_the_run_its_watcher(bench):
    bench.module("""
    class Dies(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 1 and not os.path.exists("died"):
                open("died", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
    """)
    bench.policy("one - Dies", head="stageTimeout: 30.0")
    done = embed(bench, FORKS, PYTHONPATH=str(bench.folder))
    assert done.stdout == "child 7\ndeaths 1\n", done.stderr


KERNEL = """
import json, sys
from jupyter_client.manager import KernelManager

manager = KernelManager(kernel_name="python3")
# The kernel of this interpreter, whatever others are installed.
manager.kernel_spec.argv[0] = sys.executable
manager.start_kernel()
try:
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=60)

    def hear(message):
        print(message["content"].get("text", ""), *message["content"].get("traceback", []), flush=True)

    for cell in json.load(open("cells")):
        assert client.execute_interactive(cell, timeout=60, output_hook=hear)["content"]["status"] == "ok"
    client.stop_channels()
finally:
    manager.shutdown_kernel(now=True)
"""


def test_a_notebook_runs_a_pipeline_with_stages_of_its_cells(bench):
    pytest.importorskip("ipykernel", reason="a notebook's kernel")
    pytest.importorskip("cloudpickle", reason="carries stage classes of a notebook")
    policy = bench.policy("mark - Mark", "sum Sum -", slices=3)
    policy.write_text(policy.read_text().replace("stages_here.", "__main__."))
    cells = [
        "import numpy as np\nfrom lsst.pex.harness.stage import ParallelProcessing, SerialProcessing",
        "class Mark(ParallelProcessing):\n    def process(self, clipboard):\n"
        "        clipboard.put('mark', np.full((300, 300), self.rank + 1.0), True)",
        "class Sum(SerialProcessing):\n    def postprocess(self, clipboard):\n"
        "        print('sum', sum(mark[7, 7] for mark in clipboard.gather('mark')))",
        "from lsst.pex.harness.Pipeline import Pipeline\n"
        f"Pipeline('r1', 'night.paf', run_dir={str(bench.run_dir)!r}).run()",
    ]
    (bench.folder / "cells").write_text(json.dumps(cells))
    homes = {name: str(bench.folder) for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR")}
    done = embed(bench, KERNEL, **homes)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sum 6.0" in done.stdout
    assert "the nursery is started by exec, for this process has thread " in (
        bench.run_dir / "log" / "Pipeline.log"
    ).read_text()
