# SPDX-License-Identifier: BSD-3-Clause
"""The check that every test runs under finds what a test leaves behind, and nothing where nothing is left."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from harness.pytest_plugin import holdings

SAMPLES = """
import os
import subprocess
import sys
import time

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


def wait_for(path):
    deadline = time.monotonic() + 20
    while not os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert os.path.exists(path)


def test_beside_another_program():
    open("wanted", "x").close()
    wait_for("made by others")


def test_orphan():
    start = "import subprocess, sys; subprocess.Popen(sys.argv[1:])"
    command = [sys.executable, "holder.py", "wanted", "made by an orphan"]
    subprocess.run([sys.executable, "-c", start, *command], check=True)
    wait_for("made by an orphan")


def test_failing_with_an_open_file():
    kept.append(os.open("/dev/null", os.O_RDONLY))
    assert False
"""


HOLDER = """
import mmap, os, sys, time
wanted, made = sys.argv[1:]
end = time.monotonic() + 60
while not os.path.exists(wanted) and time.monotonic() < end:
    time.sleep(0.01)
path = "/dev/shm/sem.pex-%d" % os.getpid()
# Under another name first, as the C library does it.
with open(path + "-", "w+b") as file:
    file.truncate(4096)
    kept = mmap.mmap(file.fileno(), 4096)
os.link(path + "-", path)
os.unlink(path + "-")
open(made, "x").close()
while not os.path.exists("end") and time.monotonic() < end:
    time.sleep(0.01)
os.unlink(path)
open(made + ", ended", "x").close()
"""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory) -> str:
    """What pytest says about the samples."""
    folder = tmp_path_factory.mktemp("samples")
    check = (Path(__file__).parents[1] / "conftest.py").read_text()
    impatient = "from harness.pytest_plugin import holdings\n\nholdings.GRACE_S = 0.3\n"
    (folder / "conftest.py").write_text(f"{check}\n{impatient}")
    (folder / "test_samples.py").write_text(SAMPLES + """

def teardown_module():
    kept[1].kill()
    kept[1].wait()
    os.unlink("/dev/shm/pex-%d" % os.getppid())
    open("end", "x").close()
    wait_for("made by an orphan, ended")
""")
    (folder / "holder.py").write_text(HOLDER)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-rE", "test_samples.py"]
    brokers = Path(__file__).parents[1] / "brokers"
    environment = {**os.environ, "PYTHONPATH": os.fspath(brokers)}
    other = subprocess.Popen([sys.executable, "holder.py", "wanted", "made by others"], cwd=folder)
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100
        ).stdout
    finally:
        (folder / "end").touch()
        other.wait()


def test_a_test_that_cleans_up_passes(outcome):
    assert "1 failed, 7 passed, 5 errors" in outcome, outcome
    assert "ERROR at teardown of test_clean" not in outcome


def test_what_another_program_has_is_not_blamed_on_a_test(outcome):
    assert "test_beside_another_program PASSED" in outcome
    assert "ERROR at teardown of test_beside_another_program" not in outcome


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("test_open_file", "files: "),
        ("test_child", "(sleep) in state S"),
        ("test_zombie", "in state Z"),
        ("test_segment", "segments: /dev/shm/pex-"),
        ("test_orphan", "segments: /dev/shm/sem.pex-"),
    ],
)
def test_what_is_left_behind_is_named(outcome, name, what):
    report = outcome.split(f"ERROR at teardown of {name} _")[1].splitlines()
    assert what in report[report.index("the test left behind") + 1]


def test_a_child_is_found_whichever_thread_started_it_and_whatever_the_kernel_lists(monkeypatch):
    with ThreadPoolExecutor(1) as pool:
        child = pool.submit(subprocess.Popen, ["sleep", "60"]).result()
        try:
            found = list(holdings._children())
            monkeypatch.setattr(holdings, "_pids_of_children", holdings._all_pids)
            assert found == list(holdings._children())
            assert str(child.pid) in found
        finally:
            child.kill()
            child.wait()
