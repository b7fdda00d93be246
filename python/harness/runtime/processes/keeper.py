# SPDX-License-Identifier: BSD-3-Clause
"""The keeper: a process that can still fork when the master no longer can, and so makes new nurseries.

    master ──fork──> keeper ──fork──> intermediate ──fork──> nursery
      ^                                 (exits at once)         │
      └────────────── adopts the nursery (child subreaper) ─────┘

It is forked beside the first nursery, before the master has imported stages or started a thread, and does
nothing but wait: it imports nothing and runs no stage code, so that there is nothing for it to die of.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import traceback
from typing import NoReturn

from harness import _core
from harness.runtime.processes import stacks
from harness.runtime.processes.nursery import ImportStages, nursery_main
from harness.runtime.processes.signals import ENDING_SIGNALS, fork_with_handlers, leave_signals_to_master
from harness.runtime.processes.worker import RunContext

REQUEST = b"n"


def ask_for_nursery(connection: socket.socket, theirs: socket.socket) -> int:
    """Asks the keeper for a nursery that talks through `theirs`; its pid, once it is the master's child.

    Raises `OSError` when the keeper has gone, does not answer in time, or can't fork.
    """
    socket.send_fds(connection, [REQUEST], [theirs.fileno()])
    answer = connection.recv(64).decode()
    if not answer.isdecimal():
        raise OSError(answer or "the keeper has ended")
    return int(answer)


def keeper_main(
    context: RunContext, connection: socket.socket, import_stages: ImportStages
) -> NoReturn:
    """The life of the keeper. Never returns."""
    code = 1
    try:
        os.setpgid(0, 0)
        leave_signals_to_master()
        stacks.register("keeper")
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
        _core.die_with_pipe(context.life_read_fd)
        # A connection that breaks means the same as one that closes: the master has ended.
        with contextlib.suppress(ConnectionError):
            _serve(context, connection, import_stages)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _serve(context: RunContext, connection: socket.socket, import_stages: ImportStages) -> None:
    while True:
        request, descriptors, _flags, _address = socket.recv_fds(connection, len(REQUEST), 1)
        if not request:
            return
        with socket.socket(fileno=descriptors[0]) as theirs:
            connection.sendall(_fork_nursery(context, connection, theirs, import_stages).encode())


def _fork_nursery(
    context: RunContext, connection: socket.socket, theirs: socket.socket, import_stages: ImportStages
) -> str:
    """Forks twice, so that the nursery is the master's child. Returns its pid, or why there is none."""
    read_fd, write_fd = os.pipe()
    try:
        intermediate = fork_with_handlers()
        if intermediate == 0:
            _bear_nursery(context, connection, theirs, import_stages, write_fd)
        os.waitpid(intermediate, 0)
        os.close(write_fd)
        write_fd = -1
        return os.read(read_fd, 64).decode() or "the process between keeper and nursery died"
    except OSError as error:
        return str(error)
    finally:
        os.close(read_fd)
        if write_fd >= 0:
            os.close(write_fd)


def _bear_nursery(
    context: RunContext,
    connection: socket.socket,
    theirs: socket.socket,
    import_stages: ImportStages,
    answer_fd: int,
) -> NoReturn:
    """The life of the intermediate process."""
    try:
        pid = fork_with_handlers()
    except OSError as error:
        os.write(answer_fd, str(error).encode()[:60])
        os._exit(1)
    if pid == 0:
        connection.close()
        os.close(answer_fd)
        nursery_main(context, theirs, import_stages)
    os.write(answer_fd, str(pid).encode())
    os._exit(0)
