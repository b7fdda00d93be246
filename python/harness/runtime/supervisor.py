# SPDX-License-Identifier: BSD-3-Clause
"""The master's view of its processes: the nursery, the workers, and how they end.

    master ── socket ── nursery        requests to fork, answers with pids
       │  └── life pipe (write end here only): its end kills the workers
       └── watcher thread: pidfds of the nursery and the workers
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable

from harness import _core
from harness.errors import ConfigError, HarnessError, InternalError, SliceDied, describe_end
from harness.runtime.config import PipelineConfig
from harness.runtime.nursery import ENDING_SIGNALS, nursery_main, receive_message, send_message
from harness.runtime.worker import RunContext

LEAVE_TIMEOUT_S = 10.0
LEAVE_STEP_S = 0.1
KILL_TIMEOUT_S = 5.0
BIRTH_TIMEOUT_S = 30.0


class Supervisor:
    """Starts and ends the processes of one run. Used by the master's main thread only."""

    def __init__(self, config: PipelineConfig) -> None:
        self._config = config
        self._run: _core.Run | None = None
        self._connection: socket.socket | None = None
        self._life_write_fd = -1
        self._nursery_pid = -1
        self._watching = False
        self._watched: set[int] = set()

    def start_nursery(
        self, make_context: Callable[[int], RunContext], run: _core.Run, import_stages: Callable[[], None]
    ) -> None:
        """Forks the nursery. `make_context(life_read_fd)` gives what workers inherit."""
        _core.set_child_subreaper(True)
        self._run = run
        ours, theirs = socket.socketpair()
        life_read, self._life_write_fd = os.pipe2(os.O_CLOEXEC)
        context = make_context(life_read)
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal between the fork and the nursery's own handlers must not run the master's in the nursery.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                ours.close()
                os.close(self._life_write_fd)
                nursery_main(context, theirs, import_stages)
            self._nursery_pid = pid
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        os.close(life_read)
        self._connection = ours

    def wait_for_imports(self) -> None:
        """Waits until the nursery has imported the stages. Raises `ConfigError` with its reason if not."""
        message = self._receive(None, "importing the stage modules")
        if message[0] == "failed":
            raise ConfigError(message[1], details=message[2])

    def start_workers(self, run: _core.Run) -> None:
        """Starts the watcher, then worker after worker. Raises `HarnessError` when one can't be born."""
        run.start_watcher()
        self._watching = True
        run.watch(-1, self._nursery_pid)
        for worker in range(self._config.n_workers):
            send_message(self._require_connection(), ("fork", worker))
        for _ in range(self._config.n_workers):
            message = self._receive(BIRTH_TIMEOUT_S, "forking the workers")
            if message[0] == "barren":
                raise HarnessError(
                    f"forking worker {message[1]}: {message[2]}; look at the limits on processes and memory"
                )
            try:
                run.watch(message[1], message[2])
            except RuntimeError as error:
                # A worker that nobody watches could die unseen, and the run would wait for it for ever.
                raise HarnessError(f"worker {message[1]} can't be watched: {error}") from error
            self._watched.add(message[2])

    def _require_connection(self) -> socket.socket:
        if self._connection is None:
            raise InternalError("the nursery was asked for a worker before it was started")
        return self._connection

    def _receive(self, timeout: float | None, doing: str) -> tuple:
        connection = self._require_connection()
        connection.settimeout(timeout)
        try:
            message = receive_message(connection)
        except TimeoutError:
            raise HarnessError(f"{doing}: the nursery did not answer within {timeout:g} s") from None
        except OSError as error:
            raise HarnessError(f"{doing}: the connection to the nursery failed: {error}") from error
        if message is None:
            raise HarnessError(
                f"{doing}: the nursery (pid {self._nursery_pid}) ended unexpectedly;"
                " its last words are on stderr"
            )
        return message

    def ranks_of(self, worker: int) -> str:
        """The ranks that a worker runs, for messages: `0,2,4`."""
        ranks = range(worker, self._config.n_slices, self._config.n_workers)
        shown = [str(rank) for rank in ranks[:8]]
        return ",".join(shown) + (",..." if len(ranks) > 8 else "")

    def take_death(self, run: _core.Run, visit: int, stage_names: list[str]) -> HarnessError:
        """The error for the first death that was no orderly end; a worker's before the nursery's."""
        nursery: SliceDied | None = None
        while (death := run.take_death()) is not None:
            worker, pid, signalled, code, orderly, rank, stage = death
            if orderly:
                continue
            if worker < 0:
                # The run went on without it: it is not what ended it.
                nursery = SliceDied(
                    -1,
                    pid,
                    rank=-1,
                    ranks="none: the nursery",
                    stage="",
                    visit=visit,
                    signalled=signalled,
                    code=code,
                )
                continue
            name = stage_names[stage - 1] if 1 <= stage <= len(stage_names) else "end of visit"
            return SliceDied(
                worker, pid, rank=rank, ranks=self.ranks_of(worker), stage=repr(name), visit=visit,
                signalled=signalled, code=code,
            )
        return nursery or InternalError("the loop saw a death that nobody noted")

    def end(self, run: _core.Run) -> list[str]:
        """Lets every process leave by itself, kills those that do not. Returns a text per bad end."""
        complaints: list[str] = []
        if self._watching:
            run.stop_workers()
            self._close_connection(polite=True)
            in_time = _wait_for_ends(run)
            while (death := run.take_death()) is not None:
                worker, _pid, signalled, code, orderly, _rank, _stage = death
                if worker >= 0 and not orderly:
                    complaints.append(
                        f"worker {worker} (ranks {self.ranks_of(worker)}) ended by"
                        f" {describe_end(signalled, code)} while its stages were shut down"
                    )
            if not in_time:
                complaints.append(
                    f"a worker did not leave within {LEAVE_TIMEOUT_S:g} s and was killed; see its slice logs"
                )
        return complaints + self.kill(run)

    def kill(self, run: _core.Run) -> list[str]:
        """Ends everything at once: SIGKILL to every group, wait, close. Safe to call twice.

        Returns a text per process that has not ended: it sleeps where nothing wakes it, and may still write
        to what it holds, which is therefore kept from everybody else.
        """
        complaints: list[str] = []
        if self._watching:
            run.kill_all()
            if not run.wait_for_ends(KILL_TIMEOUT_S):
                complaints = [self._undead(*process) for process in run.quarantine()]
            run.stop_watcher()
            self._watching = False
            self._close_connection(polite=False)
        elif self._nursery_pid > 0:
            self._close_connection(polite=False)
            _core.kill_group(self._nursery_pid)
            _reap(self._nursery_pid)
        self._nursery_pid = -1
        if self._life_write_fd >= 0:
            os.close(self._life_write_fd)
            self._life_write_fd = -1
            self._reap_unwatched(run)
            _core.set_child_subreaper(False)
        return complaints

    def _undead(self, worker: int, pid: int, blocks: int, size: int) -> str:
        ranks = f", ranks {self.ranks_of(worker)}" if worker >= 0 else ""
        who = f"worker {worker}" if worker >= 0 else "the nursery"
        return (
            f"{who} (pid {pid}{ranks}) has not ended {KILL_TIMEOUT_S:g} s after SIGKILL: it sleeps in the"
            " kernel, on a file system or device that does not answer, or a tracer holds it. Its"
            f" {blocks} blocks ({size} bytes) of shared memory are in quarantine and return to the machine"
            " when it ends"
        )

    def _reap_unwatched(self, run: _core.Run) -> None:
        """Workers that were born while the start was broken off: the life pipe has just killed them."""
        for pid in run.worker_pids():
            if pid > 0 and pid not in self._watched:
                _reap(pid)

    def _close_connection(self, *, polite: bool) -> None:
        if self._connection is None:
            return
        if polite:
            with contextlib.suppress(OSError):
                # A nursery that is gone already needs no word.
                send_message(self._connection, ("leave",))
        self._connection.close()
        self._connection = None


def _wait_for_ends(run: _core.Run) -> bool:
    """Waits, in steps so short that a signal is answered, until all have left. Returns whether they did."""
    deadline = time.monotonic() + LEAVE_TIMEOUT_S
    while time.monotonic() < deadline:
        if run.wait_for_ends(LEAVE_STEP_S):
            return True
    return False


def _reap(pid: int) -> None:
    """Reaps a killed child. Gives up after a while: a process in uninterruptible sleep stays."""
    deadline = time.monotonic() + KILL_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0] != 0:
                return
        except ChildProcessError:
            return
        time.sleep(0.001)
