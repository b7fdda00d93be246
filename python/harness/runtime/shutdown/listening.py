# SPDX-License-Identifier: BSD-3-Clause
"""What hears events in a thread beside the master: it wakes a waiting stage, and obeys shutdown events.

It sleeps until the bell of the spool or the broker is rung. Where there is no spool yet, it waits for one to
be made; what reads events is imported when there is one, as most runs have none.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.events.bell import Bell, watch_directory
from harness.events.broker import LOOK_S, NEW, OLDEST, Broker, Source
from harness.events.hosts import is_embedded, open_broker, spool_directory
from harness.events.place import FILE
from harness.exceptions import Exception as LsstException
from harness.exceptions import RuntimeError as LsstRuntimeError
from harness.log import Log
from harness.properties import PropertySet
from harness.runtime.shutdown.listener import Request

if TYPE_CHECKING:
    from harness.events.message import Message
    from harness.events.selectors import Selector

LEVELS = range(1, 5)


class EventListener:
    """A source of shutdown levels: the events of one run on a topic. Calls `on_bell()` at every ring, too.

    `name` is what a message broker keeps shutdown events under while it cannot be reached. Call `open`,
    `listen` in a thread of its own, `close`, and `dispose` when that thread has ended.
    """

    def __init__(self, host: str | None, topic: str, run_id: str, name: str, log: Log) -> None:
        self._host = host
        self._topic = topic
        self._run_id = run_id
        self._name = name
        self._log = log
        self._selector: Selector | None = None
        self._broker: Broker | None = None
        self._source: Source | None = None
        self._bell: Bell | None = None
        self._appears: Bell | None = None
        self._quit_read = self._quit_write = -1
        self.on_bell: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Hears from now on what `start` will act on. Raises `RuntimeError` when the host cannot be used."""
        self._quit_read, self._quit_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        if is_embedded(self._host):
            parent = self._directory.parent
            if not self._exists() and parent.is_dir():
                self._appears = watch_directory(parent)
            if not self._exists() and self._appears is not None:
                return
        # What was published before this run listened was not meant for it.
        self._hear(NEW)

    @property
    def _directory(self) -> Path:
        return spool_directory(self._host)

    def _exists(self) -> bool:
        return (self._directory / FILE).exists()

    def listen(self, request: Request) -> None:
        """Serves until `close`."""
        try:
            if self._source is not None or self._wait_for_spool():
                self._serve(request)
        finally:
            # Here, and not in `dispose`: the kernel takes up to 20 ms to forget what was watched.
            self._stop_waiting()

    def close(self) -> None:
        """Ends `listen`, without waiting for that."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._quit_write, b"q")

    def dispose(self) -> None:
        """Closes what was opened, when `listen` has ended or was never called."""
        self._stop_waiting()
        for part in (self._source, self._bell):
            if part is not None:
                part.close()
        self._source = self._bell = self._broker = None
        for descriptor in (self._quit_read, self._quit_write):
            if descriptor >= 0:
                os.close(descriptor)
        self._quit_read = self._quit_write = -1

    def _stop_waiting(self) -> None:
        """Waits no longer for a spool to be made."""
        appears, self._appears = self._appears, None
        if appears is not None:
            appears.close()

    def _hear(self, start: str) -> None:
        from harness.events.selectors import Selector

        selector = self._selector = Selector("RUNID = '" + self._run_id.replace("'", "''") + "'")
        broker = self._broker = open_broker(self._host)
        # Heard before the first look, so that nothing comes in between.
        self._bell = broker.bell()
        if start == NEW:
            self._source = broker.watch(self._topic, name=self._name, selector=selector.text)
        else:
            self._source = broker.subscribe(self._topic, start=start, selector=selector.text)

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
        assert self._source is not None and self._bell is not None
        while True:
            self._bell.drain()
            self.on_bell()
            while (message := self._source.look()) is not None:
                self._take(message, request)
                self._source.acknowledge(message)
            self._bell.wait(LOOK_S, self._quit_read)
            if self._quits():
                return

    def _take(self, message: Message, request: Request) -> None:
        from harness.events.event_kinds import event_from_wire

        assert self._selector is not None, "_hear() has made it"
        try:
            event = event_from_wire(message.ident, message.header, message.payload)
        except (LsstException, LsstRuntimeError) as error:
            self._log.warn(f"event on topic {self._topic!r} is ignored: {error}")
            return
        if self._selector.matches(event.header_values()):
            self._obey(event.getCustomPropertySet(), request)

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
