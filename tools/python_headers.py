# SPDX-License-Identifier: BSD-3-Clause
"""Python's C headers: where they are, or fetched as an ordinary user from the Debian archive and unpacked.

Debian and Ubuntu keep Python.h in a package of its own. apt-get can download it without privilege once its
lists and cache lie in a folder of ours.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setup_error import SetupError


def find_or_fetch(directory: Path) -> list[Path]:
    """Folders to add to the include path, that of Python.h first; none where the compiler finds it anyway.

    Fetched headers go to DIRECTORY/headers. Raises `SetupError` when there are none and none can be fetched.
    """
    if Path(sysconfig.get_path("include"), "Python.h").exists():
        return []
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    root = directory / "headers"
    include = root / "usr" / "include"
    if not (include / version / "Python.h").exists():
        _fetch(f"lib{version}-dev", root)
    return [include / version, include]


def _fetch(package: str, root: Path) -> None:
    advice = f"on Debian and Ubuntu: sudo apt-get install {package}"
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        place = sysconfig.get_path("include")
        raise SetupError(f"Python.h is needed to build the core, and is not in {place}; {advice}")
    print(f"fetching the headers of Python ({package})", flush=True)
    work = root.with_name("headers-download")
    for folder in ("lists/partial", "archives/partial"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    apt = [
        "apt-get", "-q", "-o", f"Dir::State::Lists={work}/lists", "-o", f"Dir::Cache={work}",
        "-o", "APT::Sandbox::User=",
    ]  # fmt: skip
    try:
        for command in ([*apt, "update"], [*apt, "download", package]):
            _run(command, work, advice)
        for archive in work.glob("*.deb"):
            _run(["dpkg-deb", "-x", archive, root], work, advice)
    finally:
        shutil.rmtree(work)


def _run(command: list[str | Path], folder: Path, advice: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        text = " ".join(str(word) for word in command)
        said = done.stderr.strip() or done.stdout.strip()
        raise SetupError(f"fetching Python.h: {text} failed: {said}; {advice}")
