# SPDX-License-Identifier: BSD-3-Clause
"""Runs a program with the extension modules of a sanitized build in the place of the installed ones.

Usage: sanitized_python.py BUILD ARGUMENT ... (for example: build/asan -m pytest tests/unit/test_arrays.py).
BUILD is a tree configured with PEX_SANITIZE and GCC; the Python that runs this has the package installed.
BUILD/python becomes a virtual environment that sees that Python's packages, and has a copy of ours with the
modules of BUILD in it: processes that the program starts use it too. What a sanitizer reports goes to
BUILD/reports: a report fails the program, in whatever process it was made and whatever became of that.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from setup_error import SetupError

ASAN_OPTIONS = {
    # The interpreter and NumPy keep objects to the end of the process, and workers leave by _exit.
    "detect_leaks": 0,
    # Stages of tests die of signals on purpose, and the signal is what the harness has to report.
    "handle_segv": 0,
    "handle_sigbus": 0,
    "handle_sigill": 0,
    # A request that cannot be met is a MemoryError in Python, not a finding.
    "allocator_may_return_null": 1,
}
TOLD = 20_000
"""As many characters of each report are shown; all of it is in its file."""


def main() -> int:
    """Runs the program; returns its exit code, or 1 where something was reported."""
    if len(sys.argv) < 3:
        print("usage: sanitized_python.py BUILD ARGUMENT ...", file=sys.stderr)
        return 1
    build = Path(sys.argv[1]).absolute()
    reports = build / "reports"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir()
    try:
        python = make_python(build)
        environment = make_environment(build, reports)
    except SetupError as error:
        print(f"sanitized_python: {error}", file=sys.stderr)
        return 2
    code = subprocess.run([python, *sys.argv[2:]], env=environment, check=False).returncode
    for report in sorted(reports.iterdir()):
        print(f"\nreported: {report}\n{report.read_text(errors='replace')[:TOLD]}", file=sys.stderr)
        code = code or 1
    return code


def make_python(build: Path) -> Path:
    """The interpreter of a fresh environment with the sanitized package. Raises `SetupError`."""
    place = build / "python"
    venv.create(place, clear=True, with_pip=False, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(place), "platbase": str(place)}))
    installed = Path(sysconfig.get_path("purelib"))
    shutil.copytree(installed / "harness", packages / "harness", ignore=shutil.ignore_patterns("*.so"))
    (packages / "beside.pth").write_text(f"{installed}\n")
    modules = sorted(build.glob(f"src/pexcore/bindings/*{sysconfig.get_config_var('EXT_SUFFIX')}"))
    if not modules:
        raise SetupError(f"{build} has no extension modules: build its targets _core and _clipboard first")
    for module in modules:
        shutil.copy(module, packages / "harness")
    return place / "bin" / "python"


def make_environment(build: Path, reports: Path) -> dict[str, str]:
    """Variables under which a process, and those that it starts, have the sanitizer. Raises `SetupError`."""
    cache = (build / "CMakeCache.txt").read_text()
    compiler = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache, re.MULTILINE)
    if compiler is None:
        raise SetupError(f"{build}/CMakeCache.txt names no compiler: configure the tree first")
    # The sanitizer has to come first in a process, and finds C++ exceptions only if their library is there.
    libraries = [runtime(compiler[1], name) for name in ("libasan.so", "libstdc++.so.6")]
    options = {**ASAN_OPTIONS, "log_path": reports / "asan"}
    place = str(build / "python")
    return {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": ":".join(f"{key}={value}" for key, value in options.items()),
        "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={reports / 'ubsan'}",
        "VIRTUAL_ENV": place,
        "PATH": f"{place}/bin{os.pathsep}{os.environ['PATH']}",
    }


def runtime(compiler: str, name: str) -> str:
    """The path of a library that comes with GCC. Raises `SetupError`."""
    command = [compiler, f"-print-file-name={name}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    if not os.path.isabs(found):
        raise SetupError(f"{compiler} has no {name}: Python is tested with the sanitizers of GCC")
    return os.path.realpath(found)


if __name__ == "__main__":
    sys.exit(main())
