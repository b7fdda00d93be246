# SPDX-License-Identifier: BSD-3-Clause
"""Makes a private virtual environment with pip in it, also where the system's Python lacks ensurepip.

Usage: make_venv.py DIRECTORY. Does nothing when the environment is there and works. Says what is missing,
and the command that installs it, when this machine cannot build extension modules.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

OLDEST = (3, 10)


def main() -> int:
    """Makes the environment; returns the exit code."""
    if len(sys.argv) != 2:
        print("usage: make_venv.py DIRECTORY", file=sys.stderr)
        return 1
    directory = Path(sys.argv[1])
    if sys.version_info < OLDEST:
        return _give_up(
            f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version.split()[0]}"
        )
    missing = _missing_packages()
    if missing and not _install_with_apt(missing):
        return _give_up(f"to build the core, install: sudo apt-get install {' '.join(missing)}")
    if _has_pip(directory):
        return 0
    if _make_with_ensurepip(directory) or _make_with_own_pip(directory):
        return 0
    if _install_with_apt(["python3-venv"]) and _make_with_ensurepip(directory):
        return 0
    return _give_up(
        "this Python cannot make virtual environments; install: sudo apt-get install python3-venv"
    )


def _missing_packages() -> list[str]:
    missing = []
    if not any(shutil.which(name) for name in (os.environ.get("CXX", "c++"), "g++", "clang++")):
        missing.append("g++")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append("python3-dev")
    return missing


def _install_with_apt(packages: list[str]) -> bool:
    """Installs Debian packages where this user may; elsewhere does nothing and says so by its result."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    print(f"installing {' '.join(packages)} with apt-get", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], env=environment, check=False)
    return (
        subprocess.run(["apt-get", "install", "-y", "-q", *packages], env=environment, check=False).returncode
        == 0
    )


def _has_pip(directory: Path) -> bool:
    python = directory / "bin" / "python"
    return python.exists() and _quiet([python, "-m", "pip", "--version"])


def _make_with_ensurepip(directory: Path) -> bool:
    return _quiet([sys.executable, "-m", "venv", "--clear", directory]) and _has_pip(directory)


def _make_with_own_pip(directory: Path) -> bool:
    """Without ensurepip the system's pip, if there is one, can install another into the environment."""
    if not _quiet([sys.executable, "-m", "venv", "--clear", "--without-pip", directory]):
        return False
    python = directory / "bin" / "python"
    return _quiet([sys.executable, "-m", "pip", "--python", python, "install", "pip"]) and _has_pip(directory)


def _quiet(command: list[str | Path]) -> bool:
    return (
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode
        == 0
    )


def _give_up(text: str) -> int:
    print(f"make_venv: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
