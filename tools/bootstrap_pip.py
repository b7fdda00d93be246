# SPDX-License-Identifier: BSD-3-Clause
"""A virtual environment with pip, also from a Python without ensurepip, which Debian packages apart."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from setup_error import SetupError

DEFAULT_INDEX = "https://pypi.org/simple"
TIMEOUT_S = 60


def make_environment(directory: Path) -> None:
    """Makes the environment anew. Raises `SetupError` with what was tried when no way leads to pip."""
    python = directory / "bin" / "python"
    failures = []
    command = [sys.executable, "-m", "venv", "--clear", directory]
    if _attempt("ensurepip", command, failures):
        return
    if not _attempt("venv", [*command, "--without-pip"], failures):
        raise SetupError(f"{sys.executable} cannot make virtual environments: {'; '.join(failures)}")
    own_pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "pip"]
    if _attempt("the system's pip", own_pip, failures):
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            wheel = download_pip(Path(folder))
        except (OSError, ValueError, KeyError) as error:
            failures.append(f"download of pip: {error}")
        else:
            if _attempt("downloaded pip", [python, wheel / "pip", "install", "-q", wheel], failures):
                return
    raise SetupError(
        f"pip cannot be put into {directory}: {'; '.join(failures)}."
        " Check the network, or on Debian and Ubuntu: sudo apt-get install python3-venv"
    )


def download_pip(folder: Path) -> Path:
    """Downloads the newest pip for this Python from the package index (PIP_INDEX_URL, else the public one).

    Returns the wheel, checked against the index's SHA-256. Raises `OSError` when the index cannot be reached,
    `ValueError` or `KeyError` when its answer cannot be used.
    """
    page = os.environ.get("PIP_INDEX_URL", DEFAULT_INDEX).rstrip("/") + "/pip/"
    request = urllib.request.Request(page, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        files = json.load(answer)["files"]
    newest = max((entry for entry in files if _runs_here(entry)), key=_version)
    with urllib.request.urlopen(urllib.parse.urljoin(page, newest["url"]), timeout=TIMEOUT_S) as answer:
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != newest["hashes"]["sha256"]:
        raise ValueError(f"{newest['filename']} does not have the SHA-256 that {page} states")
    wheel = folder / newest["filename"]
    wheel.write_bytes(content)
    return wheel


def _runs_here(entry: dict[str, Any]) -> bool:
    oldest = re.match(r">=3\.(\d+)", entry.get("requires-python") or "")
    final_wheel = re.fullmatch(r"pip-[\d.]+-py3-none-any\.whl", entry["filename"])
    return bool(final_wheel and oldest and not entry.get("yanked") and int(oldest[1]) <= sys.version_info[1])


def _version(entry: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(part) for part in entry["filename"].split("-")[1].split("."))


def _attempt(what: str, command: list[str | Path], failures: list[str]) -> bool:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return True
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    failures.append(f"{what}: {said[-1] if said else f'exit code {done.returncode}'}")
    return False
