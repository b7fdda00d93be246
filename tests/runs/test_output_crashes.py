# SPDX-License-Identifier: BSD-3-Clause
"""Processes are killed at named points of the way of an output: to its name, and into the ledger.

The points are those of `samples/crash_points.py`. Whatever was killed, a resumed run does again what is not
proven complete, and then every output is there, whole, once in the ledger, and nothing beside it.
"""

import json
import shutil
import signal
from pathlib import Path

import pytest
from harness.ledger.checking import check
from invariants import ledger_of, misjudged, proven

SAMPLES = Path(__file__).parent / "samples"
LOST = 6
WHO = ("master", "slice0", "slice1")
KINDS = ("file", "path", "directory", "over")


class Night:
    """Two slices on two workers, which write outputs; `run(visits, crashes)` resumes what there was."""

    def __init__(self, bench, monkeypatch) -> None:
        import crash_points
        import crash_stages

        self.points, self._content = crash_points, crash_stages.content
        self._bench, self._monkeypatch = bench, monkeypatch
        self.out = bench.folder / "out"
        self.out.mkdir()
        for name in ("crash_points.py", "crash_stages.py"):
            shutil.copy(SAMPLES / name, bench.folder)

    def policy(self, head: str) -> None:
        path = self._bench.policy("write Join Write", head=head)
        path.write_text(path.read_text().replace("stages_here.", "crash_stages."))

    def run(self, visits: int, crashes: dict[str, str]):
        """Runs to the end, or to the death of the master; each crash must have happened."""
        self._monkeypatch.setenv("CRASHES", json.dumps(crashes))
        done = self._bench.run("--workers", "2", "--visits", str(visits), "--resume")
        missing = [place for place in crashes if not (self._bench.folder / f"crashed-{place}").exists()]
        assert not missing, (missing, done.err)
        self._bench.wait_until(lambda: not self._bench.processes(), "the workers to end")
        return done

    def called(self) -> set[int]:
        """The visits in which a stage was called since the last look."""
        path = self._bench.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return {int(line.split()[0]) for line in lines}

    def wrong(self, visits: int) -> list[str]:
        """What is wrong with ledger and files now that all visits are to be complete."""
        wrong = check(self._bench.run_dir)
        if proven(self._bench.run_dir) != set(range(1, visits + 1)):
            wrong.append(f"complete are {proven(self._bench.run_dir)}")
        wanted = {f"{kind}-{who}-{visit}" for kind in KINDS for who in WHO for visit in range(1, visits + 1)}
        there = {path.name for path in self.out.iterdir()}
        wrong += [f"{name} is missing" for name in sorted(wanted - there)]
        wrong += [f"{name} is no output" for name in sorted(there - wanted)]
        hidden = [path for path in self._bench.run_dir.rglob("*") if path.name.startswith(".")]
        wrong += [f"{path} was left in the run directory" for path in hidden]
        for name in sorted(wanted & there):
            kind, who, visit = name.split("-")
            wrong += self._wrong_bytes(self.out / name, self._content(who, kind, int(visit)))
        with ledger_of(self._bench.run_dir) as ledger:
            told = ledger.execute(
                "SELECT o.path FROM outputs o JOIN standing s ON s.run = o.run AND s.visit = o.visit"
            ).fetchall()
        if sorted(Path(path).name for (path,) in told) != sorted(wanted):
            wrong.append(f"the ledger has {len(told)} outputs, expected {len(wanted)}, each once")
        return wrong

    @staticmethod
    def _wrong_bytes(path: Path, content: bytes) -> list[str]:
        """As one process would have written it, byte for byte."""
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        if path.is_dir() and [file.name for file in files] != ["one", "two"]:
            return [f"{path} has {[file.name for file in files]}"]
        return [f"{file} differs" for file in files if file.read_bytes() != content]


@pytest.fixture
def night(bench, monkeypatch) -> Night:
    monkeypatch.syspath_prepend(str(SAMPLES))
    return Night(bench, monkeypatch)


def test_a_worker_that_is_killed_on_the_way_of_an_output_is_replaced_and_writes_it_once_more(night):
    crashes = {f"slice1-{visit}": name for visit, name in enumerate(night.points.OF_WORKERS, 2)}
    visits = len(crashes) + 1
    night.policy("sliceRetries: 1")
    done = night.run(visits, crashes)
    assert done.code == 0, done.err
    assert [death["visit"] for death in done.summary["deaths"]] == list(range(2, visits + 1))
    assert night.called() == set(range(1, visits + 1))
    assert night.wrong(visits) == []
    assert night.run(visits, {}).code == 0 and night.called() == set()


def test_visits_whose_worker_is_killed_on_the_way_of_an_output_are_all_that_a_resume_does_again(night):
    # In every other visit.
    crashes = {f"slice1-{2 * place}": name for place, name in enumerate(night.points.OF_WORKERS, 1)}
    visits = 2 * len(crashes) + 1
    night.policy("sliceRetries: 0")
    done = night.run(visits, crashes)
    assert done.code == LOST, done.err
    trusted = set(range(1, visits + 1, 2))
    assert done.summary["partial_visits"] == sorted(night.called() - trusted)
    assert proven(done.run_dir) == trusted
    assert night.run(visits, {}).code == 0
    assert misjudged(visits, trusted, night.called()) == []
    assert night.wrong(visits) == []


@pytest.mark.parametrize("kind", ["FILE", "PATH", "DIRECTORY", "LEDGER"])
def test_a_master_that_is_killed_on_the_way_of_an_output_is_resumed_with_the_visit_concerned(night, kind):
    points = getattr(night.points, kind)
    night.policy("")
    visits, trusted = len(points) + 2, 0
    for visit, name in enumerate(points, 2):
        done = night.run(visits, {f"master-{visit}": name})
        signals = signal.SIGXFSZ if name == "ledger: in the commit" else signal.SIGKILL
        assert done.code == -signals, (name, done.err)
        assert night.called() == set(range(trusted + 1, visit + 1)), name
        trusted = visit if name == "ledger: committed" else visit - 1
        assert proven(done.run_dir) == set(range(1, trusted + 1)), name
    assert night.run(visits, {}).code == 0
    assert night.called() == set(range(trusted + 1, visits + 1))
    assert night.wrong(visits) == []
