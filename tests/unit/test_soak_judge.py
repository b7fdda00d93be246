# SPDX-License-Identifier: BSD-3-Clause
"""The judge of the soak sees what is wrong with a night: each thing is spoilt once in one that is right."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[1] / "soak"
VISITS = 2


@pytest.fixture(scope="module")
def night(tmp_path_factory) -> Path:
    """A night without deaths."""
    folder = tmp_path_factory.mktemp("soak")
    (folder / "out").mkdir()
    command = [sys.executable, "-m", "harness.cli.main", "run", str(SOAK / "soak.paf"), "soak", "-s"]
    command += ["--visits", str(VISITS), "--run-dir", str(folder / "run")]
    environment = {"PYTHONPATH": str(SOAK), "PATH": "/usr/bin:/bin"}
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=100)
    return folder


@pytest.fixture
def judged(night, tmp_path, monkeypatch):
    """What the judge says of a copy of the night that `spoil(folder)` has changed."""
    monkeypatch.syspath_prepend(str(SOAK))
    import soak_judge
    from soak_figures import Figures

    def judge(spoil=lambda folder: None) -> list[str]:
        folder = tmp_path / "night"
        subprocess.run(["cp", "-r", str(night), str(folder)], check=True)
        spoil(folder)
        figures = Figures()
        soak_judge.judge(folder, folder / "run", VISITS, figures)
        return figures.wrong

    return judge


def statement(text: str):
    def spoil(folder: Path) -> None:
        with sqlite3.connect(folder / "run" / "ledger.sqlite") as connection:
            connection.execute(text)
        connection.close()

    return spoil


def test_nothing_is_wrong_with_a_night_without_deaths(judged):
    assert judged() == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (statement("DELETE FROM outcomes WHERE visit = 1 AND rank = 2 AND stage = 1"), "lost: [(1, 2, 1)]"),
        (statement("UPDATE outcomes SET outcome = 'skipped' WHERE visit = 2 AND rank = 0"), "outcome (2, 0"),
        (statement("DELETE FROM outputs WHERE path LIKE '%flux-2.npy'"), "the ledger has 11 outputs"),
        (lambda folder: (folder / "out" / "flux-1.npy").write_bytes(b""), "flux-1.npy differs"),
        (lambda folder: (folder / "out" / "mosaic-2.npy").unlink(), "mosaic-2.npy differs"),
        (lambda folder: (folder / "out" / ".a.npy.tmp").touch(), "files beside the results: ['.a.npy.tmp']"),
        (lambda folder: (folder / "run" / ".master.json.tmp").touch(), "a temporary file was left"),
    ],
    ids=["lost", "not done", "unrecorded", "wrong", "missing", "temporary", "temporary of the run"],
)
def test_what_is_wrong_is_seen(judged, spoil, words):
    assert any(words in line for line in judged(spoil)), judged
