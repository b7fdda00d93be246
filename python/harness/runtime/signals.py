# SPDX-License-Identifier: BSD-3-Clause
"""SIGINT and SIGTERM during a run: raised in the main thread as `Interrupted`, and told to the watcher."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from harness import _core


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


@contextlib.contextmanager
def raising_signals() -> Iterator[None]:
    """While the block runs, a signal becomes `Interrupted` wherever the main thread is.

    Does nothing in other threads, where Python takes no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _raise) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def watched_signals(run: _core.Run) -> Iterator[None]:
    """As `raising_signals`, with the watcher told: it wakes the loop and guards against stuck stages."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with raising_signals():
        before = signal.set_wakeup_fd(run.wakeup_fd(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            run.disarm_hard_stop()


def _raise(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)
