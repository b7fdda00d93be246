# SPDX-License-Identifier: BSD-3-Clause
"""The pytest plugin for stage authors, as their own test-suite uses it: fixture, leak check, options."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from families import outputs_of

SAMPLES = """
import os
import time

import pytest
from lsst.pex.harness.stage import ParallelProcessing, Stage
from lsst.pex.logging import getDefaultLog

kept = []


class Area(Stage):
    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            self.log.log(-3, "computing")
            clipboard.put("area", clipboard.get("width") * clipboard.get("height"))


def test_worker(stage_tester):
    tester = stage_tester(Area(), universeSize=3)
    assert tester.runWorker({"width": 2.0, "height": 3.0}).get("area") == 6.0


def test_slices(stage_tester):
    out = stage_tester(Area()).runSlices([{"width": 2.0, "height": 3.0}, {"width": 4.0, "height": 5.0}])
    assert [clipboard.get("area") for clipboard in out] == [6.0, 20.0]


def test_created(stage_tester, tmp_path):
    (tmp_path / "area.paf").write_text("unit: 1")
    tester = stage_tester.create(tmp_path / "area.paf", stageParallel=Area.parallelClass)
    assert tester.runWorker({"width": 1, "height": 2}).get("area") == 2
    getDefaultLog().setThreshold(5)


def test_fresh_log(stage_tester):
    assert getDefaultLog().getThreshold() != 5


def test_leaking_stage(stage_tester):
    kept.append(os.open("/dev/null", os.O_RDONLY))


def test_leaking_other():
    kept.append(os.open("/dev/null", os.O_RDONLY))


def test_cost(stage_tester):
    start = time.perf_counter()
    for _ in range(20):
        stage_tester(Area()).runWorker({"width": 2.0, "height": 3.0})
    print("cost of one: %.3f ms" % ((time.perf_counter() - start) * 50))
"""


@pytest.fixture
def suite(tmp_path):
    """Runs pytest on the samples, outside this tree."""
    (tmp_path / "test_samples.py").write_text(SAMPLES)
    settings = "[pytest]\naddopts = --strict-markers --strict-config\nfilterwarnings = error\n"
    (tmp_path / "pytest.ini").write_text(settings)
    # Should one of them hang, it can say where.
    (tmp_path / "conftest.py").write_text(
        "from harness.runtime.processes import stacks\n\nstacks.register('tests of stages')\n"
    )

    def run(*options: str, program: str = "") -> subprocess.CompletedProcess:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-rE", *options]
        if program:
            command = [sys.executable, "-c", program]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        out, err = outputs_of(process, 100)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    return run


def test_tests_of_stages_run_and_those_that_leave_something_behind_fail(suite):
    done = suite()
    assert "7 passed, 1 error" in done.stdout, done.stdout
    assert "ERROR at teardown of test_leaking_stage" in done.stdout
    assert "the test left behind" in done.stdout and "-> /dev/null" in done.stdout


def test_every_test_may_be_checked_or_none(suite):
    both = suite("--pex-leak-check", "all", "-k", "leaking")
    assert "2 passed, 5 deselected, 2 errors" in both.stdout, both.stdout
    none = suite("--pex-leak-check=off", "-k", "leaking")
    assert none.returncode == 0 and "2 passed" in none.stdout


def test_the_verbosity_of_stages_is_an_option(suite):
    done = suite("--pex-log-verbosity", "debug", "-k", "worker", "-s")
    assert "computing" in done.stdout + done.stderr
    done = suite("--pex-log-verbosity", "loud")
    assert done.returncode == 4 and "unknown verbosity 'loud'" in done.stderr


def test_a_pytest_that_is_too_old_for_the_leak_check_runs_tests_all_the_same(suite):
    old = (
        "import pytest, sys\n"
        "kept = pytest.hookimpl\n"
        "def hookimpl(function=None, **options):\n"
        "    if options.get('wrapper') and 'harness' in sys._getframe(1).f_globals['__name__']:\n"
        "        raise TypeError('wrapper')\n"
        "    return kept(function, **options)\n"
        "pytest.hookimpl = hookimpl\n"
        "sys.exit(pytest.main(['-p', 'no:cacheprovider', '-k', 'leaking or worker']))\n"
    )
    done = suite(program=old)
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout + done.stderr
