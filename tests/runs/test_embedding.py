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
