# SPDX-License-Identifier: BSD-3-Clause
"""Python tests under the address sanitizer have our modules in them, and no report is overlooked."""

import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"

MISUSE = """
import ctypes, os
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
if os.fork() == 0:
    memory = libc.malloc(ctypes.c_size_t(100))
    libc.free(ctypes.c_void_p(memory))
    libc.memset(ctypes.c_void_p(memory), 0, ctypes.c_size_t(100))
    os._exit(0)
os.wait()
print("the parent is content")
"""


@pytest.fixture
def build(tmp_path):
    """A build tree as CMake leaves it, with the installed modules in the place of sanitized ones."""
    (tmp_path / "CMakeCache.txt").write_text("CMAKE_CXX_COMPILER:FILEPATH=g++\n")
    bindings = tmp_path / "src" / "pexcore" / "bindings"
    bindings.mkdir(parents=True)
    installed = Path(importlib.util.find_spec("harness._core").origin).parent
    for path in installed.glob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"):
        (bindings / path.name).write_bytes(path.read_bytes())
    return tmp_path


def run(build, *arguments):
    done = subprocess.run(
        [sys.executable, str(TOOLS / "sanitized_python.py"), str(build), *arguments],
        capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    if "has no libasan.so" in done.stderr:
        pytest.skip("gcc's libasan.so is not installed")
    return done


def test_a_report_in_a_process_that_nobody_asks_fails_the_program(build):
    done = run(build, "-c", MISUSE)
    assert "the parent is content" in done.stdout
    assert done.returncode == 1
    assert "AddressSanitizer: heap-use-after-free" in done.stderr


def test_a_sound_program_runs_on_the_modules_of_the_build_and_keeps_its_exit_code(build):
    program = "import sys, harness._core as core, numpy; print(core.__file__); sys.exit(7)"
    done = run(build, "-c", program)
    assert done.returncode == 7, done.stderr
    assert done.stdout.startswith(f"{build}/python/")


def test_a_build_without_modules_is_refused(build):
    for module in build.glob(f"src/pexcore/bindings/*{sysconfig.get_config_var('EXT_SUFFIX')}"):
        module.unlink()
    done = run(build, "-c", "print('never')")
    assert (done.returncode, done.stdout) == (2, "")
    assert "has no extension modules: build its targets _core and _clipboard first" in done.stderr
