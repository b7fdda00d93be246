# SPDX-License-Identifier: BSD-3-Clause
"""Processes of a run in fresh interpreters, by fork and exec: nothing of this process's threads comes along.

    master ──exec──> nursery ──fork──> intermediate ──fork──> worker    if importing stages leaves no thread
       └─────exec──> worker                                             else; each imports the stages itself

Such a process gets the two segments, the life pipe, the bell of the log and the inheritance as descriptors.
It is the master's child at once, and asks for its end with the life pipe first of all.
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import harness
from harness.errors import HarnessError
from harness.runtime.processes.inheritance import write_inheritance
from harness.runtime.processes.signals import ENDING_SIGNALS

if TYPE_CHECKING:
    from harness.runtime.processes.worker import RunContext

# Neither the current directory nor another installation stands before this harness. The rest of the path
# follows with the inheritance.
PROGRAM = (
    "import sys; sys.path[:] = [sys.argv[1], *filter(None, sys.path)];"
    " from harness.runtime.processes.executed import main; main(sys.argv[2:])"
)
HOME = str(Path(harness.__file__).parents[1])


class NoProcess(HarnessError):
    """The machine has no process to give, or no memory for one."""


class FreshStarts:
    """Starts nurseries and workers of one run. Owns a descriptor until `close`."""

    def __init__(self, context: RunContext) -> None:
        """Current directory, environment and inheritance are those of now, whenever a process is started.

        Raises `ConfigError` as `write_inheritance` does, `HarnessError` when there is no current directory.
        """
        run_dir, _, drain = context.kept()
        self._run_dir = str(run_dir)
        try:
            self._cwd = os.getcwd()
        except OSError as error:
            raise HarnessError(f"the current directory can't be used: {error.strerror}") from error
        self._environment = dict(os.environ)
        # Sets of strings have the same order in all processes of a run, as they have in forks.
        self._environment.setdefault("PYTHONHASHSEED", str(int.from_bytes(os.urandom(4), "big")))
        control, pixels = context.run.segment_fds()
        self._descriptors = {
            "control": control,
            "pixels": pixels,
            "life": context.life_read_fd,
            "wake": drain.event_fd,
            "inheritance": write_inheritance(context),
        }

    def nursery(self, connection: socket.socket, note: Callable[[int], None]) -> int:
        """A nursery that talks through `connection`; its pid.

        `note(pid)` is called before a signal can break the start off. Raises `HarnessError` when it can't be
        started, `NoProcess` where another try may help.
        """
        return self._start("nursery", note, {"connection": connection.fileno()}, {})

    def worker(self, number: int, incarnation: int, note: Callable[[int], None]) -> int:
        """A worker; its pid. `note` and what is raised: as for `nursery`."""
        return self._start(f"worker {number}", note, {}, {"worker": number, "incarnation": incarnation})

    def close(self) -> None:
        """Closes the inheritance. Safe to call twice."""
        descriptor = self._descriptors.pop("inheritance", None)
        if descriptor is not None:
            os.close(descriptor)

    def _start(
        self, who: str, note: Callable[[int], None], descriptors: dict[str, int], numbers: dict[str, int]
    ) -> int:
        # Not needed by runs whose processes are all forked.
        import multiprocessing.spawn
        import subprocess

        executable = os.fsdecode(multiprocessing.spawn.get_executable() or "")
        if not executable:
            raise HarnessError(
                f"starting {who}: this program does not know its interpreter (sys.executable is empty);"
                " name it with multiprocessing.set_executable(path), or set startMethod to fork"
            )
        descriptors = {**self._descriptors, **descriptors}
        order = json.dumps({"who": who.split()[0], "descriptors": descriptors, **numbers})
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
        # Across the exec: until the process has its own handlers, a signal to all must not end it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        try:
            process = subprocess.Popen(
                [executable, *flags, "-c", PROGRAM, HOME, order, self._run_dir],
                cwd=self._cwd,
                env=self._environment,
                pass_fds=tuple(descriptors.values()),
            )
            note(process.pid)
            # The watcher reaps it: the object must not.
            process.returncode = 0
            return process.pid
        except OSError as error:
            raise NoProcess(
                f"starting {who} by exec: {error.filename or executable}: {error.strerror or error};"
                " look at the limits on processes and memory"
            ) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
