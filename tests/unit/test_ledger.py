# SPDX-License-Identifier: BSD-3-Clause
"""The ledger as a file: what it holds after which call, and which files are refused with what words."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from harness import _core
from harness.errors import LedgerError
from harness.ledger import DIED, RAISED, Failure, Ledger, Output, StageTime, VisitRecord
from harness.ledger.checking import check
from harness.ledger.lock import RunLock, running_process
from harness.ledger.mounts import is_network_path
from harness.ledger.reading import read_status

ROW = {
    "run_id": "r1", "pipeline": "night", "pid": 1, "started": 1.0, "slices": 2, "workers": 2,
    "stages": '["one", "two"]', "policy_file": "night.paf", "policy": "{}", "policy_sha256": "0",
    "code": "{}", "host": "here", "cores": 2, "command": "[]", "directory": "/",
}


@pytest.fixture
def ledger(tmp_path):
    sut = Ledger(tmp_path / "ledger.sqlite")
    sut.begin_run(ROW, resumed_series=None)
    yield sut
    sut.close()


def visit(ledger: Ledger, number: int, *failures: Failure, reached: int = 2, outputs=()) -> VisitRecord:
    record = VisitRecord(2, 2, number)
    ledger.begin_visit(number, record.started)
    for failure in failures:
        record.fail(failure)
    record.reached = reached
    ledger.end_visit(record, [StageTime(0, 1, "process", 1.0, 0.5)], outputs)
    return record


def python(code: str, folder: Path) -> str:
    """What a program printed that ended well."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def outcomes(record: VisitRecord) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for outcome in record.outcomes():
        found.setdefault(outcome.rank, []).append(outcome.outcome)
    return found


def test_a_visit_without_failures_is_done_everywhere(ledger, tmp_path):
    record = visit(ledger, 1)
    assert outcomes(record) == {-1: ["done"] * 2, 0: ["done"] * 2, 1: ["done"] * 2}
    ledger.end_run("visits done", 0, "as asked")
    ledger.close()
    assert check(tmp_path) == []
    status = read_status(tmp_path)
    assert status["state"] == "complete" and status["visits"] == {"complete": 1}
    assert status["outcomes"] == {"retries": 0, "done": 6}


@pytest.mark.parametrize("end", _core.LoopEnd.__members__)
def test_a_run_that_ended_in_good_order_is_never_shown_as_failed(ledger, tmp_path, end):
    visit(ledger, 1)
    ledger.end_run(end.lower().replace("_", " "), 0, "as the loop has it")
    disorderly = end in ("AT_ONCE", "PROCESS_DIED", "SLICE_FATAL")
    expected = "failed" if disorderly else "stopped" if end == "STOPPED" else "complete"
    assert read_status(tmp_path)["state"] == expected


def test_what_lies_behind_a_failure_is_skipped_for_that_rank_alone(ledger, tmp_path):
    record = visit(ledger, 1, Failure(0, 1, RAISED, "ValueError", "no sky"))
    assert outcomes(record) == {-1: ["done"] * 2, 0: ["failed", "skipped"], 1: ["done"] * 2}
    assert record.verdict() == ("partial", "failed: slice 0")
    ledger.end_run("visits done", 0, "as asked")
    ledger.close()
    assert check(tmp_path) == [] and read_status(tmp_path)["state"] == "partial"


def test_a_retried_death_counts_and_decides_nothing(ledger):
    died = Failure(1, 2, DIED, "SIGSEGV (signal 11)", "gone", retried=True)
    record = visit(ledger, 1, died, died)
    assert outcomes(record)[1] == ["done", "done"]
    assert [one.retries for one in record.outcomes()] == [0, 0, 0, 0, 0, 2]


