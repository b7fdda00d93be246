# SPDX-License-Identifier: BSD-3-Clause
"""Runs whose processes are killed or stopped at the fault points of the compiled core, each by its name.

The points are there in the build of `make test-python-asan`, and are read from the sources: a new one is
killed at, or fails these tests. What must hold afterwards is what the soak asks for
(tests/soak/soak_judge.py).
"""

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from harness import _core

HERE = Path(__file__).parent
SOAK = HERE.parent / "soak"
SOURCES = HERE.parents[1] / "src" / "pexcore"
VISITS = 6

needs_points = pytest.mark.skipif(
    not hasattr(_core, "FAULT_POINTS"), reason="the modules have no fault points, as is right for users"
)

POINTS = sorted(
    {
        name
        for path in SOURCES.rglob("*.?pp")
        for name in re.findall(r'fault_point\("([^"]+)"\)', path.read_text())
    }
)
AT_BIRTH = ["worker: born", "worker: attached", "worker: set up", "worker: ready", "worker: repeats"]
AT_THE_END = ["worker: leaving", "worker: left"]
AFTER_A_DEATH = ["master: took a death", "master: swept", "master: revoked", "master: admitted"]
ONLY_MASTERS_PASS = ["arena: punched", "arena: unrooted"]
IN_STEPS = [
    name
    for name in POINTS
    if not name.startswith("master:") and name not in (*AT_BIRTH, *AT_THE_END, *ONLY_MASTERS_PASS)
]
IN_MASTERS = [name for name in POINTS if not name.startswith("worker:")]
FIRST_DEATH = "worker|worker: took|2|kill"


