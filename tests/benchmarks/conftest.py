# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark programs in a folder where a test can break them, beside the library that they load."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "build" / "cpp" / "benchmarks" / "libbare.so"
TIMEOUT_S = 120


@dataclass
class Programs:
    """A copy of `benchmarks`."""

    folder: Path

    def spoil(self, name: str, right: str, wrong: str) -> None:
        """Replaces a piece of one file, which has to be there."""
        path = self.folder / name
        text = path.read_text()
        assert text.count(right) == 1, f"{name}: {right!r} is there {text.count(right)} times"
        path.write_text(text.replace(right, wrong))

    def run(self, name: str, *options: str, timeout: float = TIMEOUT_S) -> subprocess.CompletedProcess:
        """Runs one program to its end."""
        command = [sys.executable, str(self.folder / name), *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


@pytest.fixture
def programs(tmp_path):
    """The programs, with what `make test-cpp` has built for them."""
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=unwanted)
    (tmp_path / "build").symlink_to(ROOT / "build")
    return Programs(tmp_path / "benchmarks")


@pytest.fixture
def library():
    """Skips where the programs of benchmarks/handover have no library to read images with."""
    if not LIBRARY.exists():
        pytest.skip(f"{LIBRARY.relative_to(ROOT)} is not built: make test-cpp builds it")
