# SPDX-License-Identifier: BSD-3-Clause
"""A watched directory beside other work: a thread publishes its files to a topic."""

from __future__ import annotations

import os
import threading
from collections.abc import Container
from typing import TYPE_CHECKING

import harness.exceptions as pex
from harness.events.transmitter import EventTransmitter
from harness.events.watching import FolderWatch, WatchSettings

if TYPE_CHECKING:
    from harness.log import Log

__all__ = ["WatchThread"]

END_TIMEOUT_S = 5.0


class WatchThread:
    """Watches from `start` to `close`, which may be called twice.

    Args:
        settings: what is watched.
        host: where the topic is.
        topic: the topic.
        log: where is told what cannot be published.
        known: identities of events that need not be published.

    Raises:
        EventFormatError: the pattern cannot be understood.
        harness.exceptions.RuntimeError: the directory cannot be watched, or the host not reached.
    """

    def __init__(
        self, settings: WatchSettings, host: str | None, topic: str, log: Log, known: Container[str] = ()
    ) -> None:
        transmitter = EventTransmitter(host, topic)
        self._log = log
        self._watch = FolderWatch(settings, transmitter.publish_all, log, known)
        self._error: Exception | None = None
        self._quit_read, self._quit_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._serve, name="pex-watch", daemon=True)

    def start(self) -> None:
        """Begins. Raises `harness.exceptions.RuntimeError` where the machine has no thread left."""
        try:
            self._thread.start()
        except RuntimeError as error:
            raise pex.RuntimeError(f"watching files: {error}; look at the limits on processes") from error

    def _serve(self) -> None:
        try:
            self._watch.serve(self._quit_read)
        except Exception as error:
            self._error = error

    @property
    def quiet_since(self) -> float | None:
        """Since when (monotonic) nothing was published; None: something is about to be."""
        return self._watch.quiet_since

    def check(self) -> None:
        """Raises `harness.exceptions.RuntimeError` if an error has ended the thread."""
        if self._error is not None:
            raise pex.RuntimeError(
                f"files are no longer watched: {type(self._error).__name__}: {self._error}"
            ) from self._error

    def close(self) -> None:
        """Ends the thread; one that does not answer is left behind after a while."""
        if self._quit_write < 0:
            return
        os.write(self._quit_write, b"q")
        if self._thread.ident is not None:
            self._thread.join(END_TIMEOUT_S)
        if self._thread.is_alive():
            self._log.warn("the thread that watches files does not end")
            return
        self._watch.close()
        for descriptor in (self._quit_read, self._quit_write):
            os.close(descriptor)
        self._quit_read = self._quit_write = -1
