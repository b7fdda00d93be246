# SPDX-License-Identifier: BSD-3-Clause
"""Workers that the master forks itself: for short runs in which none is replaced, such as tests of stages.

    master ──fork──> worker ... worker

A run of this kind saves the forks of nursery, keeper and intermediates, which cost more than a short run
itself. The price: the master needs all that the workers inherit, so stages are imported before the forks; and
the forks come before its threads, so that no worker can be made later.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from harness import _core
from harness.errors import HarnessError
from harness.runtime.configuration.config import PipelineConfig
from harness.runtime.configuration.schedule import NO_HALVES, Halves
from harness.runtime.processes.nursery import ImportStages, make_fit
from harness.runtime.processes.signals import ENDING_SIGNALS, leave_signals_to_master
from harness.runtime.processes.supervisor import Supervisor
from harness.runtime.processes.worker import RunContext, worker_main


class DirectSupervisor(Supervisor):
    """Starts and ends the processes of a run without a nursery."""

    replaces_workers = False

    def __init__(self, config: PipelineConfig) -> None:
        super().__init__(config)
        self._imported: tuple[list[str], Halves] = ([], NO_HALVES)
        self._pids: list[int] = []

    def start_nursery(
        self,
        make_context: Callable[[int], RunContext],
        run: _core.Run,
        import_stages: ImportStages,
        *,
        by_exec: bool = False,
    ) -> None:
        """Imports the stages and forks the workers, which wait until they are admitted; never by exec."""
        self._imported = import_stages()
        self._run = run
        self._life_read_fd, self._life_write_fd = os.pipe2(os.O_CLOEXEC)
        context = make_context(self._life_read_fd)
        sys.stdout.flush()
        sys.stderr.flush()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        try:
            for worker in range(self._config.n_workers):
                pid = os.fork()
                if pid == 0:
                    self._become_worker(context, worker)
                self._pids.append(pid)
                self._born.add(pid)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._keep_from_forks()

    def _become_worker(self, context: RunContext, worker: int) -> NoReturn:
        try:
            os.close(self._life_write_fd)
            leave_signals_to_master()
            make_fit(self._config)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        worker_main(context, worker, 0)

    def wait_for_imports(self) -> tuple[list[str], Halves]:
        """What the import of the stages has found amiss, and what the parallel halves declare."""
        return self._imported

    def order_workers(self) -> None:
        """They are there."""

    def start_workers(self, run: _core.Run) -> None:
        """Starts the watcher, and admits the workers."""
        run.start_watcher()
        self._watching = True
        for worker, pid in enumerate(self._pids):
            self._admit(run, worker, pid)

    def replace(self, run: _core.Run, worker: int, incarnation: int) -> int:
        """Raises `HarnessError`: there is nothing that a worker could be forked from."""
        raise HarnessError(f"worker {worker} can't be replaced: this run has no nursery")
