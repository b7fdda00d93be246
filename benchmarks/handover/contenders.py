# SPDX-License-Identifier: BSD-3-Clause
"""Who takes part in the steps and the hand-overs. Run as a program, measures one of them in this process.

Usage: contenders.py {steps,handover} NAME SLICES MEBIBYTES ROUNDS SECONDS. Prints one line of JSON.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import bare

Result = dict[str, Any]


@dataclass(frozen=True)
class Contender:
    """One way to do it.

    Attributes: `label` is what tables call it; `module` and `function` name what measures it; `needs` is
    a package it needs and `program` a command; `heavy` ones take part only when asked; `above_cores` ones
    only where there are more slices than cores.
    """

    label: str
    module: str
    function: str
    needs: str = ""
    program: str = ""
    heavy: bool = False
    above_cores: bool = False

    def missing(self) -> str:
        """Why it cannot take part; empty if it can."""
        if self.needs and importlib.util.find_spec(self.needs) is None:
            return f"Python package {self.needs} is not installed"
        if self.program and shutil.which(self.program) is None:
            return f"command {self.program} is not installed"
        return ""

    def command(self, kind: str, name: str, slices: int) -> list[str]:
        """What starts it in a process of its own, without the sizes."""
        start = [sys.executable, __file__, kind, name]
        if self.program:
            options = ["--allow-run-as-root", "--oversubscribe", "-n", str(slices + 1)]
            start = [self.program, *options, *start]
        return start

    def measure(self) -> Callable[..., Any]:
        """The function that measures it."""
        return getattr(importlib.import_module(self.module), self.function)


STEPS = {
    "bare": Contender("limit: bare C, yield 50 us, then futex", "contenders", "bare_steps"),
    "thin": Contender("the same from Python, through ctypes", "contenders", "thin_steps"),
    "harness": Contender("**harness**, N workers", "contenders", "harness_steps"),
    "default": Contender("**harness**, as many workers as cores", "contenders", "harness_default_steps",
                         above_cores=True),
    "logged": Contender("harness, N workers, default logs", "contenders", "harness_logged_steps"),
    "futex": Contender("limit: bare C, futex alone", "contenders", "futex_steps"),
    "pthread": Contender("pthread_barrier, 2 waits, bare C", "contenders", "pthread_steps"),
    "mpi": Contender("Open MPI, 2 Barriers", "peers_installed", "mpi_steps", "mpi4py", "mpirun"),
    "pipe": Contender("multiprocessing.Pipe", "peers_stdlib", "pipe_steps"),
    "zmq": Contender("pyzmq, ipc", "peers_installed", "zmq_steps", "zmq"),
    "iceoryx2": Contender("iceoryx2, events", "peers_iceoryx2", "iceoryx2_steps", "iceoryx2"),
    "barrier": Contender("multiprocessing, 2 Barriers", "peers_stdlib", "barrier_steps"),
    "joblib": Contender("joblib", "peers_installed", "joblib_steps", "joblib"),
    "ray": Contender("Ray actors", "peers_clusters", "ray_steps", "ray", heavy=True),
    "dask": Contender("Dask", "peers_clusters", "dask_steps", "distributed", heavy=True),
}

HANDOVERS = {
    "bare": Contender("limit: descriptor only, bare C", "contenders", "bare_handover"),
    "harness": Contender("**harness**, computed in a stage", "contenders", "harness_handover"),
    "default": Contender("**harness**, the same, as many workers as cores", "contenders",
                         "harness_default_handover", above_cores=True),
    "copy": Contender("limit: one copy into warm pages, bare C", "contenders", "copy_handover"),
    "foreign": Contender("**harness**, array from elsewhere", "contenders", "harness_foreign_handover"),
    "iceoryx2": Contender("iceoryx2, computed in a loan", "peers_iceoryx2", "born_handover", "iceoryx2"),
    "loaned": Contender("iceoryx2, one copy into a loan", "peers_iceoryx2", "copied_handover", "iceoryx2"),
    "reused": Contender("shared_memory, block reused", "peers_stdlib", "reused_handover"),
    "mpi": Contender("Open MPI Bcast / Recv", "peers_installed", "mpi_handover", "mpi4py", "mpirun"),
    "fresh": Contender("shared_memory, new block each", "peers_stdlib", "fresh_handover"),
    "joblib": Contender("joblib, memmap / pickle", "peers_installed", "joblib_handover", "joblib"),
    "zmq": Contender("pyzmq, ipc, copy=False", "peers_installed", "zmq_handover", "zmq"),
    "pipe": Contender("multiprocessing.Pipe, pickle", "peers_stdlib", "pipe_handover"),
    "queue": Contender("multiprocessing.Queue, pickle", "peers_stdlib", "queue_handover"),
    "ray": Contender("Ray put / get", "peers_clusters", "ray_handover", "ray", heavy=True),
    "dask": Contender("Dask scatter / gather", "peers_clusters", "dask_handover", "distributed", heavy=True),
}

KINDS = {"steps": STEPS, "handover": HANDOVERS}


def bare_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """The limit."""
    return bare.steps(slices, rounds)


def futex_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """The limit of who sleeps at once."""
    return bare.steps(slices, rounds, yields=False)


def pthread_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """What the C library has for it."""
    return bare.barrier_steps(slices, rounds)


def thin_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """The limit's rendezvous, with both sides in Python and an empty function called in the slices."""
    from forks import forked, timed_steps

    library = bare.library()
    meeting = library.bare_meeting(slices)

    def nothing() -> None:
        pass

    def body(rank: int) -> None:
        turn = 0
        while True:
            turn = library.bare_wait_release(meeting, turn)
            nothing()
            library.bare_arrive(meeting, turn)

    def step() -> None:
        library.bare_release(meeting)
        library.bare_wait_all(meeting)

    with forked(slices, body):
        return timed_steps(step, rounds, seconds)