def test_what_lies_behind_the_last_stage_is_skipped_for_all(ledger, tmp_path):
    record = visit(ledger, 1, reached=1)
    assert set(map(tuple, outcomes(record).values())) == {("done", "skipped")}
    assert "left after stage 1 of 2" in record.verdict()[1]
    ledger.close()
    assert check(tmp_path) == []


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        ("DELETE FROM outcomes WHERE rank = 1 AND stage = 2", "expected 6 outcomes, one per rank and stage,"),
        ("UPDATE outcomes SET outcome = 'skipped' WHERE rank = 0", "saw 2 outcomes that are not"),
        ("UPDATE outcomes SET outcome = 'failed', kind = 'x' WHERE rank = 0 AND stage = 1", "without a"),
        ("UPDATE visits SET state = 'partial'", "expected an outcome that is not done, saw none"),
        ("INSERT INTO stage_times VALUES (1, 9, 0, 1, 'process', 1.0, 1.0)", "belongs to no visit"),
    ],
)
def test_contradictions_are_found(ledger, tmp_path, spoil, complaint):
    visit(ledger, 1)
    ledger.close()
    connection = sqlite3.connect(tmp_path / "ledger.sqlite")
    connection.execute(spoil)
    connection.commit()
    connection.close()
    assert any(complaint in text for text in check(tmp_path))


def test_the_table_itself_refuses_a_second_outcome(ledger):
    visit(ledger, 1)
    with pytest.raises(sqlite3.IntegrityError):
        ledger.connection.execute("INSERT INTO outcomes VALUES (1, 1, 0, 1, 'done', NULL, 0)")


WRITER = """
import os, signal, sys
sys.path.insert(0, {folder!r})
from test_ledger import ROW, visit, Output
from harness.ledger import Ledger
from pathlib import Path
ledger = Ledger(Path("ledger.sqlite"))
ledger.begin_run(ROW, resumed_series=None)
for number in range(1, 8):
    visit(ledger, number, outputs=[Output(number, 0, 1, f"/f{{number}}", 1, "0")] if number == 7 else [])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_kill_9_everything_committed_is_there(tmp_path):
    code = WRITER.format(folder=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert check(tmp_path) == []
    assert read_status(tmp_path)["visits"] == {"complete": 7}
    again = Ledger(tmp_path / "ledger.sqlite")
    again.close()
    assert read_status(tmp_path)["runs"][0]["end"] == "lost"


# --- files that are no ledger


def test_a_missing_ledger_is_named(tmp_path):
    with pytest.raises(LedgerError, match=r"ledger .*ledger.sqlite: no such file; expected a run directory"):
        read_status(tmp_path)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_text("not a database at all, but long enough to look at it\n" * 50)
    for use in (Ledger, lambda file: check(file)):
        with pytest.raises(LedgerError, match="not a database; the file is damaged, or no ledger; move"):
            use(path)
    assert path.read_text().startswith("not a database at all")


def test_another_programs_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE runs (mine)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    for use in (Ledger, lambda file: check(file)):
        with pytest.raises(LedgerError, match="expected a ledger of pex-harness .* saw another SQLite file"):
            use(path)
    assert path.read_bytes() == before


def test_a_file_that_its_maker_had_no_time_to_fill_is_a_new_ledger(tmp_path):
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = wal")
    connection.close()
    assert path.stat().st_size > 0
    with pytest.raises(LedgerError, match="there is no run in it yet"):
        check(path)
    Ledger(path).close()
    assert check(path) == []


def test_a_ledger_of_version_1_is_read_as_it_is_and_brought_up_to_date_by_who_writes(ledger, tmp_path):
    for number in (1, 2):
        visit(ledger, number)
    # It had begun ahead of visit 2, in which a slice said that there are no more data sets.
    visit(ledger, 3, reached=1)
    ledger.end_run("no more", 0, "no more datasets")
    ledger.close()
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript("ALTER TABLE runs DROP COLUMN last_visit; PRAGMA user_version = 1;")
    connection.close()
    before = path.read_bytes()
    assert check(path) == []
    status = read_status(tmp_path)
    assert (status["state"], status["visits"]) == ("complete", {"complete": 2})
    assert path.read_bytes() == before
    newer = Ledger(path)
    newer.begin_run(ROW, resumed_series=1)
    rows = newer.connection.execute("SELECT last_visit FROM runs ORDER BY run").fetchall()
    version = newer.connection.execute("PRAGMA user_version").fetchone()
    newer.close()
    assert (rows, version) == ([(2,), (None,)], (2,))


@pytest.mark.parametrize(("version", "words"), [(0, "an older"), (3, "a newer")])
def test_other_versions_of_the_schema_are_refused_by_number(ledger, tmp_path, version, words):
    ledger.close()
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    for use in (Ledger, lambda file: check(file)):
        match = f"expected schema version 1 to 2, saw version {version}, written by {words} pex-harness"
        with pytest.raises(LedgerError, match=match):
            use(path)


def test_damage_inside_the_file_is_found(ledger, tmp_path):
    for number in range(1, 200):
        visit(ledger, number)
    ledger.close()
    path = tmp_path / "ledger.sqlite"
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 8] = os.urandom(4096 * 5)
    path.write_bytes(data)
    try:
        assert check(path) != []
    except LedgerError as error:
        assert "malformed" in str(error)


def test_a_full_disk_is_an_error_that_says_what_is_lost_and_what_to_do(ledger, tmp_path):
    pages = ledger.connection.execute("PRAGMA page_count").fetchone()[0]
    ledger.connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    with pytest.raises(LedgerError, match=r"recording visit \d+: database or disk is full; free some space"):
        for number in range(1, 500):
            visit(ledger, number)
    ledger.close()
    assert check(tmp_path) == []


# --- the lock


HOLDER = """
import sys, time
from pathlib import Path
from harness.ledger.lock import RunLock
lock = RunLock(Path("."))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_lock_refuses_a_second_process_and_ends_with_the_first(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        assert running_process(tmp_path) == holder.pid
        with pytest.raises(LedgerError, match=f"saw one in process {holder.pid}; wait for its end"):
            RunLock(tmp_path)
        holder.kill()
        holder.wait()
        assert running_process(tmp_path) == 0
        RunLock(tmp_path).release()
    finally:
        holder.kill()
        holder.communicate()


def test_looking_at_the_lock_does_not_end_it(tmp_path):
    lock = RunLock(tmp_path)
    assert running_process(tmp_path) == os.getpid()
    with pytest.raises(LedgerError, match="no run is going on there"):
        RunLock(tmp_path)
    code = (
        "from pathlib import Path; from harness.ledger.lock import running_process;"
        " print(running_process(Path('.')))"
    )
    assert python(code, tmp_path).strip() == str(os.getpid())
    lock.release()
    assert running_process(tmp_path) == 0


def test_a_fork_of_the_holder_does_not_hold_the_lock(tmp_path):
    lock = RunLock(tmp_path)
    read_fd, write_fd = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write_fd)
        os.read(read_fd, 1)
        os._exit(0)
    lock.release()
    assert running_process(tmp_path) == 0
    os.close(read_fd)
    os.close(write_fd)
    os.waitpid(child, 0)


