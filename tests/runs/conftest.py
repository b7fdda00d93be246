# SPDX-License-Identifier: BSD-3-Clause
"""Runs pipelines as an operator does: a policy file, stage modules in a folder, the command in a process."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from families import outputs_of

TIMEOUT_S = 60

NO_BIRTHS = 'arenaThreshold: "1 GiB"\n'
"""For policies: what stages compute is then private memory, as it is where the arena is full."""

ONCE = """
    def once(name):
        try:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL))
            return True
        except FileExistsError:
            return False

"""
"""For stage modules: `once(name)` is true for the first of all processes that calls it so."""


@dataclass
class Finished:
    """What a run left: its exit code, what it printed, and its run directory."""

    code: int
    out: str
    err: str
    run_dir: Path

    @property
    def summary(self) -> dict[str, Any]:
        """`summary.json`."""
        return json.loads((self.run_dir / "summary.json").read_text())

    def log(self, name: str = "Pipeline") -> str:
        """The text of a log file."""
        return (self.run_dir / "log" / f"{name}.log").read_text()

    def row(self, stage: str, step: str) -> dict[str, Any]:
        """The figures of one half-step."""
        return next(row for row in self.summary["stages"] if row["name"] == stage and row["step"] == step)


class Bench:
    """A folder with a policy and stage modules, and the means to run it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_dir = folder / "run"
        self.stage_output = "terminal"

    def module(self, text: str, name: str = "stages_here") -> None:
        """Writes a module that stages can be imported from."""
        head = (
            "import os, signal, sys, time\nimport numpy as np\nimport harness\n"
            "import lsst.pex.harness.stage as harnessStage\n"
            "from lsst.pex.harness.stage import SerialProcessing, ParallelProcessing\n"
        )
        (self.folder / f"{name}.py").write_text(head + textwrap.dedent(text))

    def policy(
        self, *stages: str, slices: int = 2, head: str = 'executionMode: "oneloop"', tail: str = ""
    ) -> Path:
        """Writes a policy; each stage is `name serial parallel`, with `-` for a missing class.

        `:share` behind the parallel class asks for an exchange before it.
        """
        lines = [head, f"nSlices: {slices}" if slices is not None else "", 'arenaSize: "256 MiB"']
        for stage in stages:
            name, serial, parallel = stage.split()
            parallel, _, share = parallel.partition(":")
            lines.append(f'appStage: {{\n    name: "{name}"')
            if serial != "-":
                lines.append(f'    serialClass: "stages_here.{serial}"')
            if parallel != "-":
                lines.append(f'    parallelClass: "stages_here.{parallel}"')
            if share:
                lines.append("    shareData: true")
            lines.append("}")
        path = self.folder / "night.paf"
        path.write_text("\n".join(lines) + "\n" + textwrap.dedent(tail) + "\n")
        return path

    def command(self, *options: str, policy: str = "night.paf") -> list[str]:
        """The command line of a run."""
        return [
            sys.executable,
            "-m",
            "harness.cli.main",
            "run",
            policy,
            "r1",
            "--run-dir",
            str(self.run_dir),
            "--stage-output",
            self.stage_output,
            *options,
        ]

    def start(self, *options: str, policy: str = "night.paf") -> subprocess.Popen:
        """Starts a run and returns its process."""
        return self.start_in(self.folder, self.command(*options, policy=policy))

    def start_in(self, folder: Path, command: list[str]) -> subprocess.Popen:
        """Starts a command as `start` does, with another current directory."""
        return subprocess.Popen(
            command,
            cwd=folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A group of its own whose parent is in another, as a shell gives a job: it can be stopped.
            preexec_fn=os.setpgrp,
        )

    def start_command(self, *arguments: str) -> subprocess.Popen:
        """Starts another command of the program."""
        return subprocess.Popen(
            [sys.executable, "-m", "harness.cli.main", *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command_line(self, *arguments: str) -> Finished:
        """Runs another command of the program to its end."""
        return self.finish(self.start_command(*arguments))

    def end_at_once(self, process: subprocess.Popen) -> None:
        """Ends a run whatever its stages do; its exit code is 143."""
        asked = self.command_line("stop", str(self.run_dir), "--level", "1")
        assert asked.code == 0, asked.err

    def environment(self) -> dict[str, str]:
        """The environment of a run: the folder is where stage modules are found."""
        return {**os.environ, "PYTHONPATH": str(self.folder)}

    def finish(self, process: subprocess.Popen, timeout: float = TIMEOUT_S) -> Finished:
        """Waits for a run to end. The test fails where it doesn't."""
        out, err = outputs_of(process, timeout)
        return Finished(process.returncode, out, err, self.run_dir)

    def run(self, *options: str, policy: str = "night.paf") -> Finished:
        """Runs to the end."""
        return self.finish(self.start(*options, policy=policy))

    def processes(self) -> list[int]:
        """The processes of this folder's runs that are alive, zombies left out."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if str(self.run_dir).encode() in command and state != "Z":
                found.append(int(entry.name))
        return sorted(found)

    def wait_until(self, condition, what: str, timeout: float = 20.0) -> None:
        """Waits for a condition; fails with `what` when it does not come."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {timeout} s in vain for: {what}")
            time.sleep(0.01)


@pytest.fixture
def bench(tmp_path: Path):
    """A fresh folder; at the end no process of its runs and no shared memory may be left."""
    before = segments()
    place = Bench(tmp_path)
    yield place
    try:
        place.wait_until(lambda: not place.processes(), "the run's processes to end", timeout=5.0)
    finally:
        # What a test that failed has left would slow down all that follow.
        for pid in place.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    # A name is there for a moment whenever an arena is made, also by other programs.
    place.wait_until(lambda: segments() <= before, "names in /dev/shm to go", timeout=5.0)


def segments() -> set[str]:
    """The names the core has in /dev/shm. Other programs come and go there."""
    return {name for name in os.listdir("/dev/shm") if name.startswith("pex-")}
