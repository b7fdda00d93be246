# SPDX-License-Identifier: BSD-3-Clause
"""Runs the checking process: stage modules may print, exit, crash or hang there, and are named."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from harness.check.jobs import Job, job_to_json, problem_from_json
from harness.check.places import at_job
from harness.errors import describe_end
from harness.ordered_process import ordered_process
from harness.policy.problems import Problem

STACK_GRACE_S = 0.5
START_S = 60.0
BETWEEN = "the check of this stage"
CHUNK = 65536
OWN = ("/harness/check/", "/harness/stage/class_lookup.py", "importlib", "<frozen", "<string>")


def run_jobs(path: Path, jobs: list[Job], timeout: float) -> list[Problem]:
    """Does every job in a process of its own kind; one that ends the process is reported, the next goes on.

    Args:
        path: the pipeline policy file.
        jobs: what to check.
        timeout: seconds per job.
    """
    found: list[Problem] = []
    done = 0
    while done < len(jobs):
        with _Child(path, jobs[done:], timeout) as child:
            found += child.problems()
            done += child.n_done
    return found


class _Child:
    """One checking process. `n_done` counts the jobs that ended, the one that ended the process included."""

    def __init__(self, path: Path, jobs: list[Job], timeout: float) -> None:
        self.n_done = 0
        self._path = path
        self._jobs = jobs
        self._timeout = timeout
        self._phase = BETWEEN

    def __enter__(self) -> _Child:
        with contextlib.ExitStack() as parts:
            self._output: IO[bytes] = parts.enter_context(tempfile.TemporaryFile())
            order = {"policy": str(self._path), "jobs": [job_to_json(job) for job in self._jobs]}
            self._process, self._read = parts.enter_context(
                ordered_process("harness.check.child", order, sys.path, self._output)
            )
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._parts.close()

    def problems(self) -> list[Problem]:
        """Reads answers until all jobs are done, the process ends, or a job takes too long."""
        found: list[Problem] = []
        rest = b""
        # The process itself has to start first, which says nothing of a stage.
        deadline = time.monotonic() + max(START_S, self._timeout)
        with selectors.DefaultSelector() as selector:
            selector.register(self._read, selectors.EVENT_READ)
            while self.n_done < len(self._jobs):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return [*found, self._too_slow()]
                chunk = os.read(self._read, CHUNK)
                if not chunk:
                    return [*found, self._ended()]
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    found += self._take(json.loads(line))
                    deadline = time.monotonic() + self._timeout
        return found

    def _take(self, answer: dict[str, Any]) -> list[Problem]:
        if "phase" in answer:
            self._phase = answer["phase"]
            return []
        self.n_done += 1
        self._phase = BETWEEN
        return [problem_from_json(values) for values in answer["problems"]]

    def _too_slow(self) -> Problem:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGUSR1)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STACK_GRACE_S)
        stack = re.findall(r'^  File "(.*)", line (\d+) in (.*)$', self._said(), re.MULTILINE)
        is_import = self._phase.startswith("importing")
        where = next((frame for frame in stack if not any(own in frame[0] for own in OWN)), None)
        return self._about_current(
            f"{self._phase} did not end within {self._timeout:g} s",
            seen="" if where is None else 'File "{}", line {}, in {}'.format(*where),
            hint=f"more time: --timeout SECONDS{'' if is_import else '; without setup(): --no-setup'}",
        )

    def _ended(self) -> Problem:
        code = self._process.wait()
        end = describe_end(code < 0, abs(code))
        last = [line for line in self._said().splitlines() if re.search(r"\w", line)][-1:]
        return self._about_current(
            f"{self._phase} ended the process: {end}", seen="".join(last).strip(), hint=""
        )

    def _about_current(self, message: str, *, seen: str, hint: str) -> Problem:
        job = self._jobs[self.n_done]
        self.n_done += 1
        return at_job(self._path, job, message, seen=seen, hint=hint)

    def _said(self) -> str:
        self._output.seek(0)
        return self._output.read().decode("utf-8", "replace")