def harness_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """A process per slice, warnings only."""
    from harness_runs import steps

    return steps(slices, rounds, slices)


def harness_default_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """As many workers as there are cores."""
    from harness.runtime.configuration.config import usable_cores
    from harness_runs import steps

    return steps(slices, rounds, usable_cores())


def harness_logged_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """A process per slice, with the logs that a run writes when nothing is said; a fifth of the rounds."""
    from harness_runs import steps

    return steps(slices, rounds // 5, slices, -1)


def bare_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> Result:
    """The limit of what is born in shared memory."""
    out, back = bare.handover(slices, mebibytes, rounds, False)
    return {"out": out, "back": back}


def copy_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> Result:
    """The limit of what is not."""
    out, back = bare.handover(slices, mebibytes, rounds, True)
    return {"out": out, "back": back}


def harness_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> Result:
    """A process per slice."""
    from harness_runs import handover

    return handover(slices, mebibytes, rounds, slices, False)


def harness_default_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> Result:
    """As many workers as there are cores."""
    from harness.runtime.configuration.config import usable_cores
    from harness_runs import handover

    return handover(slices, mebibytes, rounds, usable_cores(), False)


def harness_foreign_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> Result:
    """A process per slice; the arrays were made in `setup`, outside the arena."""
    from harness_runs import handover

    return handover(slices, mebibytes, rounds, slices, True)


def main(arguments: Sequence[str]) -> None:
    """Measures one contender and prints what it took; only rank 0 of an MPI job prints."""
    kind, name, slices, mebibytes, rounds, seconds = arguments
    sizes = (int(slices),) if kind == "steps" else (int(slices), int(mebibytes))
    found = KINDS[kind][name].measure()(*sizes, int(rounds), float(seconds))
    rank = importlib.import_module("mpi4py.MPI").COMM_WORLD.rank if KINDS[kind][name].program else 0
    if rank == 0:
        print(json.dumps(found if kind == "handover" else {"out": found}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
