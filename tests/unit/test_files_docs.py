# SPDX-License-Identifier: BSD-3-Clause
"""The examples of docs/files.md do what the page says."""

import subprocess
import sys
import textwrap
from pathlib import Path

import harness.exceptions as pex
import pytest
from harness.storage import ReadRequest, register_storage, registry, storage_named, storage_names

PAGE = (Path(__file__).parents[2] / "docs" / "files.md").read_text()


def example(first_line):
    """The indented block of the page that begins with a line."""
    lines = PAGE[PAGE.index(f"    {first_line}") :].splitlines()
    taken = []
    for line in lines:
        if line and not line.startswith("    "):
            break
        taken.append(line)
    return textwrap.dedent("\n".join(taken))


def test_the_policy_passes_the_check(tmp_path):
    pytest.importorskip("astropy")
    text = f'nSlices: 2\neventBrokerHost: "spool:{tmp_path}/events"\n{example("appStage: {")}'
    text = text.replace('name: "read"', 'name: "read"\n    eventTopic: "newFrame"')
    (tmp_path / "night.paf").write_text(text)
    command = [sys.executable, "-m", "harness.cli.main", "check", "night.paf"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_storage_of_one_s_own_reads_writes_and_names_what_is_missing(tmp_path, monkeypatch):
    names = {}
    exec(example("from harness.storage import ReadRequest"), names)
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    register_storage("TextStorage", names["TextStorage"])
    sut = storage_named("TextStorage")
    sut.write(str(tmp_path / "a"), "hello")
    assert sut.read(str(tmp_path / "a"), ReadRequest("note")) == "hello"
    with pytest.raises(pex.IoError, match=f"cannot read item 'note' from {tmp_path}/b: No such file"):
        sut.read(str(tmp_path / "b"), ReadRequest("note"))


def test_the_table_has_every_storage_of_the_harness():
    assert all(f"| `{name}` |" in PAGE for name in registry._OWN)
    assert set(registry._OWN) <= set(storage_names())
