# SPDX-License-Identifier: BSD-3-Clause
"""What a pipeline policy and its run promise, seen from a stage and in the logs, all in one run."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from harness.runtime.configuration.config import load_config

STAGE = """
from lsst.daf.persistence import LogicalLocation
from lsst.pex.logging import Log

class Where(ParallelProcessing):
    def process(self, clipboard):
        names = ("work", "input", "output", "update", "scratch", "dbUrl")
        places = ["%s=%s" % (name, LogicalLocation("%%(%s)" % name).locString()) for name in names]
        sys.stdout.write("places " + " ".join(places) + "\\n")
        self.log.log(Log.INFO, "of the stage")
        self.log.log(-1, "a detail")
"""

POLICY = """
nSlices: 1
executionMode: "oneloop"
logThreshold: 0
appStage: { name: "where"
            parallelClass: "stages_here.Where" }
dir: { defaultRoot: .
       runDirPattern: "/runs/%(runid)s-%(shortname)s"
       work: work
       input: /archive/in
       output: out
       update: update }
database: { url: "mysql://some.host/night" }
"""


@pytest.fixture
def finished(bench, monkeypatch):
    bench.module(STAGE)
    monkeypatch.setenv("PWD", str(bench.folder))
    (bench.folder / "night.one.paf").write_text(POLICY)
    return bench.run(policy="night.one.paf")


@pytest.mark.contract(
    "4.1.dir", "4.1.database", "8.4.pipeline", "8.6.pipeline", "4.1.logThreshold", "5.9.start", "5.9.slices",
    "13.8.preamble"
)
def test_locations_and_logs_of_a_run_are_as_the_policy_says(finished, bench):
    assert finished.code == 0, finished.err
    root = bench.folder / "runs" / "r1-night"
    said = dict(word.split("=", 1) for word in re.findall(r"^places (.*)$", finished.out, re.M)[0].split())
    assert said == {
        "work": str(root / "work"),
        "input": "/archive/in",
        "output": str(root / "out"),
        "update": str(root / "update"),
        "scratch": str(root / "update"),
        "dbUrl": "mysql://some.host/night",
    }
    master, of_slice = finished.log(), finished.log("Slice0")
    assert re.search(r"process \d+, threshold 0, log file .*Pipeline\.log", master)
    assert "one loop done" in master
    assert "stage 1 where, error flag 0" in of_slice and "of the stage" in of_slice
    seconds = r"\d+\.\d{4}"
    times = rf"visit 1: user {seconds} system {seconds} user\+system {seconds} wall {seconds}"
    assert re.search(times, of_slice)
    for figure in ("VmPeak", "VmSize", "VmHWM", "VmRSS"):
        assert figure in of_slice
    assert "a detail" not in of_slice
    assert all(text in of_slice for text in ("RUNID: r1\n", "SLICEID: 0\n", "PIPELINE: night.one\n"))
    assert "SLICEID: -1\n" in master and "LOOPNUM: 1\n" in of_slice and "STAGEID: 1\n" in of_slice


@pytest.mark.contract("4.0.file")
def test_without_a_name_the_policy_is_pipeline_policy_paf_here(tmp_path, monkeypatch):
    (tmp_path / "pipeline_policy.paf").write_text('appStage: { serialClass: "a.B" }\n')
    monkeypatch.chdir(tmp_path)
    config = load_config(None)
    assert config.path == Path("pipeline_policy.paf") and config.pipeline_name == "pipeline_policy"
    assert os.getcwd() == str(tmp_path)


@pytest.mark.contract("5.9.configuration", "5.9.barriers")
def test_a_log_at_debug_tells_the_configuration_and_every_synchronisation_point(bench):
    bench.module("""
    class Nothing(ParallelProcessing):
        def process(self, clipboard):
            pass
    """)
    sweep = 'failureStage: {\n name: "sweep"\n parallelClass: "stages_here.Nothing"\n}'
    bench.policy("first - Nothing", "second - Nothing", slices=2, head=f'executionMode: "oneloop"\n{sweep}')
    path = bench.folder / "night.paf"
    path.write_text(path.read_text().replace('name: "second"', 'name: "second"\n eventTopic: "frames"'))
    (bench.folder / "feed.jsonl").write_text('{"visit": 7}\n')
    done = bench.run("-d", "--feed", "feed.jsonl")
    assert done.code == 0, done.err
    master = [line.strip() for line in done.log().splitlines()]

    def at(word: str, text: str) -> int:
        return next(i for i, line in enumerate(master) if line.startswith(f"harness.pipeline{word}: {text}"))

    assert master[at(" DEBUG", "universeSize 3, run ") + 5] == "universeSize: 3"
    assert "run/events; barrierDelay 1e-06" in master[at(" DEBUG", "2 stages; ")]
    at(" DEBUG", "stage 1 first: None / stages_here.Nothing")
    at(" DEBUG", "failure stage sweep: None / stages_here.Nothing")
    at(" DEBUG", "stage 1 first waits for no event")
    at(" DEBUG", "stage 2 second waits for events of topic 'frames'")
    assert at(" DEBUG", "the slices are released into stage 1") < at(
        " DEBUG", "every slice has arrived behind stage 1"
    ) < at(" DEBUG", "the slices are released into stage 2")
    assert "event received, topic 'frames'" in done.log()
    assert "harness.slice DEBUG: arrives behind stage 2, and waits for the master" in done.log("Slice1")
    quiet = bench.run("--visits", "1", "-L", "verb2", "--feed", "feed.jsonl").log()
    assert "failure stage sweep" in quiet and "released into" not in quiet and "waits for no" not in quiet
