# SPDX-License-Identifier: BSD-3-Clause
"""Signals that end a run: handlers of the master while it runs, and what workers do with theirs."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal ended the run. No `Exception`, so that the containment of stage errors lets it through.

    Attribute: `signal_number`.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"ended by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number

    @property
    def exit_code(self) -> int:
        """128 plus the signal's number, as shells report it."""
        return 128 + self.signal_number


class StoppedAtOnce(Interrupted):
    """A shutdown request of level 1 that was no signal ended the run. Exit code as for SIGTERM."""

    def __init__(self, cause: str) -> None:
        super().__init__(signal.SIGTERM)
        self.args = (f"ended at once by {cause}",)


def is_main_thread() -> bool:
    """Whether this is the thread in which Python takes signals."""
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def handling_signals(handle: Callable[[int], None]) -> Iterator[None]:
    """While the block runs, a signal that ends runs calls `handle` in the main thread, wherever that is.

    A SIGHUP that is ignored, as under nohup, stays so. Does nothing in other threads.
    """
    if not is_main_thread():
        yield
        return

    def take(number: int, frame: FrameType | None) -> None:
        handle(number)

    taken = [number for number in ENDING_SIGNALS if not _stays_ignored(number)]
    before = {number: signal.signal(number, take) for number in taken}
    try:
        yield
    finally:
        for number, handler in before.items():
            # `None`: the handler was not Python's, and Python can't bring it back.
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def raising_signals() -> contextlib.AbstractContextManager[None]:
    """While the block runs, a signal that ends runs becomes `Interrupted` wherever the main thread is."""
    return handling_signals(_raise)


def leave_signals_to_master() -> None:
    """Makes a worker, or the nursery, survive what ends runs: the master gets the signal too, and decides.

    Batch systems send SIGTERM to every process of a job. What stage code forks or starts has the usual
    handlers, so that a pool can end its processes.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if not _stays_ignored(number):
            # A handler and not SIG_IGN, which programs that stage code starts would inherit.
            signal.signal(number, _leave_alone)
    os.register_at_fork(after_in_child=_take_back)


def _stays_ignored(number: int) -> bool:
    return number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


def _leave_alone(number: int, frame: FrameType | None) -> None:
    pass


def _take_back() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is _leave_alone:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int) -> None:
    raise Interrupted(number)