def groups(names: list[str], size: int) -> list[list[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]


class Camera:
    """The reduction of the soak in a bench, run with faults that are ordered."""

    def __init__(self, bench, monkeypatch) -> None:
        import soak_judge
        from soak_figures import Figures

        self._bench, self._monkeypatch = bench, monkeypatch
        self._judge, self._make_figures = soak_judge.judge, Figures
        (bench.folder / "out").mkdir()
        for name in ("soak_model.py", "soak_stages.py"):
            shutil.copy(SOAK / name, bench.folder)
        # No warm blocks past a visit, so that pages are given back in every one.
        text = (SOAK / "soak.paf").read_text().replace("sliceRetries: 4", "sliceRetries: 50\narenaWarm: 0")
        (bench.folder / "night.paf").write_text(text)

    def change(self, before: str, after: str) -> None:
        """Changes the policy."""
        path = self._bench.folder / "night.paf"
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def run(self, *orders: str, without: str = ""):
        """A run, resumed if there was one, with faults `ROLE|POINT|N|ACTION`; each must have happened."""
        marks = [self._bench.folder / f"mark-{order.replace('|', '-').replace(' ', '')}" for order in orders]
        told = ";".join(f"{order}|{mark}" for order, mark in zip(orders, marks, strict=True))
        self._monkeypatch.setenv("PEX_FAULT", told)
        self._monkeypatch.setenv("PEX_WITHOUT", without)
        done = self._bench.run("--visits", str(VISITS), "--resume")
        missing = [order for order, mark in zip(orders, marks, strict=True) if not mark.exists()]
        assert not missing, f"never came to pass: {missing}\n{done.err}"
        return done

    def judge(self) -> list[str]:
        """What is wrong with ledger and files now that the night is complete."""
        figures = self._make_figures()
        self._judge(self._bench.folder, self._bench.run_dir, VISITS, figures)
        return figures.wrong


@pytest.fixture
def camera(bench, monkeypatch) -> Camera:
    monkeypatch.syspath_prepend(str(SOAK))
    return Camera(bench, monkeypatch)


def test_a_build_for_users_has_no_fault_points(camera, bench):
    if hasattr(_core, "FAULT_POINTS"):
        pytest.skip("this is the build for tests")
    with pytest.raises(AssertionError, match="never came to pass"):
        camera.run(FIRST_DEATH)
    assert camera.judge() == []


@needs_points
@pytest.mark.parametrize("names", groups(IN_STEPS, 6), ids=lambda names: names[0].replace(" ", "_"))
def test_a_worker_that_is_killed_at_a_fault_point_costs_nothing(camera, names):
    # Bells ring before the first visit, too.
    counts = [4 if name == "bell: between" else 1 + place % 2 for place, name in enumerate(names)]
    done = camera.run(*(f"worker|{name}|{count}|kill" for name, count in zip(names, counts, strict=True)))
    assert done.code == 0, done.err
    assert camera.judge() == []
    deaths = done.summary["deaths"]
    assert len(deaths) == len(names) and all(death["cause"] == "SIGKILL (signal 9)" for death in deaths)
    assert (done.summary["arena"]["live_blocks"], done.summary["arena"]["busy_blocks"]) == (0, 0)
    assert done.summary["partial_visits"] == []


@needs_points
def test_replacements_that_are_killed_while_they_are_born_cost_nothing(camera):
    done = camera.run(FIRST_DEATH, *(f"fresh|{name}|1|kill" for name in AT_BIRTH))
    assert done.code == 0, done.err
    assert camera.judge() == []
    assert len(done.summary["deaths"]) == 1 + len(AT_BIRTH)
    assert (done.summary["arena"]["live_blocks"], done.summary["arena"]["busy_blocks"]) == (0, 0)


@needs_points
@pytest.mark.parametrize("name", AT_BIRTH[:-1])
def test_a_worker_that_is_killed_before_the_first_visit_ends_the_run_which_can_be_resumed(camera, name):
    done = camera.run(f"worker|{name}|1|kill")
    assert "SIGKILL (signal 9)" in done.err, done.err
    if name == "worker: ready" and done.code == 0:
        # It was the last that the first visit waited for, and that has begun before the death was seen.
        assert "takes its place" in done.err
    else:
        assert done.code == 3
        assert camera.run().code == 0
    assert camera.judge() == []


@needs_points
@pytest.mark.parametrize("name", AT_THE_END)
def test_a_worker_that_is_killed_while_it_leaves_is_told(camera, name):
    done = camera.run(f"worker|{name}|1|kill")
    assert done.code == 0, done.err
    assert "ended by SIGKILL (signal 9) while its stages were shut down" in done.err
    assert camera.judge() == []


@needs_points
@pytest.mark.parametrize("names", groups(IN_MASTERS, 5), ids=lambda names: names[0].replace(" ", "_"))
def test_a_master_that_is_killed_at_a_fault_point_is_resumed(camera, bench, names):
    for name in names:
        # Three workers are admitted before the first visit.
        count = 4 if name == "master: admitted" else 1 if name in AFTER_A_DEATH else 2
        first = [FIRST_DEATH] if name in AFTER_A_DEATH else []
        done = camera.run(*first, f"master|{name}|{count}|kill")
        assert done.code == -signal.SIGKILL, (name, done.err)
        bench.wait_until(lambda: not bench.processes(), f"all to follow the master: {name}", timeout=10.0)
        (bench.folder / mark_of(FIRST_DEATH)).unlink(missing_ok=True)
    assert camera.run().code == 0
    assert camera.judge() == []


def mark_of(order: str) -> str:
    return f"mark-{order.replace('|', '-').replace(' ', '')}"


@needs_points
def test_a_worker_that_is_stopped_at_a_fault_point_is_late_and_replaced(camera):
    camera.change("stageTimeout: 5.0", "stageTimeout: 1.0")
    names = ["worker: took", "arena: claimed", "worker: half a manifest", "worker: ran"]
    done = camera.run(*(f"worker|{name}|{2 + place % 3}|stop" for place, name in enumerate(names)))
    assert done.code == 0, done.err
    assert camera.judge() == []
    causes = [death["cause"] for death in done.summary["deaths"]]
    assert len(causes) == len(names) and all("stageTimeout of 1 s" in cause for cause in causes), causes


# --- the invariants, on a build without the defence


@needs_points
def test_without_the_sweep_the_blocks_of_the_dead_are_seen_to_be_lost(camera):
    done = camera.run("worker|arena: opened|3|kill", without="death: sweep")
    arena = done.summary["arena"]
    assert arena["live_blocks"] + arena["busy_blocks"] > 0, arena


@needs_points
def test_without_asking_again_the_run_is_seen_to_hang(camera, bench, monkeypatch):
    monkeypatch.setenv("PEX_FAULT", f"worker|worker: took|3|kill|{bench.folder}/mark")
    monkeypatch.setenv("PEX_WITHOUT", "revoke: asks again")
    process = bench.start("--visits", str(VISITS))
    bench.wait_until((bench.folder / "mark").exists, "the fault")
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=3.0)
    process.kill()
    process.communicate()
