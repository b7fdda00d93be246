# SPDX-License-Identifier: BSD-3-Clause
"""Random puts, takes, gathers, drops, forks and kills against a model; the seed is in each test's name.

`STRESS_SEEDS=100:140` tries other seeds.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from families import children_of

SAMPLES = Path(__file__).parent / "samples"
FIRST, _, END = os.environ.get("STRESS_SEEDS", "0:9").partition(":")
SEEDS = range(int(FIRST), int(END))
RANKS = 4
VISITS = 12
FATES = (
    "nothing", "a stage kills its worker", "a worker is killed", "the nursery is killed",
    "the master is killed",
)  # fmt: skip


@pytest.fixture
def model(monkeypatch):
    monkeypatch.syspath_prepend(str(SAMPLES))
    import stress_model

    return stress_model


def start(bench, seed: int, dies_in: int) -> subprocess.Popen:
    for name in ("stress_model.py", "stress_stages.py", "stress_drive.py"):
        shutil.copy(SAMPLES / name, bench.folder / name)
    path = bench.policy("all Master Slice", slices=RANKS, head='arenaWarm: "8 MiB"')
    path.write_text(path.read_text().replace("stages_here.", "stress_stages."))
    environment = {**bench.environment(), "STRESS_SEED": str(seed), "STRESS_DIES_IN": str(dies_in)}
    with (bench.folder / "out").open("w") as out, (bench.folder / "err").open("w") as err:
        return subprocess.Popen(
            [sys.executable, "stress_drive.py", str(bench.run_dir), str(VISITS)],
            cwd=bench.folder, env=environment, stdout=out, stderr=err,
        )  # fmt: skip


def victim_of(fate: str, master: int, rng: random.Random) -> int:
    """The process that a fate names: the nursery is the master's first child, the workers came later."""
    if fate == "the master is killed":
        return master
    nursery, *others = children_of(master)
    return nursery if fate == "the nursery is killed" else rng.choice(others)


def meet(bench, fate: str, process: subprocess.Popen, rng: random.Random) -> None:
    """Waits for a random visit to be done, then a little, and kills whom the fate names."""
    visits = rng.randint(1, VISITS - 2)
    written = bench.folder / "visits"
    bench.wait_until(
        lambda: process.poll() is not None
        or (written.exists() and len(written.read_text().splitlines()) >= visits),
        f"visit {visits} to be done",
    )
    # A moment of the next visit, not more: it lasts some 20 ms.
    time.sleep(rng.uniform(0.0, 0.03))
    os.kill(victim_of(fate, process.pid, rng), signal.SIGKILL)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_survives_random_acts_and_deaths_is_right_and_nothing_is_left(bench, model, seed):
    rng = random.Random(seed)
    fate = FATES[seed % len(FATES)]
    dies_in = rng.randint(1, VISITS) if fate == "a stage kills its worker" else 0
    process = start(bench, seed, dies_in)
    if fate not in ("nothing", "a stage kills its worker"):
        meet(bench, fate, process, rng)
    process.wait(timeout=60)
    bench.wait_until(lambda: not bench.processes(), f"seed {seed}: all processes to end", timeout=5.0)
    told = [bench.folder / "err", *sorted((bench.run_dir / "log").glob("*.log"))]
    lines = [line for path in told for line in path.read_text(errors="replace").splitlines()]
    # A stage that raised, for what it saw or otherwise; the run's own end is told in other words.
    wrong = [line for line in lines if " raised" in line or "is not what was put" in line]
    assert not wrong, f"seed {seed}, {fate}: {wrong}"

    written = bench.folder / "visits"
    lines = written.read_text().splitlines(keepends=True) if written.exists() else []
    for visit, line in enumerate(lines, 1):
        if line.endswith("\n"):
            assert line == model.visit_line(seed, visit, RANKS) + "\n", f"seed {seed}, {fate}"

    if fate == "the master is killed":
        assert process.returncode == -signal.SIGKILL
        return
    end = json.loads((bench.folder / "out").read_text())
    assert end["end"] == "done", f"seed {seed}, {fate}: {end}"
    assert len(lines) == VISITS
    arena = end["arena"]
    assert (arena["live_blocks"], arena["busy_blocks"]) == (0, 0), f"seed {seed}, {fate}: {arena}"
    assert arena["committed_bytes"] == arena["warm_bytes"], f"seed {seed}, {fate}: {arena}"
