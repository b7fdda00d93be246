# SPDX-License-Identifier: BSD-3-Clause
"""What a run was made of: code and machine; and how two runs differ in their code."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness.ledger.code_files import own_imports

OWN = ("harness.", "lsst.pex.harness.", "lsst.dps.")


def sha256_of(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def code_versions(class_names: Iterable[str]) -> dict[str, Any]:
    """Versions of harness, Python and NumPy, and per module of a stage class its file with SHA-256.

    The same of the modules of its package that it imports, directly or not. A module that is not imported
    yet is looked for without importing it.
    """
    import harness

    files: dict[str, str] = {}
    for name in sorted({name.rpartition(".")[0] for name in class_names}):
        path = _file_of(name)
        if path is not None:
            files[name] = path
            # The version stands for the harness's own stages.
            if not f"{name}.".startswith(OWN):
                files |= own_imports(name, path)
    modules = {name: {"file": path, "sha256": _sha256_of_file(path)} for name, path in files.items()}
    return {
        "harness": harness.__version__,
        "python": sys.version.partition(" ")[0],
        "numpy": _numpy_version(),
        "modules": modules,
    }


def machine() -> dict[str, object]:
    """Host, usable cores, process, command line (JSON) and directory, as columns of `runs`."""
    return {
        "host": os.uname().nodename,
        "cores": len(os.sched_getaffinity(0)),
        "pid": os.getpid(),
        "command": json.dumps(sys.orig_argv),
        "directory": os.getcwd(),
    }


def code_differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Where the code of two runs differs, in words."""
    found = [
        f"{name}: {now.get(name)}, was {before.get(name)}"
        for name in ("harness", "python", "numpy")
        if before.get(name) != now.get(name)
    ]
    old, new = before.get("modules", {}), now.get("modules", {})
    for name in sorted({*old, *new}):
        was, is_now = old.get(name), new.get(name)
        if was is None or is_now is None:
            found.append(f"module {name}: {'new' if was is None else 'no longer used'}")
        elif was["sha256"] != is_now["sha256"]:
            found.append(f"module {name} ({is_now['file']}): its text has changed")
    return found


def _numpy_version() -> str | None:
    """NumPy's version; `None` without NumPy. Neither imported for this, nor asked for by its metadata.

    Looking metadata up and parsing it takes longer than all the rest of a ledger's beginning.
    """
    loaded = sys.modules.get("numpy")
    if loaded is not None:
        return str(loaded.__version__)
    spec = importlib.util.find_spec("numpy")
    if spec is None or spec.origin is None:
        return None
    try:
        text = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^version = [\"']([^\"']+)[\"']", text, re.MULTILINE)
    return found.group(1) if found else _version_of("numpy")


def _version_of(distribution: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _file_of(module: str) -> str | None:
    """The file of a module; `None` for what has none."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        return getattr(loaded, "__file__", None)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return spec.origin if spec is not None and spec.has_location else None


def _sha256_of_file(path: str) -> str | None:
    try:
        with open(path, "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()
    except OSError:
        return None
