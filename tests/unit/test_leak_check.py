# SPDX-License-Identifier: BSD-3-Clause
"""The check that every test runs under finds what a test leaves behind, and nothing where nothing is left."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = """
import os
import subprocess

import pytest

kept = []


@pytest.fixture
def lent():
    reader, writer = os.pipe()
    yield writer
    os.close(reader)
    os.close(writer)


def test_clean(lent):
    subprocess.run(["true"], check=True)


def test_open_file():
    kept.append(os.open("/dev/null", os.O_RDONLY))


def test_child():
    kept.append(subprocess.Popen(["sleep", "20"]))


def test_zombie():
    child = os.fork()
    if child == 0:
        os._exit(0)


def test_segment():
    path = "/dev/shm/pex-%d" % os.getppid()
    open(path, "x").close()


def test_failing_with_an_open_file():
    kept.append(os.open("/dev/null", os.O_RDONLY))
    assert False
"""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory) -> str:
    """What pytest says about the samples."""
    folder = tmp_path_factory.mktemp("samples")
    shutil.copy(Path(__file__).parents[1] / "conftest.py", folder)
    (folder / "test_samples.py").write_text(SAMPLES + """

def teardown_module():
    kept[1].kill()
    kept[1].wait()
    os.unlink("/dev/shm/pex-%d" % os.getppid())
""")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-rE", "test_samples.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100).stdout


def test_a_test_that_cleans_up_passes(outcome):
    assert "1 failed, 5 passed, 4 errors" in outcome, outcome
    assert "ERROR at teardown of test_clean" not in outcome


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("test_open_file", "files: "),
        ("test_child", "(sleep) in state S"),
        ("test_zombie", "in state Z"),
        ("test_segment", "segments: /dev/shm/pex-"),
    ],
)
def test_what_is_left_behind_is_named(outcome, name, what):
    report = outcome.split(f"ERROR at teardown of {name} _")[1].splitlines()
    assert what in report[report.index("the test left behind") + 1]
