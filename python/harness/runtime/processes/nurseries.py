# SPDX-License-Identifier: BSD-3-Clause
"""Two ways to a nursery, the first one and those that follow when it has died: by fork, and by exec."""

from __future__ import annotations

import os
import signal
import socket
import sys

from harness.errors import HarnessError
from harness.runtime.processes.fresh import FreshStarts
from harness.runtime.processes.keeper import ask_for_nursery, keeper_main
from harness.runtime.processes.nursery import ImportStages, close_for_all, nursery_main
from harness.runtime.processes.signals import ENDING_SIGNALS
from harness.runtime.processes.worker import RunContext

ANSWER_TIMEOUT_S = 30.0


class ForkedNurseries:
    """The first is a fork of this process, which must not have threads; a keeper is forked beside it.

    Attributes: `nursery_pid` and `keeper_pid`, -1 until there is one.
    """

    def __init__(self, context: RunContext, life_write_fd: int, import_stages: ImportStages) -> None:
        self._context = context
        self._life_write_fd = life_write_fd
        self._import_stages = import_stages
        self._keeper: socket.socket | None = None
        self.nursery_pid = self.keeper_pid = -1

    def start(self) -> socket.socket:
        """Makes the first; returns the connection to it."""
        ours, theirs = socket.socketpair()
        our_keeper, their_keeper = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal between the fork and the nursery's own handlers must not run the master's in the nursery.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                self._close_in_child(ours, our_keeper, their_keeper)
                nursery_main(self._context, theirs, self._import_stages)
            self.nursery_pid = pid
            pid = os.fork()
            if pid == 0:
                self._close_in_child(ours, theirs, our_keeper)
                keeper_main(self._context, their_keeper, self._import_stages)
            self.keeper_pid = pid
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        their_keeper.close()
        self._keeper = our_keeper
        return ours

    def _close_in_child(self, *ends: socket.socket) -> None:
        for end in ends:
            end.close()
        os.close(self._life_write_fd)

    def renew(self) -> socket.socket:
        """Makes another, from the keeper: this process may have threads by now. Raises `HarnessError`."""
        ours, theirs = socket.socketpair()
        try:
            if self._keeper is None:
                raise OSError("it was never started")
            self._keeper.settimeout(ANSWER_TIMEOUT_S)
            self.nursery_pid = ask_for_nursery(self._keeper, theirs)
            return ours
        except OSError as error:
            ours.close()
            raise HarnessError(f"the keeper (pid {self.keeper_pid}) can't make another: {error}") from error
        finally:
            theirs.close()

    def close(self) -> None:
        """Lets the keeper end. Safe to call twice."""
        if self._keeper is not None:
            close_for_all(self._keeper)
            self._keeper = None

    def let_go(self) -> None:
        """In a fork of this process: the keeper is its parent's."""
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None


class FreshNurseries:
    """Each starts in a fresh interpreter, whatever threads this process has. There is no keeper.

    Attributes: `nursery_pid`, -1 until there is one.
    """

    keeper_pid = -1

    def __init__(self, fresh: FreshStarts) -> None:
        self._fresh = fresh
        self.nursery_pid = -1

    def start(self) -> socket.socket:
        """Makes the first; returns the connection to it. Raises `HarnessError`."""
        ours, theirs = socket.socketpair()
        try:
            self._fresh.nursery(theirs, self._note)
            return ours
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()

    def _note(self, pid: int) -> None:
        self.nursery_pid = pid

    def renew(self) -> socket.socket:
        """Makes another, as the first. Raises `HarnessError`."""
        return self.start()

    def close(self) -> None:
        """Nothing has to end."""

    def let_go(self) -> None:
        """Nothing is held."""
