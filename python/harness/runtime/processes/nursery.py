# SPDX-License-Identifier: BSD-3-Clause
"""The nursery: imports the stage classes once, then forks workers that are born with them.

    master ──fork or exec──> nursery ──fork──> intermediate ──fork──> worker
      ^                                          (exits at once)         │
      └──────────── adopts the worker (child subreaper) ─────────────────┘

Its own children start from a process with one thread: it is forked before the master has imported NumPy or
started a thread, or started afresh. It never allocates in the arena. When the master's end of the socket
closes, the master is dead: the nursery then kills the workers' groups and ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import pickle
import resource
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from harness import _core
from harness.errors import ConfigError
from harness.runtime.configuration.config import PipelineConfig
from harness.runtime.processes import stacks
from harness.runtime.processes.cores import limit_threads
from harness.runtime.processes.signals import ENDING_SIGNALS, fork_with_handlers, leave_signals_to_master
from harness.runtime.processes.worker import RunContext, worker_main

if TYPE_CHECKING:
    from harness.runtime.configuration.schedule import Halves

ImportStages = Callable[[], "tuple[list[str], Halves]"]
"""Imports the stages. Returns a text for each thing that is no good to workers, and what stages declare."""
LENGTH = struct.Struct("!I")
SPARE_DESCRIPTORS = 256
BURIAL_S = 0.05
PARTING_S = 5.0
PARTING_STEP_S = 0.005


def send_message(connection: socket.socket, message: tuple) -> None:
    """Sends one message; both ends are processes of one run, so pickle is safe here."""
    data = pickle.dumps(message)
    connection.sendall(LENGTH.pack(len(data)) + data)


def receive_message(connection: socket.socket) -> tuple | None:
    """Receives one message, or `None` when the other end has closed. Blocks as the socket's timeout says."""
    head = _receive_exactly(connection, LENGTH.size)
    if head is None:
        return None
    body = _receive_exactly(connection, LENGTH.unpack(head)[0])
    return None if body is None else pickle.loads(body)


def close_for_all(connection: socket.socket) -> None:
    """Closes a connection whose end the other side is to see, even where a fork has a copy of it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _receive_exactly(connection: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            return None
        data += piece
    return data


def nursery_main(
    context: RunContext, connection: socket.socket, import_stages: ImportStages
) -> NoReturn:
    """The life of the nursery. Never returns."""
    try:
        os.setpgid(0, 0)
        leave_signals_to_master()
        stacks.register("nursery")
        make_fit(context.config)
        # A connection that breaks means the same as one that closes: the master has ended.
        with contextlib.suppress(ConnectionError):
            if _import_and_report(connection, context.life_read_fd, import_stages):
                gc.collect()
                gc.freeze()
                _serve(context, connection)
        _bury_workers(context)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def make_fit(config: PipelineConfig) -> None:
    """Makes this process, which has left its signals to the master, fit for stage code and for workers."""
    # Where a launcher has left this ignored, children are gone before anybody can wait for them.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # The master blocked these over the fork, for its own handlers have no business here.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
    _close_stdin()
    limit_threads(config.n_workers)
    _allow_open_files(config.n_slices // config.n_workers)


def _close_stdin() -> None:
    """Stages that read standard input see its end.

    Workers are no foreground processes: reading the terminal would stop them, and the run, for good.
    """
    if sys.__stdin__ is not None:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)


def _allow_open_files(slices_per_worker: int) -> None:
    """Every slice of a worker has its own log file: raises the soft limit where it is in the way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * slices_per_worker + SPARE_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _import_and_report(
    connection: socket.socket, life_read_fd: int, import_stages: ImportStages
) -> bool:
    """Imports the stage modules, tells the master how it went and what was found amiss.

    Returns whether workers can be born.
    """
    # Until the nursery listens to its master, this is how it learns of the master's end.
    _core.die_with_pipe(life_read_fd)
    try:
        found, declared = import_stages()
    except BaseException as error:
        told = str(error) if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
        send_message(connection, ("failed", told, traceback.format_exc()))
        return False
    # From here on the nursery outlives the master for as long as it takes to kill the workers.
    fcntl.fcntl(life_read_fd, fcntl.F_SETFL, fcntl.fcntl(life_read_fd, fcntl.F_GETFL) & ~os.O_ASYNC)
    send_message(connection, ("imported", found, declared))
    return True


def _serve(context: RunContext, connection: socket.socket) -> None:
    while True:
        message = receive_message(connection)
        if message is None:
            return
        if message[0] == "leave":
            os._exit(0)
        _fork_worker(context, connection, message[1:])


def _bury_workers(context: RunContext) -> None:
    """Kills the groups of workers that are left: with their master gone they have nobody to work for."""
    for pid in context.run.worker_pids():
        if pid > 0:
            _core.kill_group(pid)
    if _master_ends(context.master_pid):
        # What workers send between the master's death and their own belongs to the log, too.
        time.sleep(BURIAL_S)
        _, _, drain = context.kept()
        drain.take_over()


def _master_ends(master_pid: int) -> bool:
    """Whether the master is dead: its sockets close first. One that lives on kills the nursery in time."""
    deadline = time.monotonic() + PARTING_S
    while os.getppid() == master_pid:
        if time.monotonic() > deadline:
            return False
        time.sleep(PARTING_STEP_S)
    return True


def _fork_worker(context: RunContext, connection: socket.socket, worker: tuple[int, int]) -> None:
    """Makes a worker (number, incarnation) and tells the master its pid, once it is the master's child."""
    sys.stdout.flush()
    sys.stderr.flush()
    read_fd, write_fd = os.pipe()
    try:
        intermediate = fork_with_handlers()
        if intermediate == 0:
            _bear_worker(context, connection, worker, (read_fd, write_fd))
        os.waitpid(intermediate, 0)
        # The intermediate process has gone, so the worker has been adopted by the master.
        answer = os.read(read_fd, 64).decode()
    except OSError as error:
        answer = str(error)
    os.close(read_fd)
    os.close(write_fd)
    if answer.isdecimal():
        send_message(connection, ("born", worker[0], int(answer)))
    else:
        send_message(connection, ("barren", worker[0], answer))


def _bear_worker(
    context: RunContext, connection: socket.socket, worker: tuple[int, int], answer_fds: tuple[int, int]
) -> NoReturn:
    """The life of the intermediate process."""
    try:
        pid = fork_with_handlers()
    except OSError as error:
        os.write(answer_fds[1], str(error).encode())
        os._exit(1)
    if pid == 0:
        connection.close()
        for descriptor in answer_fds:
            os.close(descriptor)
        worker_main(context, *worker)
    os.write(answer_fds[1], str(pid).encode())
    os._exit(0)
