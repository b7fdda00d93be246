# SPDX-License-Identifier: BSD-3-Clause
"""The end of a program that has run a pipeline: nothing that stages left in it keeps it, or outlives it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

from harness.cli.output import complain
from harness.runtime.processes import exit_handlers
from harness.runtime.processes.left_behind import LeftBehind, threads_left
from harness.runtime.processes.signals import ENDING_SIGNALS

LEAVE_TIMEOUT_S = 10.0
FAILED_FLUSH = 120
"""As Python has it: what was printed last could not be written."""


class Leaving:
    """Ends this process, whatever is left in it."""

    def __init__(self, program: str, code: int, before: LeftBehind) -> None:
        """`program` is how messages begin, `before` was made before the run."""
        self._program = program
        self._code = code
        self._before = before
        self._once = threading.Lock()

    def leave(self) -> NoReturn:
        """Does what the interpreter does at its end, for as long as that may take, and ends.

        That are threads that go on, and what was registered with `atexit`. A signal ends it earlier, and
        does not replace the code that says how the run ended.
        """
        for number in ENDING_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)
        if threads := threads_left():
            self._tell(
                f"waits up to {LEAVE_TIMEOUT_S:g} s for threads that stages have left behind:"
                f" {', '.join(threads)}; a signal ends it at once"
            )
        timer = threading.Timer(LEAVE_TIMEOUT_S, self._end)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:
            # The machine has no thread left: then nobody could end what is waited for.
            self._end()
        try:
            threading._shutdown()  # type: ignore[attr-defined]
            exit_handlers.run_own()
        finally:
            self._end()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._end()

    def _end(self) -> NoReturn:
        code = self._code
        # Whoever comes second leaves it to the first.
        if not self._once.acquire(blocking=False):
            while True:
                signal.pause()
        try:
            if threads := threads_left():
                self._tell(f"ended with threads that stages have left behind: {', '.join(threads)}")
            for text in self._before.end():
                self._tell(text)
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
        except (OSError, ValueError):
            code = code or FAILED_FLUSH
        finally:
            os._exit(code)

    def _tell(self, text: str) -> None:
        complain(self._program, text)


def leave(program: str, code: int, before: LeftBehind) -> NoReturn:
    """Ends this process, as `Leaving.leave` does."""
    Leaving(program, code, before).leave()
