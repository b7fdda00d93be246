# SPDX-License-Identifier: BSD-3-Clause
"""Requests to end a run, of the shutdown levels 1 to 4: from signals, calls and listeners."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator

from harness import _core
from harness.runtime.processes.signals import (
    AT_ONCE_CODE,
    Interrupted,
    StoppedAtOnce,
    give_wakeup_fd_back,
    handling_signals,
    is_main_thread,
    use_wakeup_fd,
)

PLACES = {
    4: "after this visit",
    3: "after this stage",
    2: "at the next synchronisation point",
    1: "at once",
}
"""Where a run of which that level was asked ends."""
BEFORE_ANY = "at once, for no visit has begun"


class StopRequests:
    """What a run was asked for; the most urgent request counts. May be used from any thread.

    `tell` is given a line for people about every request; `begun` says whether visits have begun: before
    that, a signal has nothing to spare and ends the run at once. `late()` is what to raise when a stage of
    the master is interrupted because it takes too long; None: that is not why.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        begun: Callable[[], bool],
        late: Callable[[], BaseException | None],
    ) -> None:
        self._tell = tell
        self._begun = begun
        self._late = late
        # Reentrant: a signal may come while the main thread makes a request itself.
        self._lock = threading.RLock()
        self._run: _core.Run | None = None
        self._handles_signals = False
        self._wakes_watcher = False
        self._is_whole = False
        self._at_once = False
        self.level = 0
        self.cause = ""
        self.at_once_code = AT_ONCE_CODE
        """The exit code of a run that a request of level 1 ends."""
        self._last_signal = 0

    def attach(self, run: _core.Run) -> None:
        """Requests reach this run's loop, those that came before included."""
        with self._lock:
            self._run = run
            if self.level:
                run.request_stop(self.level)

    def request(self, level: int, cause: str) -> str:
        """Asks the run to end; `cause` names who asks. Returns what follows, in words.

        A request that is not more urgent than one before changes nothing. Level 1 raises `StoppedAtOnce` in
        the main thread, here or where that thread is.

        Raises:
            ValueError: no level of 1 to 4.
        """
        answer = self._note(level, cause)
        if level == 1:
            self._end_at_once()
        return answer

    def ask(self, level: int, cause: str) -> str:
        """`request` for other programs: before the first visit, any level ends a run that is in `whole`.

        For threads beside the main one.
        """
        if not self._is_whole or self._begun():
            return self.request(level, cause)
        answer = self._note(level, cause, place=BEFORE_ANY)
        self._end_at_once()
        return answer

    def _note(self, level: int, cause: str, hint: str = "", place: str = "") -> str:
        if level not in PLACES:
            raise ValueError(f"expected a shutdown level of 1 to 4, saw {level!r}")
        with self._lock:
            more_urgent = self.level == 0 or level < self.level
            if more_urgent:
                self.level, self.cause = level, cause
            now = self.level
        answer = f"the run ends {place or PLACES[now]}{'' if more_urgent else ' already'}"
        # First: a run that waits for an event ends as soon as it is asked, and its log with it.
        self._tell(f"{cause}: {answer}{hint}")
        with self._lock:
            if more_urgent and self._run is not None:
                self._run.request_stop(self.level)
        return answer

    def at_once(self, more: str = "") -> Interrupted:
        """What ends a run of which level 1 was asked: the first who asked for it decides the exit code."""
        if self._last_signal:
            return Interrupted(self._last_signal)
        return StoppedAtOnce(self.cause + more, self.at_once_code)

    def _end_at_once(self) -> None:
        if is_main_thread():
            raise self.at_once()
        with self._lock:
            if not self._handles_signals:
                # The loop sees the level, between two half-steps of the master if it is in one.
                return
            self._at_once = True
            if self._wakes_watcher and self._run is not None:
                os.write(self._run.wakeup_fd(), _core.STOP_AT_ONCE)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """While the block runs, which is all of a run, a signal ends it at once wherever the main thread is.

        But for where `signals` says otherwise.
        """
        if not is_main_thread():
            yield
            return
        with handling_signals(self._take_early_signal):
            try:
                self._is_whole = True
                self._set_handles_signals(True)
                yield
            finally:
                self._set_handles_signals(False)
                self._is_whole = False

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """While the block runs, signals are requests: SIGINT for 4, 2, then 1; others for 2, then 1.

        The run's watcher, which must have started, is told: it wakes the loop, interrupts stages of the
        master that take too long, and guards against such as hold the main thread.
        """
        run = self._run
        if run is None or not is_main_thread():
            yield
            return
        with handling_signals(self._take_signal):
            before, handled = -1, self._handles_signals
            try:
                run.arm_hard_stop()
                before = use_wakeup_fd(run.wakeup_fd())
                self._set_handles_signals(True, wakes_watcher=True)
                run.set_interrupts(True)
                yield
            finally:
                # A request that comes just now raises in here: nothing may be left out for it.
                try:
                    run.set_interrupts(False)
                finally:
                    try:
                        self._set_handles_signals(handled)
                    finally:
                        try:
                            give_wakeup_fd_back(before)
                        finally:
                            run.disarm_hard_stop()

    def _set_handles_signals(self, value: bool, *, wakes_watcher: bool = False) -> None:
        with self._lock:
            self._handles_signals = value
            self._wakes_watcher = wakes_watcher

    def _take_early_signal(self, number: int) -> None:
        if (late := self._late()) is not None:
            raise late
        if self._at_once or self.level == 1:
            raise self.at_once()
        raise Interrupted(number)

    def _take_signal(self, number: int) -> None:
        if self.level == 1 or self._at_once or not self._begun():
            self._take_early_signal(number)
        if (late := self._late()) is not None:
            raise late
        name = signal.Signals(number).name
        level = _core.next_stop_level(self.level, number)
        if level == 1:
            self.level, self.cause, self._last_signal = level, name, number
            raise self.at_once()
        following = PLACES[_core.next_stop_level(level, number)]
        self._note(level, name, f"; another {name} ends it {following}")
