# SPDX-License-Identifier: BSD-3-Clause
"""Bells: what receivers sleep on. A spool's is a file that publishers touch, watched with inotify; a
message broker's is an eventfd that the thread of its connection writes."""

from __future__ import annotations

import contextlib
import math
import os
import select
import threading
from pathlib import Path

from harness.events.errors import SpoolError
from harness.inotify import CREATED, MODIFIED, MOVED_HERE, open_watch

__all__ = ["Bell", "BellListener", "EventBell", "ring", "watch_directory"]

DRAIN_BYTES = 65536


def ring(descriptor: int) -> None:
    """Rings: `descriptor` is the bell file, open for writing."""
    os.pwrite(descriptor, b"!", 0)


class Bell:
    """Hears a bell, and other descriptors. Not for several threads at once, but for `EventBell.ring`."""

    def fileno(self) -> int:
        """The descriptor: readable once the bell has been rung."""
        raise NotImplementedError

    def drain(self) -> None:
        """Forgets the rings so far. Look for what has changed after this, not before."""
        raise NotImplementedError

    def close(self) -> None:
        """Closes the descriptor."""
        raise NotImplementedError

    def wait(self, timeout_s: float | None, *others: int) -> bool:
        """Sleeps until a ring, or until one of the other descriptors is readable; false: the time is over."""
        poller = select.poll()
        for descriptor in (self.fileno(), *others):
            poller.register(descriptor, select.POLLIN)
        # Rounded up: a poll of 0 ms until the last millisecond is over would be busy.
        return bool(poller.poll(None if timeout_s is None else math.ceil(max(0.0, timeout_s) * 1000)))


class BellListener(Bell):
    """Hears a file being written, or, with other bits, a directory."""

    def __init__(self, path: Path, mask: int = MODIFIED) -> None:
        try:
            self._fd = open_watch(path, mask)
        except OSError as error:
            raise SpoolError(f"watching {path}: {error.strerror}") from error

    def fileno(self) -> int:
        """The descriptor: readable once the bell has been rung."""
        return self._fd

    def drain(self) -> None:
        """Forgets the rings so far. Look for what has changed after this, not before."""
        try:
            while len(os.read(self._fd, DRAIN_BYTES)) == DRAIN_BYTES:
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Closes the descriptor."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class EventBell(Bell):
    """A bell within one process, which any of its threads may ring."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """The descriptor: readable once the bell has been rung."""
        return self._fd

    def drain(self) -> None:
        """Forgets the rings so far. Look for what has changed after this, not before."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._fd)

    def ring(self) -> None:
        """Rings it; without effect once it is closed."""
        with self._lock:
            if self._fd >= 0:
                # A counter that is full was not heard yet: it is rung enough.
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_write(self._fd, 1)

    def close(self) -> None:
        """Closes the descriptor. Safe to call twice."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


def watch_directory(path: Path) -> BellListener:
    """A listener that hears when something appears in a directory."""
    return BellListener(path, CREATED | MOVED_HERE)