def test_network_file_systems_are_told_by_the_table_of_mounts(tmp_path):
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
        "30 22 0:40 / /data/far\\040away rw - nfs4 server:/x rw\n"
        "31 30 8:2 / /data/far\\040away/near rw - xfs /dev/sdb rw\n"
    )
    assert is_network_path(Path("/data/far away/run/ledger.sqlite"), table)
    assert not is_network_path(Path("/data/far away/near/run"), table)
    assert not is_network_path(Path("/data/far"), table)
    assert not is_network_path(Path("/data/far"), tmp_path / "missing")


def test_the_journal_is_rolled_back_where_the_file_system_is_a_network_one(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.ledger.schema.is_network_path", lambda path: True)
    sut = Ledger(tmp_path / "ledger.sqlite")
    sut.begin_run(ROW, resumed_series=None)
    visit(sut, 1, outputs=[Output(1, 0, 1, "/f", 1, "0")])
    assert sut.connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete"
    sut.close()
    assert check(tmp_path) == [] and not (tmp_path / "ledger.sqlite-wal").exists()


def test_a_fork_of_the_master_that_ends_by_itself_leaves_the_ledger_whole(tmp_path):
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom harness.ledger import Ledger\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\nfrom test_ledger import ROW, visit\n"
        "ledger = Ledger(Path('ledger.sqlite'))\nledger.begin_run(ROW, resumed_series=None)\n"
        "visit(ledger, 1)\nchild = os.fork()\n"
        "if child == 0:\n    sys.exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\nassert Path('ledger.sqlite-wal').exists()\n"
        "visit(ledger, 2)\nledger.end_run('visits done', 0, '')\nledger.close()\n"
    )
    python(code, tmp_path)
    assert check(tmp_path) == [] and read_status(tmp_path)["visits"] == {"complete": 2}
