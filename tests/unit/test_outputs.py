# SPDX-License-Identifier: BSD-3-Clause
"""Recording outputs: one whole line per file, whatever is killed or full; the master reads each once."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass

import harness
import pytest
from harness import current, outputs
from harness.exceptions import IoError
from harness.ledger.journals import MASTER, Journals, journal_path
from harness.storage.atomic import atomic_file


@dataclass
class Somebody:
    rank: int = 0
    visit: int = 3
    stage_number: int = 2


@pytest.fixture
def run_dir(tmp_path):
    """A run directory; this process is its worker 0."""
    journals = Journals(tmp_path, 1)
    outputs.use_journal(outputs.Journal(journal_path(tmp_path, 0)))
    current.work_for(Somebody())
    yield tmp_path, journals
    outputs.use_journal(None)
    current.work_for(None)


def test_what_is_recorded_arrives_once_with_size_and_checksum(run_dir):
    folder, journals = run_dir
    path = folder / "a.bin"
    path.write_bytes(b"pixels" * 500_000)
    harness.record_output(path)
    (found,) = journals.new_outputs()
    assert (found.visit, found.rank, found.stage, found.path) == (3, 0, 2, str(path))
    assert found.size == 3_000_000 and found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert journals.new_outputs() == []


def test_atomic_files_record_themselves_and_failed_ones_do_not(run_dir):
    folder, journals = run_dir
    with atomic_file(str(folder / "good")) as stream:
        stream.write(b"whole")
    with pytest.raises(ValueError, match="no"), atomic_file(str(folder / "bad")) as stream:
        stream.write(b"ha")
        raise ValueError("no")
    assert [output.path for output in journals.new_outputs()] == [str(folder / "good")]
    assert sorted(path.name for path in folder.iterdir()) == ["good", "ledger.outputs"]


def test_a_child_of_stage_code_records_into_the_same_journal(run_dir):
    folder, journals = run_dir
    for name in ("mine", "childs"):
        (folder / name).touch()
    harness.record_output(folder / "mine")
    child = os.fork()
    if child == 0:
        try:
            harness.record_output(folder / "childs")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    found = [output.path for output in journals.new_outputs()]
    assert found == [str(folder / "mine"), str(folder / "childs")]


def test_half_a_line_hides_no_other(run_dir):
    folder, journals = run_dir
    (folder / "a").touch()
    harness.record_output(folder / "a")
    journal = journal_path(folder, 0)
    with journal.open("ab") as stream:
        stream.write(b'\n{"visit": 3, "rank"')
    assert len(journals.new_outputs()) == 1 and journals.complaints == []
    harness.record_output(folder / "a")
    assert len(journals.new_outputs()) == 1
    (complaint,) = journals.complaints
    assert "a line that is no output is passed over" in complaint


def test_a_file_that_is_missing_is_refused_in_a_run_and_outside(run_dir):
    folder, _ = run_dir
    with pytest.raises(IoError, match="output .*missing: no such file"):
        harness.record_output(folder / "missing")
    outputs.use_journal(None)
    with pytest.raises(OSError, match="no such file; write it first, then record it"):
        harness.record_output(folder / "missing")
    (folder / "here").touch()
    harness.record_output(folder / "here")


FULL = """
import resource, signal, sys
from pathlib import Path
from harness import current, outputs
class Me:
    rank, visit, stage_number = 0, 1, 1
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
outputs.use_journal(outputs.Journal("run/journal"))
current.work_for(Me())
try:
    outputs.record_output("a")
except OSError as error:
    print(error)
"""


def test_a_journal_that_cannot_be_written_is_an_error_of_the_stage(tmp_path):
    (tmp_path / "a").touch()
    command = [sys.executable, "-c", FULL]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "recording output" in done.stdout and "100 of " in done.stdout, done.stderr
    assert "the file itself is" in done.stdout


def test_journals_of_an_earlier_run_are_removed(tmp_path):
    old = journal_path(tmp_path, MASTER)
    old.parent.mkdir()
    old.write_bytes(b'\n{"visit": 1, "rank": 0, "stage": 1, "path": "/x", "bytes": 1, "sha256": "0"}\n')
    assert Journals(tmp_path, 1).new_outputs() == []
    assert not old.exists()


def test_outside_visits_the_number_of_the_visit_is_0(run_dir):
    assert harness.current_visit() == 3
    current.work_for(None)
    assert harness.current_visit() == 0
