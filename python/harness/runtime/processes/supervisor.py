# SPDX-License-Identifier: BSD-3-Clause
"""The master's view of its processes: the nursery, the workers, and how they end.

    master ── socket ── nursery        requests to fork, answers with pids
       │  └─ socket ── keeper         requests for a new nursery, where nurseries are forked
       ├── life pipe (write end here only): its end kills the workers
       └── watcher thread: pidfds of the nursery, the keeper and the workers
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from harness import _core
from harness.errors import ConfigError, HarnessError, InternalError, NoReplacement, describe_end
from harness.runtime.configuration.config import PipelineConfig
from harness.runtime.processes.ends import how_it_ended, reap
from harness.runtime.processes.fresh import FreshStarts, NoProcess
from harness.runtime.processes.left_behind import LeftBehind
from harness.runtime.processes.nurseries import ForkedNurseries, FreshNurseries
from harness.runtime.processes.nursery import ImportStages, close_for_all, receive_message, send_message
from harness.runtime.processes.oom import OomWatch
from harness.runtime.processes.signals import keep_in_forks, let_go_in_forks
from harness.runtime.processes.worker import RunContext

if TYPE_CHECKING:
    from harness.runtime.configuration.schedule import Halves

FORK, EXEC = "fork", "exec"
FORKING = "forking the workers"

LEAVE_TIMEOUT_S = 10.0
LEAVE_STEP_S = 0.1
HELPERS_LEAVE_S = 0.5
"""For the nursery and its keeper, once the workers have left: they have nothing to finish."""
KILL_TIMEOUT_S = 5.0
BIRTH_TIMEOUT_S = 30.0
LATE_BIRTH_S = 1.0
BIRTH_PAUSES_S = (0.01, 0.05, 0.2, 1.0)
"""Between tries to fork a replacement: a machine that lacks processes or memory may have them soon."""


class NurseryGone(HarnessError):
    """The nursery has ended, or does not answer."""


class Death(NamedTuple):
    """The end of a process, seen at `seen_ns` of the monotonic clock.

    Worker -1 is the nursery or the keeper; rank -1: it ran nothing. `visit` is the one that it ran.
    """

    worker: int
    pid: int
    signalled: bool
    code: int
    orderly: bool
    rank: int
    stage: int
    starting: bool
    seen_ns: int = 0
    visit: int = 0
    sender: str = ""
    """For SIGKILL: whether the OOM killer sent it, in words."""

    @property
    def cause(self) -> str:
        """Signal or exit code, in words."""
        return describe_end(self.signalled, self.code) + self.sender


class Supervisor:
    """Starts and ends the processes of one run. Used by the master's main thread only."""

    replaces_workers = True
    """Whether a fresh worker can take the place of one that has died."""

    def __init__(self, config: PipelineConfig) -> None:
        self._config = config
        self._run: _core.Run | None = None
        self._connection: socket.socket | None = None
        self._life_read_fd = self._life_write_fd = -1
        self._context: RunContext | None = None
        self._nurseries: ForkedNurseries | FreshNurseries | None = None
        self._fresh: FreshStarts | None = None
        self._fresh_workers: FreshStarts | None = None
        """What starts the workers, where the nursery must not fork them."""
        self._watching = self._helpers_watched = False
        self._watched: set[int] = set()
        self._asked = 0
        """How many workers the nursery was asked for and has not answered."""
        self._born: set[int] = set()
        self._oom = OomWatch()
        self._left_behind = LeftBehind()
        self.whole_process = False
        """Whether this process does nothing but the run, so that all its children are the run's."""

    def start_nursery(
        self,
        make_context: Callable[[int], RunContext],
        run: _core.Run,
        import_stages: ImportStages,
        *,
        by_exec: bool,
    ) -> None:
        """Starts the nursery. `make_context(life_read_fd)` gives what processes of the run have.

        Raises `HarnessError` when it can't be started, `ConfigError` when it would lack a stage class.
        """
        _core.set_child_subreaper(True)
        self._run = run
        self._life_read_fd, self._life_write_fd = os.pipe2(os.O_CLOEXEC)
        self._context = make_context(self._life_read_fd)
        if by_exec:
            self._nurseries = FreshNurseries(self._fresh_starts())
        else:
            self._nurseries = ForkedNurseries(self._context, self._life_write_fd, import_stages)
        self._connection = self._nurseries.start()
        self._keep_from_forks()

    def _keep_from_forks(self) -> None:
        """What stage code forks must not hold what tells others of this process's end."""
        let_go_in_forks(self)

    def let_go(self) -> None:
        """In a fork: closes this process's own descriptors, which are the parent's to use."""
        if self._life_write_fd >= 0:
            os.close(self._life_write_fd)
            self._life_write_fd = -1
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._nurseries is not None:
            self._nurseries.let_go()

    def _fresh_starts(self) -> FreshStarts:
        if self._fresh is None:
            assert self._context is not None, "start_nursery() has made it"
            self._fresh = FreshStarts(self._context)
        return self._fresh

    def wait_for_imports(self) -> tuple[list[str], Halves]:
        """Waits until the nursery has imported the stages.

        Returns what in it is no good to workers, for the log, and what the parallel halves declare.

        Where it has such, and the policy permits it, workers are started by exec from now on.
        Raises `ConfigError` with its reason if it could not import them.
        """
        message = self._receive(None, "importing the stage modules")
        if message[0] == "failed":
            raise ConfigError(message[1], details=message[2])
        found = list(message[1])
        if found and self._config.start_method != FORK:
            self._fresh_workers = self._fresh_starts()
        return found, message[2]

    @property
    def workers_by_exec(self) -> bool:
        """Whether workers import the stages themselves."""
        return self._fresh_workers is not None

    def order_workers(self) -> None:
        """Has the nursery fork the workers, which wait until `start_workers` admits them.

        Call it when `wait_for_imports` has returned: the master then goes on beside the forks. Without effect
        where workers are started by exec. Raises `NurseryGone`.
        """
        if self._fresh_workers is None:
            for worker in range(self._config.n_workers):
                self._ask(worker, 0, FORKING)

    def start_workers(self, run: _core.Run) -> None:
        """Starts the watcher, then admits worker after worker. Raises `HarnessError` where one is lacking."""
        run.start_watcher()
        self._watching = True
        try:
            self._admit_workers(run)
        finally:
            for pid in self._helpers():
                run.watch(-1, pid)
            self._helpers_watched = True

    def _admit_workers(self, run: _core.Run) -> None:
        if self._fresh_workers is not None:
            for worker in range(self._config.n_workers):
                self._start_fresh(run, self._fresh_workers, worker, 0)
            return
        for _ in range(self._config.n_workers):
            message = self._take_answer(FORKING)
            if message[0] == "barren":
                raise _barren(message)
            self._admit(run, message[1], message[2])

    def replace(self, run: _core.Run, worker: int, incarnation: int) -> int:
        """Has a fresh worker made for the number of one that was reaped; its pid.

        Raises `NoReplacement` when it can't be forked, and there is no nursery that could.
        """
        try:
            return self._replace(run, worker, incarnation)
        except InternalError:
            raise
        except HarnessError as error:
            raise NoReplacement(f"worker {worker} has died and can't be replaced: {error}") from error

    def _replace(self, run: _core.Run, worker: int, incarnation: int) -> int:
        if self._fresh_workers is not None:
            return self._replace_by_exec(run, self._fresh_workers, worker, incarnation)
        renewed = False
        pauses = iter(BIRTH_PAUSES_S)
        while True:
            try:
                message = self._order(worker, incarnation)
            except NurseryGone:
                if renewed:
                    raise
                self._renew_nursery(run)
                renewed = True
                continue
            if message[0] != "barren":
                self._admit(run, worker, message[2])
                return int(message[2])
            pause = next(pauses, None)
            if pause is None:
                raise _barren(message)
            time.sleep(pause)

    def _replace_by_exec(self, run: _core.Run, fresh: FreshStarts, worker: int, incarnation: int) -> int:
        for pause in BIRTH_PAUSES_S:
            try:
                return self._start_fresh(run, fresh, worker, incarnation)
            except NoProcess:
                time.sleep(pause)
        return self._start_fresh(run, fresh, worker, incarnation)

    def _start_fresh(self, run: _core.Run, fresh: FreshStarts, worker: int, incarnation: int) -> int:
        pid = fresh.worker(worker, incarnation, self._born.add)
        self._admit(run, worker, pid)
        return pid

    def _order(self, worker: int, incarnation: int) -> tuple:
        doing = f"forking a replacement for worker {worker}"
        self._ask(worker, incarnation, doing)
        return self._take_answer(doing)

    def _ask(self, worker: int, incarnation: int, doing: str) -> None:
        try:
            send_message(self._require_connection(), ("fork", worker, incarnation))
        except OSError as error:
            raise self._nursery_gone(doing, f"can't be asked for worker {worker}: {error}") from error
        self._asked += 1

    def _take_answer(self, doing: str, timeout: float = BIRTH_TIMEOUT_S) -> tuple:
        message = self._receive(timeout, doing)
        self._asked -= 1
        if message[0] == "born":
            self._born.add(message[2])
        return message

    def _take_late_answers(self) -> None:
        """Learns which workers are born although the start was broken off: they have to be reaped."""
        deadline = time.monotonic() + LATE_BIRTH_S
        # A signal may have broken off the reading of an answer: then the next is no message, and may raise
        # anything.
        with contextlib.suppress(Exception):
            while self._asked > 0:
                self._take_answer("ending", max(0.001, deadline - time.monotonic()))

    def _renew_nursery(self, run: _core.Run) -> None:
        """Has a new nursery made. Workers go on."""
        run.kill_helper(self._nursery_pid)
        self._close_connection(polite=False)
        if self._nurseries is None:
            raise InternalError("a nursery was to be made anew before there was one")
        before = self._nursery_pid
        try:
            self._connection = self._nurseries.renew()
        except HarnessError as error:
            raise NoReplacement(
                f"the nursery (pid {before}) has died, and {error}; without it no worker can be"
                " replaced"
            ) from error
        run.watch(-1, self._nursery_pid)
        self.wait_for_imports()

    def _admit(self, run: _core.Run, worker: int, pid: int) -> None:
        try:
            run.watch(worker, pid)
        except RuntimeError as error:
            # A worker that nobody watches could die unseen, and the run would wait for it for ever.
            raise HarnessError(f"worker {worker} can't be watched: {error}") from error
        self._watched.add(pid)
        run.admit(worker, pid)

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
            raise self._nursery_gone(doing, f"did not answer within {timeout:g} s") from None
        except OSError as error:
            raise self._nursery_gone(doing, f"does not answer: {error}") from error
        if message is None:
            raise self._nursery_gone(doing, "has closed its connection")
        return message

    def _nursery_gone(self, doing: str, seen: str) -> NurseryGone:
        # Later the watcher takes the ends, and tells of them.
        cause = "" if self._helpers_watched else how_it_ended(self._nursery_pid, self._oom)
        told = f"ended by {cause} before it had done so; its last words, if any, are on stderr"
        return NurseryGone(f"{doing}: the nursery (pid {self._nursery_pid}) {told if cause else seen}")

    def ranks_of(self, worker: int) -> str:
        """The ranks that a worker runs, for messages: `0,2,4`."""
        ranks = range(worker, self._config.n_slices, self._config.n_workers)
        shown = [str(rank) for rank in ranks[:8]]
        return ",".join(shown) + (",..." if len(ranks) > 8 else "")

    def deaths(self, run: _core.Run) -> Iterator[Death]:
        """The ends of processes that were not asked for and not looked at yet, in the order seen."""
        while (told := run.take_death()) is not None:
            death = Death(*told)
            death = death._replace(sender=self._oom.sender_of(death.signalled, death.code))
            if not death.orderly:
                yield death

    def name_helper(self, pid: int) -> str:
        """The nursery or the keeper, with what its death means."""
        if pid == self._keeper_pid:
            return f"the keeper (pid {pid}), without which no new nursery can be made,"
        if self.workers_by_exec:
            return f"the nursery (pid {pid}), which workers that are started by exec do without,"
        return f"the nursery (pid {pid}), which is made anew when a worker has to be replaced,"

    @property
    def _nursery_pid(self) -> int:
        return self._nurseries.nursery_pid if self._nurseries is not None else -1

    @property
    def _keeper_pid(self) -> int:
        return self._nurseries.keeper_pid if self._nurseries is not None else -1

    def _helpers(self) -> list[int]:
        return [pid for pid in (self._nursery_pid, self._keeper_pid) if pid > 0]

    def end(self, run: _core.Run) -> list[str]:
        """Lets every process leave by itself, kills those that do not. Returns a text per bad end."""
        complaints: list[str] = []
        if self._watching:
            run.stop_workers()
            self._close_connection(polite=True)
            if self._nurseries is not None:
                self._nurseries.close()
            late = _wait_for_ends(run)
            complaints += [
                f"worker {death.worker} (ranks {self.ranks_of(death.worker)}) ended by {death.cause}"
                " while its stages were shut down"
                for death in self.deaths(run)
                if death.worker >= 0
            ]
            complaints += [
                f"worker {worker} (pid {pid}, ranks {self.ranks_of(worker)}) did not leave within"
                f" {LEAVE_TIMEOUT_S:g} s and was killed; see its slice logs"
                for worker, pid in late
            ]
        return complaints + self.kill(run)

    def kill(self, run: _core.Run, *, with_left_behind: bool = True) -> list[str]:
        """Ends everything at once: SIGKILL to every group, wait, close. Safe to call twice.

        Returns a text per process that has not ended: it sleeps where nothing wakes it, and may still write
        to what it holds, which is therefore kept from everybody else. `with_left_behind`: what stages have
        left ends, too, and is named.
        """
        complaints: list[str] = []
        undead: list[int] = []
        self._take_late_answers()
        if self._watching:
            run.kill_all()
            if not run.wait_for_ends(KILL_TIMEOUT_S):
                quarantined = run.quarantine()
                undead = [pid for _worker, pid, _blocks, _size in quarantined]
                complaints = [self._undead(*process) for process in quarantined]
            run.stop_watcher()
            self._watching = False
            self._close_connection(polite=False)
        else:
            self._close_connection(polite=False)
            for pid in self._helpers():
                _core.kill_group(pid)
                reap(pid, KILL_TIMEOUT_S)
        if self._nurseries is not None:
            self._nurseries.close()
            self._nurseries = None
        if self._fresh is not None:
            self._fresh.close()
        if self._life_write_fd >= 0:
            os.close(self._life_write_fd)
            os.close(self._life_read_fd)
            self._life_write_fd = self._life_read_fd = -1
            self._reap_unwatched(run)
            complaints += self._end_left_behind(run, with_left_behind, undead)
            _core.set_child_subreaper(False)
        else:
            complaints += self._end_left_behind(run, with_left_behind, undead)
        keep_in_forks(self)
        return complaints

    def _end_left_behind(self, run: _core.Run, wanted: bool, undead: list[int]) -> list[str]:
        if not wanted:
            return []
        return self._left_behind.end(undead, None if self.whole_process else run.segment_fds())

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
        for pid in self._born.union(run.worker_pids()) - self._watched:
            if pid > 0:
                reap(pid, KILL_TIMEOUT_S)

    def _close_connection(self, *, polite: bool) -> None:
        if self._connection is None:
            return
        if polite:
            with contextlib.suppress(OSError):
                # A nursery that is gone already needs no word.
                send_message(self._connection, ("leave",))
        close_for_all(self._connection)
        self._connection = None
        self._asked = 0


def _barren(message: tuple) -> HarnessError:
    return HarnessError(
        f"forking worker {message[1]}: {message[2]}; look at the limits on processes and memory"
    )


def _wait_for_ends(run: _core.Run) -> list[tuple[int, int]]:
    """Waits, in steps so short that a signal is answered, until all have left. Returns workers that have not.

    The nursery and its keeper are not waited for when the workers have left.
    """
    now = time.monotonic()
    deadline, helpers_deadline = now + LEAVE_TIMEOUT_S, now + HELPERS_LEAVE_S
    workers: list[tuple[int, int]] = []
    while not run.wait_for_ends(LEAVE_STEP_S):
        now = time.monotonic()
        workers = [(worker, pid) for worker, pid in run.alive() if worker >= 0]
        if now > deadline or (not workers and now > helpers_deadline):
            return workers
    return []
