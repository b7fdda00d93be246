# SPDX-License-Identifier: BSD-3-Clause
"""One round of a soak: a night that is killed and resumed until it is complete, then looked at."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import soak_judge
from soak_figures import Figures
from soak_processes import Processes

HERE = Path(__file__).parent
MEAN_PAUSE_S = 0.7
"""Between two kills, on average."""
VICTIMS = {"worker": 12, "worker stopped": 2, "nursery": 3, "keeper": 1, "master": 3}
"""Who is chosen how often."""
HANG_S = 60.0
"""So long a run may go on without a visit or an end."""
LOOK_S = 0.002
GONE_S = 10.0
ALLOWED_ENDS = {0, -signal.SIGKILL, 3, 6}
"""Done; killed; a worker died before the first visit, or too often; slices have lost a visit."""
NURSERY_DIED = re.compile(r"the nursery \(pid \d+\) ended by SIGKILL")
"""In the last words of a run that ended with 2: before the first visit there is nothing to go on with."""


class Round:
    """A night of so many visits in a folder of its own."""

    def __init__(self, folder: Path, rng: random.Random, visits: int, figures: Figures) -> None:
        self._folder, self._rng, self._visits, self._figures = folder, rng, visits, figures
        self._run_dir = folder / "run"
        self._killed: dict[int, int] = {}

    def go(self, end: float) -> None:
        """Runs the command until all visits are complete. After the moment `end` nobody is killed."""
        self._folder.mkdir()
        (self._folder / "out").mkdir()
        for name in ("soak_model.py", "soak_stages.py", "soak.paf"):
            shutil.copy(HERE / name, self._folder)
        while not self._figures.wrong:
            self._attempt(end)
            if not self._figures.wrong and soak_judge.is_complete(self._run_dir, self._visits):
                break
        if not self._figures.wrong:
            soak_judge.judge(self._folder, self._run_dir, self._visits, self._figures)
        self._figures.rounds += 1

    def _attempt(self, end: float) -> None:
        """One command, from its start to its end."""
        process = self._start()
        processes = Processes(self._run_dir, process.pid)
        next_kill = time.monotonic() + self._rng.expovariate(1.0 / MEAN_PAUSE_S)
        progress = _Progress(self._run_dir)
        while process.poll() is None:
            now = time.monotonic()
            if progress.idle_s(now) > HANG_S:
                self._note_hang(process)
                return
            if now >= next_kill and now < end:
                self._kill_somebody(processes)
                next_kill = now + self._rng.expovariate(1.0 / MEAN_PAUSE_S)
            time.sleep(LOOK_S)
        self._figures.ends[process.returncode] += 1
        self._collect_times()
        left = processes.left(GONE_S)
        if left:
            self._figures.leaks += len(left)
            self._figures.wrong.append(f"processes left after the run has ended: {left}")
            for pid in left:
                os.kill(pid, signal.SIGKILL)
        said = (self._folder / "err").read_text(errors="replace")
        last = said.rstrip().rpartition("\n")[2]
        if process.returncode in ALLOWED_ENDS or (process.returncode == 2 and NURSERY_DIED.search(last)):
            return
        self._figures.wrong.append(f"the run ended with exit code {process.returncode}: {said[-2000:]}")

    def _start(self) -> subprocess.Popen:
        command = [sys.executable, "-m", "harness.cli.main", "run", "soak.paf", "soak", "--resume", "-s"]
        command += ["--run-dir", str(self._run_dir), "--visits", str(self._visits)]
        with (self._folder / "err").open("a") as err:
            return subprocess.Popen(
                command,
                cwd=self._folder,
                env={**os.environ, "PYTHONPATH": str(self._folder), "PYTHONUNBUFFERED": "1"},
                stdout=err,
                stderr=err,
                start_new_session=True,
            )

    def _kill_somebody(self, processes: Processes) -> None:
        (kind,) = self._rng.choices(list(VICTIMS), weights=list(VICTIMS.values()))
        pid = processes.choose(kind.split()[0], self._rng)
        if pid is None:
            return
        number = signal.SIGSTOP if "stopped" in kind else signal.SIGKILL
        try:
            moment = time.monotonic_ns()
            os.kill(pid, number)
        except ProcessLookupError:
            return
        self._figures.kills[kind] += 1
        if kind == "worker":
            self._killed[pid] = moment

    def _collect_times(self) -> None:
        try:
            deaths = json.loads((self._run_dir / "summary.json").read_text())["deaths"]
        except (OSError, ValueError):
            return
        for death in deaths:
            killed = self._killed.pop(death["pid"], None)
            if killed is not None:
                self._figures.seen_ms.append((death["seen_ns"] - killed) / 1e6)
                self._figures.replaced_ms.append(death["replaced_after_ms"])

    def _note_hang(self, process: subprocess.Popen) -> None:
        command = [sys.executable, "-m", "harness.cli.main", "stacks", str(self._run_dir)]
        stacks = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self._figures.hangs += 1
        self._figures.wrong.append(f"no visit and no end for {HANG_S:g} s\n{stacks.stdout}{stacks.stderr}")
        process.kill()
        process.wait()


class _Progress:
    """Whether visits come to their end: their ledger grows."""

    LOOK_EVERY_S = 0.5

    def __init__(self, run_dir: Path) -> None:
        self._files = [run_dir / "ledger.sqlite", run_dir / "ledger.sqlite-wal"]
        self._seen: list[int] = []
        self._since = self._looked = time.monotonic()

    def idle_s(self, now: float) -> float:
        """For how many seconds nothing has been written."""
        if now - self._looked > self.LOOK_EVERY_S:
            self._looked = now
            stamps = [file.stat().st_mtime_ns for file in self._files if file.exists()]
            if stamps != self._seen:
                self._seen, self._since = stamps, now
        return now - self._since
