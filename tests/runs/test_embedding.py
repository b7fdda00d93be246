# SPDX-License-Identifier: BSD-3-Clause
"""The Pipeline inside somebody else's program: several runs, other threads, step by step."""

import subprocess
import sys
import textwrap

QUICK = """
    class Quick(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("image", harness.zeros((256, 256)), True)
"""

HEAD = """
import gc, os, threading
from harness.runtime.pipeline import Pipeline

def descriptors():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))

def has_children():
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True
"""


def program(bench, text: str) -> str:
    """Runs a program that embeds pipelines; returns what it printed."""
    bench.module(QUICK)
    script = bench.folder / "program.py"
    script.write_text(HEAD + textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, str(script), str(bench.run_dir)],
        cwd=bench.folder,
        env=bench.environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_runs_one_after_the_other_leave_no_descriptor_and_no_child(bench):
    bench.policy("quick - Quick")
    told = program(bench, """
    for number in range(3):
        Pipeline(f"r{number}", "night.paf").run()
        if number == 0:
            before = descriptors()
    print(descriptors() - before, has_children())
    """)
    assert told == "0 False\n"


def test_a_run_in_another_thread_works_and_ends(bench):
    bench.policy("quick - Quick")
    told = program(bench, """
    thread = threading.Thread(target=Pipeline("r1", "night.paf").run)
    thread.start()
    thread.join()
    print(os.path.exists("r1/summary.json"), has_children())
    """)
    assert told == "True False\n"


def test_a_stop_asked_for_before_the_loop_starts_is_heeded(bench):
    bench.policy("quick - Quick", head="")
    told = program(bench, """
    pipeline = Pipeline("r1", "night.paf")
    pipeline.initializeLogger()
    pipeline.configurePipeline()
    pipeline.initializeQueues()
    pipeline.initializeStages()
    pipeline.startShutdownThread()
    pipeline.startSlices()
    pipeline.setStop()
    pipeline.startStagesLoop()
    pipeline.close()
    print("visits", pipeline.statistics.visits, has_children())
    """)
    assert told == "visits 0 False\n"
