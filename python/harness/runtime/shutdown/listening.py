# SPDX-License-Identifier: BSD-3-Clause
"""What hears events in a thread beside the master: it wakes a waiting stage, and obeys shutdown events.

It sleeps until the bell of the spool is rung. Where there is no spool yet, it waits for one to be made.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from harness.events.bell import BellListener, watch_directory
from harness.events.hosts import SCHEME
from harness.events.receiver import EventReceiver
from harness.events.schema import FILE
from harness.events.subscription import LOOK_S, NEW, OLDEST
from harness.exceptions import Exception as LsstException
from harness.exceptions import RuntimeError as LsstRuntimeError
from harness.log import Log
from harness.properties import PropertySet
from harness.runtime.shutdown.listener import Request

LEVELS = range(1, 5)


class EventListener:
    """A source of shutdown levels: the events of one run on a topic. Calls `on_bell()` at every ring, too.

    Call `open`, `listen` in a thread of its own, `close`, and `dispose` when that thread has ended.
    """

    def __init__(self, directory: Path, topic: str, run_id: str, log: Log) -> None:
        self._directory = directory
        self._topic = topic
        self._run_id = run_id
        self._log = log
        self._receiver: EventReceiver | None = None
        self._appears: BellListener | None = None
        self._quit_read = self._quit_write = -1
        self.on_bell: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Hears from now on what `start` will act on. Raises `RuntimeError` when the spool cannot be used."""
        self._quit_read, self._quit_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        parent = self._directory.parent
        if not self._exists() and parent.is_dir():
            self._appears = watch_directory(parent)
        if not self._exists() and self._appears is not None:
            return
        # What was published before this run listened was not meant for it.
        self._hear(NEW)

    def _exists(self) -> bool:
        return (self._directory / FILE).exists()

    def listen(self, request: Request) -> None:
        """Serves until `close`."""
        if self._receiver is not None or self._wait_for_spool():
            self._serve(request)

    def close(self) -> None:
        """Ends `listen`."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._quit_write, b"q")

    def dispose(self) -> None:
        """Closes what was opened, when `listen` has ended or was never called."""
        for listener in (self._appears, self._receiver):
            if listener is not None:
                listener.close()
        self._appears = self._receiver = None
        for descriptor in (self._quit_read, self._quit_write):
            if descriptor >= 0:
                os.close(descriptor)
        self._quit_read = self._quit_write = -1

    def _hear(self, start: str) -> None:
        selector = "RUNID = '" + self._run_id.replace("'", "''") + "'"
        self._receiver = EventReceiver(f"{SCHEME}{self._directory}", self._topic, selector, start=start)

    def _wait_for_spool(self) -> bool:
        """Whether a spool was made; false: it is time to go."""
        assert self._appears is not None
        while not self._directory.exists():
            self._appears.wait(None, self._quit_read)
            if self._quits():
                return False
            self._appears.drain()
        self._hear(OLDEST)
        return True

    def _quits(self) -> bool:
        try:
            return bool(os.read(self._quit_read, 1))
        except BlockingIOError:
            return False

    def _serve(self, request: Request) -> None:
        assert self._receiver is not None and self._receiver.listener is not None
        bell = self._receiver.listener
        while True:
            bell.drain()
            self.on_bell()
            while (event := self._receiver.look()) is not None:
                self._obey(event.getCustomPropertySet(), request)
            bell.wait(LOOK_S, self._quit_read)
            if self._quits():
                return

    def _obey(self, payload: PropertySet, request: Request) -> None:
        try:
            level = payload.getAsInt("level")
        except (LsstException, LsstRuntimeError) as error:
            self._log.warn(f"shutdown event on topic {self._topic!r} is ignored: {error}")
            return
        if level not in LEVELS:
            self._log.warn(
                f"shutdown event on topic {self._topic!r} is ignored: expected level 1 (at once), 2 (next"
                f" synchronisation point), 3 (end of stage) or 4 (end of visit), saw {level}"
            )
            return
        request(level, f"shutdown event of level {level} on topic {self._topic!r}")
