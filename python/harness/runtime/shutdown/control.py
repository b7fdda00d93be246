# SPDX-License-Identifier: BSD-3-Clause
"""How a command finds the master of a run directory, and asks it to end.

    RUNDIR/master.json     which process: number, start time, boot; removed at the run's end
    an abstract socket     one line in, one line out: "stop 2" -> "ok the run ends at the next ..."

The socket has no file: it vanishes with the master, however that ends. Only its own user and root are heard.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from pathlib import Path
from typing import NamedTuple

from harness.errors import HarnessError
from harness.process_identity import start_time
from harness.runtime.processes.signals import keep_in_forks, let_go_in_forks
from harness.runtime.shutdown.listener import Request
from harness.whole_files import write_atomically

FILE_NAME = "master.json"
TIMEOUT_S = 5.0
LONGEST_LINE = 200
CREDENTIALS = struct.Struct("3i")


class NoMaster(HarnessError):
    """No master runs for a run directory, or it does not answer. The message says why."""


class Master(NamedTuple):
    """A process, told from every other that had or will have its number."""

    pid: int
    start_time: int
    boot_id: str
    host: str
    run_id: str

    @classmethod
    def here(cls, run_id: str) -> Master:
        """This process."""
        return cls(os.getpid(), start_time(os.getpid()) or 0, _boot_id(), socket.gethostname(), run_id)

    @property
    def address(self) -> str:
        """The name of its socket."""
        return f"\0pex-harness-{self.boot_id[:8]}-{self.pid}-{self.start_time}"

    @property
    def runs(self) -> bool:
        """Whether it runs, on this machine."""
        return self.boot_id == _boot_id() and start_time(self.pid) == self.start_time


def runs(pid: int) -> bool:
    """Whether there is a process of that number that has not ended."""
    return start_time(pid) is not None


def announce(run_dir: Path, master: Master) -> None:
    """Says in the run directory, whose lock the caller holds, that this master is at work there."""
    write_atomically(run_dir / FILE_NAME, (json.dumps(master._asdict()) + "\n").encode())


def withdraw(run_dir: Path, master: Master) -> None:
    """Takes back what `announce` said, unless somebody else has said so since."""
    with contextlib.suppress(NoMaster, OSError):
        if find(run_dir) == master:
            (run_dir / FILE_NAME).unlink()


def find(run_dir: Path) -> Master:
    """The master that runs in a run directory.

    Raises:
        NoMaster: there is none; the message says whether there was one.
    """
    path = run_dir / FILE_NAME
    if not run_dir.is_dir():
        raise NoMaster(f"{run_dir}: no such directory")
    try:
        master = Master(**json.loads(path.read_text()))
    except FileNotFoundError:
        raise NoMaster(f"{run_dir}: no run is going on here") from None
    except (OSError, ValueError, TypeError) as error:
        raise NoMaster(f"{path}: cannot be read: {error}") from None
    if master.boot_id != _boot_id():
        raise NoMaster(
            f"{path}: the run is, or was, on {master.host}: ask there; if it runs no more, remove the file"
        )
    if not master.runs:
        raise NoMaster(f"{run_dir}: no run is going on here; process {master.pid} ended without taking leave")
    return master


def ask_to_stop(master: Master, level: int) -> str:
    """Asks a master to end its run; returns its answer.

    Raises:
        NoMaster: it does not listen, does not answer in time, or refuses.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT_S)
        try:
            connection.connect(master.address)
            connection.sendall(f"stop {level}\n".encode())
            answer = _receive_line(connection)
        except TimeoutError:
            raise NoMaster(
                f"process {master.pid} has not answered within {TIMEOUT_S:g} s: it is stopped, or a stage"
                " holds the interpreter. It may obey later"
            ) from None
        except ConnectionRefusedError:
            raise NoMaster(f"process {master.pid} listens no more: its run is ending") from None
        except OSError as error:
            raise NoMaster(f"process {master.pid} does not answer: {error}") from None
    verdict, _, text = answer.partition(" ")
    if verdict != "ok":
        raise NoMaster(f"process {master.pid} refuses: {text or 'it has closed the connection'}")
    return text


class ControlSocket:
    """The master's end: a `LevelSource`. Listens from its construction on."""

    def __init__(self, master: Master) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(master.address)
            self._socket.listen()
        except BaseException:
            self._socket.close()
            raise
        # A fork that lives on would keep the name from the next run of this process.
        let_go_in_forks(self)

    def let_go(self) -> None:
        """In a fork: the name is the parent's."""
        self._socket.close()

    def listen(self, request: Request) -> None:
        """Serves one command after the other."""
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(TIMEOUT_S)
                connection.sendall(f"{_answer(connection, request)}\n".encode())

    def close(self) -> None:
        """Ends `listen`."""
        keep_in_forks(self)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def _answer(connection: socket.socket, request: Request) -> str:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, user, _group = CREDENTIALS.unpack(credentials)
    if user not in (os.geteuid(), 0):
        return "no only the user who runs this and root may end it"
    word, _, level = _receive_line(connection).partition(" ")
    try:
        if word != "stop":
            raise ValueError(f"expected 'stop LEVEL', saw {word!r}")
        return f"ok {request(int(level), f'shutdown request of level {level} from process {pid}')}"
    except ValueError as error:
        return f"no {error}"


def _receive_line(connection: socket.socket) -> str:
    data = b""
    while b"\n" not in data and len(data) < LONGEST_LINE:
        piece = connection.recv(LONGEST_LINE)
        if not piece:
            break
        data += piece
    return data.partition(b"\n")[0].decode("utf-8", "replace")


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
