# SPDX-License-Identifier: BSD-3-Clause
"""Signals that end a run: handlers of the master while it runs, and what workers do with theirs."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Protocol

from harness import _core

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AT_ONCE_CODE = 128 + signal.SIGTERM
"""The usual exit code of a run that a request of level 1 has ended."""


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
    """A shutdown request of level 1 that was no signal ended the run."""

    def __init__(self, cause: str, exit_code: int = AT_ONCE_CODE) -> None:
        super().__init__(signal.SIGTERM)
        self.args = (f"ended at once by {cause}",)
        self._exit_code = exit_code

    @property
    def exit_code(self) -> int:
        """What the program has chosen for this end."""
        return self._exit_code


EXIT_LATE = 3
"""As for a worker that was late, and whose slices could not go on."""


class SerialLate(Interrupted):
    """A stage of the master has run for longer than its stageTimeout."""

    def __init__(self, text: str) -> None:
        super().__init__(signal.SIGTERM)
        self.args = (text,)

    @property
    def exit_code(self) -> int:
        """`EXIT_LATE`."""
        return EXIT_LATE


def is_main_thread() -> bool:
    """Whether this is the thread in which Python takes signals."""
    return threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def handling_signals(handle: Callable[[int], None]) -> Iterator[None]:
    """While the block runs, a signal that ends runs calls `handle` in the main thread, wherever that is.

    A SIGHUP that is ignored, as under nohup, stays so. What stage code forks meanwhile has the handlers of
    before the block. Does nothing in other threads.
    """
    if not is_main_thread():
        yield
        return

    _guard_forks()
    # Held meanwhile: a handler that raises halfway would leave others for good.
    _core.hold_ending_signals()
    taken = [number for number in ENDING_SIGNALS if not _stays_ignored(number)]
    before: dict[int, Any] = {number: _usable(signal.signal(number, _Taker(handle))) for number in taken}
    outermost = {number: handler for number, handler in before.items() if number not in _usual}
    _usual.update(outermost)
    try:
        _core.release_ending_signals()
        yield
    finally:
        try:
            _core.hold_ending_signals()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            for number in outermost:
                _usual.pop(number, None)
            _core.release_ending_signals()


class _Taker:
    """A handler of the master's."""

    def __init__(self, handle: Callable[[int], None]) -> None:
        self._handle = handle

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self._handle(number)


def leave_signals_to_master() -> None:
    """Makes a worker, or the nursery, survive what ends runs: the master gets the signal too, and decides.

    Batch systems send SIGTERM to every process of a job. What stage code forks or starts has the usual
    handlers, so that a pool can end its processes.
    """
    _guard_forks()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if not _stays_ignored(number):
            # A handler and not SIG_IGN, which programs that stage code starts would inherit.
            signal.signal(number, _leave_alone)
            _usual[number] = signal.SIG_DFL


def use_wakeup_fd(descriptor: int) -> int:
    """Has signals' numbers written there, by this process alone. Returns where they were; -1: nowhere."""
    global _wakeup_fd
    _wakeup_fd = descriptor
    return signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False)


def give_wakeup_fd_back(before: int) -> None:
    """Undoes `use_wakeup_fd`, which has returned `before`."""
    global _wakeup_fd
    signal.set_wakeup_fd(before)
    _wakeup_fd = -1


def fork_with_handlers() -> int:
    """`os.fork` for a process of the run, which has this process's handlers from the start."""
    global _kept_in_forks
    _kept_in_forks = True
    try:
        return os.fork()
    finally:
        _kept_in_forks = False


class LetsGo(Protocol):
    """What has descriptors that no fork of stage code may hold."""

    def let_go(self) -> None:
        """In a fork: closes this process's own descriptors, which are the parent's to use."""


def let_go_in_forks(one: LetsGo) -> None:
    """Has `one.let_go` called in what stage code forks from now on, before a signal can come there."""
    _guard_forks()
    _let_go.add(one)


def keep_in_forks(one: LetsGo) -> None:
    """Undoes `let_go_in_forks`."""
    _let_go.discard(one)


_let_go: weakref.WeakSet[LetsGo] = weakref.WeakSet()

_usual: dict[int, Any] = {}
"""The handlers of before, of the signals that the harness handles in this process."""

_kept_in_forks = False
_wakeup_fd = -1


@functools.cache
def _guard_forks() -> None:
    """From now on, signals that come while this process forks wait.

    Without this a signal to the child could be lost: Python forgets, in a child, what its parent's handlers
    have noted between the fork and the child's first step.
    """
    release = _core.release_ending_signals
    # Compiled, so that what a handler raises is not lost in these functions: Python only prints that.
    os.register_at_fork(before=_core.hold_ending_signals, after_in_parent=release, after_in_child=_take_back)
    os.register_at_fork(after_in_child=release)


def _take_back() -> None:
    if _kept_in_forks:
        return
    for one in list(_let_go):
        one.let_go()
    _let_go.clear()
    for number, handler in _usual.items():
        # Stage code may have put its own there.
        if isinstance(current := signal.getsignal(number), _Taker) or current is _leave_alone:
            signal.signal(number, handler)
    _usual.clear()
    if _wakeup_fd >= 0:
        give_wakeup_fd_back(-1)


def _usable(handler: Any) -> Any:
    # `None`: the handler was not Python's, and Python can't bring it back.
    return signal.SIG_DFL if handler is None else handler


def _stays_ignored(number: int) -> bool:
    return number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


def _leave_alone(number: int, frame: FrameType | None) -> None:
    pass
