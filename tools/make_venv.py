# SPDX-License-Identifier: BSD-3-Clause
"""Makes the virtual environment that demo and tests run in, with what a build needs and this machine lacks.

Usage: make_venv.py [--check] DIRECTORY. Nothing outside DIRECTORY is touched, and no privilege is asked for:
pip comes from ensurepip, from the system's pip or from the package index, and missing Python headers from the
Debian archive. DIRECTORY/environment, read by a shell, then holds the variables that a build needs. With
--check, the exit code tells whether the environment is there and works, and nothing is made.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import bootstrap_pip
import python_headers
from setup_error import SetupError

OLDEST = (3, 10)
CXX_SAMPLE = "#include <atomic>\n#include <bit>\n#include <concepts>\n#include <span>\nint main() {}\n"


def main() -> int:
    """Makes or checks the environment; returns the exit code."""
    arguments = sys.argv[1:]
    check = arguments[:1] == ["--check"]
    if len(arguments) != 1 + check:
        print("usage: make_venv.py [--check] DIRECTORY", file=sys.stderr)
        return 1
    directory = Path(arguments[-1]).absolute()
    if check:
        return 0 if _works(directory) else 1
    try:
        _make(directory)
    except SetupError as error:
        print(f"make_venv: {error}", file=sys.stderr)
        return 2
    return 0


def _make(directory: Path) -> None:
    if sys.version_info < OLDEST:
        raise SetupError(
            f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed,"
            f" {sys.executable} is {sys.version.split()[0]};"
            " choose another with: make PYTHON=/path/to/python3"
        )
    _require_compiler()
    if not _works(directory):
        bootstrap_pip.make_environment(directory)
    headers = python_headers.find_or_fetch(directory)
    (directory / "environment").write_text(_environment(directory, headers))


def _require_compiler() -> None:
    """Raises `SetupError` without a C++20 compiler where CMake looks: $CXX, then c++, g++ and clang++."""
    named = os.environ.get("CXX")
    for compiler in [shlex.split(named)] if named else [["c++"], ["g++"], ["clang++"]]:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "sample.cpp")
            source.write_text(CXX_SAMPLE)
            if _quiet([*compiler, "-std=c++20", "-c", source, "-o", Path(folder, "sample.o")]):
                return
    seen = f"CXX={named} cannot compile C++20" if named else "none of c++, g++ and clang++ can compile C++20"
    raise SetupError(
        f"a C++20 compiler is needed (g++ 10, clang++ 12 or newer): {seen};"
        " on Debian and Ubuntu: sudo apt-get install g++"
    )


def _works(directory: Path) -> bool:
    """Whether the environment has pip, was made by this version of Python, and was made for this place."""
    python = directory / "bin" / "python"
    environment = directory / "environment"
    if not python.exists() or not environment.exists():
        return False
    if _first_line(directory) not in environment.read_text():
        return False
    program = f"import pip, sys; sys.exit(sys.version_info[:3] != {tuple(sys.version_info[:3])})"
    return _quiet([python, "-I", "-c", program])


def _environment(directory: Path, headers: list[Path]) -> str:
    lines = [_first_line(directory), 'PATH="$VIRTUAL_ENV/bin:$PATH"; export PATH']
    lines.append("unset PYTHONHOME PYTHONPATH")
    if headers:
        joined = shlex.quote(":".join(str(path) for path in headers))
        lines.append(f'CPATH={joined}"${{CPATH:+:$CPATH}}"; export CPATH')
        lines.append(f"SKBUILD_CMAKE_DEFINE={shlex.quote(f'Python_INCLUDE_DIR={headers[0]}')}")
        lines.append("export SKBUILD_CMAKE_DEFINE")
    return "\n".join(lines) + "\n"


def _first_line(directory: Path) -> str:
    return f"VIRTUAL_ENV={shlex.quote(str(directory))}; export VIRTUAL_ENV"


def _quiet(command: list[str | Path]) -> bool:
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return False
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
