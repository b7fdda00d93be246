# SPDX-License-Identifier: BSD-3-Clause
"""The errors of the harness itself; what the DC3b API raises is in `harness.exceptions`.

Every class has one exit code, which `pex-harness` ends with. All of them pickle to an equal error.
"""

from __future__ import annotations

import copy
import signal
from typing import Any

PLACE = "harness_place"
"""The attribute of an exception that says where it was raised."""


class HarnessError(Exception):
    """Base of every error the harness raises on its own account."""

    exit_code = 2

    def __reduce__(self) -> tuple:
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.args == other.args and self.__dict__ == other.__dict__

    __hash__ = Exception.__hash__


def _rebuild(cls: type[HarnessError], args: tuple, state: dict) -> HarnessError:
    error = Exception.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigError(HarnessError):
    """A policy, an option or a class name that the run cannot use. Found before anything is processed.

    Attributes: `details` (a traceback as text, or empty) and `problems` (each as a
    `harness.policy.problems.Problem`, in file order, where the text of a policy is wrong; else empty).
    """

    def __init__(self, message: str, *, details: str = "", problems: tuple[Any, ...] = ()) -> None:
        super().__init__(message)
        self.details = details
        self.problems = problems


class StageFailed(HarnessError):
    """A stage raised where nothing contains it: in its constructor or `setup()`, or in a failure stage.

    Attributes: `rank` (-1 for the master), `details` (the traceback as text).
    """

    def __init__(self, message: str, *, rank: int = -1, details: str = "") -> None:
        super().__init__(message)
        self.rank = rank
        self.details = details


class SliceDied(HarnessError):
    """A process of the run ended without being asked to.

    Attributes: `worker` (index, -1 for the nursery), `pid`, `rank` and `stage` (what it was running; -1 and
    "" if nothing, -1 and "setup" before its first step), `cause` (such as `SIGSEGV (signal 11)`),
    `signal_number` (0 if it exited by itself), `status` (its exit code), `what` (a sentence that names all
    of these), `follows` (what follows from it, in words; empty where that is not known) and `look` (where to
    look for more, in words).
    """

    exit_code = 3

    def __init__(
        self,
        worker: int,
        pid: int,
        *,
        rank: int,
        ranks: str,
        stage: str,
        visit: int,
        signalled: bool,
        code: int,
        cause: str | None = None,
        follows: str = "",
        look: str = "at the end of its slice logs",
    ) -> None:
        cause = cause.rstrip(", ") if cause is not None else describe_end(signalled, code)
        self.cause = cause
        doing = "between two steps"
        if rank >= 0:
            doing = f"while it ran stage {stage} of visit {visit} for rank {rank}"
        elif stage:
            doing = "while it set its stages up"
        # A cause with a clause of its own ends with a comma where the sentence goes on.
        pause = "," if "," in cause else ""
        what = f"worker {worker} (pid {pid}, ranks {ranks}) died of {cause}{pause} {doing}"
        self.what = what
        self.follows = follows
        self.look = look
        super().__init__(self._message())
        self.worker = worker
        self.pid = pid
        self.rank = rank
        self.stage = stage
        self.visit = visit
        self.signal_number = code if signalled else 0
        self.status = 0 if signalled else code

    def followed_by(self, follows: str) -> SliceDied:
        """The same death, told with what follows from it for one rank, or for the run."""
        told = copy.copy(self)
        told.follows = follows
        told.args = (told._message(),)
        return told

    def _message(self) -> str:
        follows = f"; {self.follows}" if self.follows else ""
        return f"{self.what}{follows}. Look {self.look}"


class NoReplacement(HarnessError):
    """A worker has died, and no other can be made in its place."""

    exit_code = 3


class ArenaFull(HarnessError, MemoryError):
    """Shared memory for an array could not be had.

    Attributes: `asked_bytes`, `stats` (the arena's figures at the time).
    """

    exit_code = 4

    def __init__(self, message: str, *, asked_bytes: int = 0, stats: dict | None = None) -> None:
        super().__init__(message)
        self.asked_bytes = asked_bytes
        self.stats = stats or {}


class TransportError(HarnessError):
    """A value marked shareable cannot cross to another process. The message names its key and type."""


class LedgerError(HarnessError):
    """The run directory's ledger cannot be used: locked, damaged, foreign, or its disk is full."""

    exit_code = 5


class ResumeRefused(HarnessError):
    """A run cannot be continued as it stands: policy or code differ from those of the run before.

    Attributes: `differences`, one text each.
    """

    def __init__(self, message: str, *, differences: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.differences = differences


class InternalError(HarnessError):
    """A contract inside the harness was broken: a defect of the harness, not of the caller."""

    exit_code = 70


def describe_end(signalled: bool, code: int) -> str:
    """How a process ended, for people: `SIGSEGV (signal 11)` or `exit code 3`."""
    if not signalled:
        return (
            f"exit code {code}"
            if code >= 0
            else "an unknown cause (its exit status was taken by someone else)"
        )
    try:
        return f"{signal.Signals(code).name} (signal {code})"
    except ValueError:
        return f"signal {code}"


def note_place(error: BaseException, place: str) -> None:
    """Notes where stage code raised what ends the run: `stage 'isr' (preprocess, visit 3) of the master`.

    An error with an exit code says itself what has ended the run.
    """
    if not hasattr(error, PLACE) and not hasattr(error, "exit_code"):
        setattr(error, PLACE, place)


def place_of(error: BaseException) -> str:
    """What `note_place` has noted; empty: nothing."""
    return getattr(error, PLACE, "")


def reason_of(error: BaseException) -> str:
    """Why a run has ended that this error has ended, in words."""
    place = place_of(error)
    return f"ended by {place}: {error!r}" if place else str(error) or repr(error)
