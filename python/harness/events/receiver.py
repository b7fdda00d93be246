# SPDX-License-Identifier: BSD-3-Clause
"""Receiving events from a topic or a queue."""

from __future__ import annotations

import time
from typing import Any

import harness.exceptions as pex
from harness.events.bell import Bell
from harness.events.broker import LOOK_S, OLDEST, Broker, Source
from harness.events.errors import EventFormatError
from harness.events.event import Event
from harness.events.event_kinds import CommandEvent, LogEvent, StatusEvent, event_from_wire
from harness.events.hosts import open_broker
from harness.events.message import Message
from harness.events.selectors import Selector
from harness.events.settings import EndPoint
from harness.log import get_default_log
from harness.properties import PropertySet

__all__ = ["EventDequeuer", "EventReceiver"]

FOR_EVER = -1


class _Receiver:
    """What receivers of topics and queues share; `_source` gives messages."""

    _source: Source

    def __init__(self, end: EndPoint, manual: bool) -> None:
        self._end = end
        self._selector = Selector(end.selector)
        self._manual = manual
        self._received: dict[str, Message] = {}
        self._broker: Broker | None = None
        self._listener: Bell | None = None
        if end.is_off:
            return
        broker = open_broker(end.host, end.port)
        # Heard before the first look, so that nothing comes in between.
        self._listener = broker.bell()
        try:
            self._source = self._open(broker)
        except BaseException:
            self.close()
            raise
        self._broker = broker

    def _open(self, broker: Broker) -> Source:
        raise NotImplementedError

    def receiveEvent(self, timeoutMs: int = FOR_EVER) -> Event | None:
        """The next event, of the class that its type says; `None` after `timeoutMs` milliseconds.

        -1 waits for ever. What is no event is skipped, with a warning in the log. Raises `RuntimeError` when
        the spool cannot be read.
        """
        if isinstance(timeoutMs, bool) or not isinstance(timeoutMs, (int, float)):
            raise pex.TypeError(f"expected a timeout in milliseconds, saw {timeoutMs!r}")
        deadline = None if timeoutMs < 0 else time.monotonic() + timeoutMs / 1000
        while True:
            if self._listener is not None:
                self._listener.drain()
            event = self.look()
            if event is not None:
                return event
            left = LOOK_S if deadline is None else min(LOOK_S, deadline - time.monotonic())
            if left <= 0:
                return None
            if self._listener is not None:
                self._listener.wait(left)
            else:
                time.sleep(left)

    def look(self) -> Event | None:
        """The next event if there is one now."""
        while self._broker is not None:
            message = self._source.look()
            if message is None:
                return None
            event = self._opened(message)
            if event is None:
                self._source.refuse(message)
                continue
            if self._source.selects or self._wants(event):
                if self._manual:
                    self._received[event.ident] = message
                else:
                    self._source.acknowledge(message)
                return event
            self._source.acknowledge(message)
        return None

    def _wants(self, event: Event) -> bool:
        return self._selector.matches(event.header_values())

    def _opened(self, message: Message) -> Event | None:
        try:
            return event_from_wire(message.ident, message.header, message.payload)
        except (EventFormatError, pex.RuntimeError, pex.NotFoundError) as error:
            get_default_log().warn(
                f"event {message.sequence} of {self._end.destination} is skipped: {error}"
            )
            return None

    def acknowledge(self, *events: Event) -> None:
        """Says that events are dealt with, where the receiver was made with `acknowledge="explicit"`."""
        messages = [self._received.pop(event.ident) for event in events if event.ident in self._received]
        if messages:
            self._source.acknowledge(*messages)

    def receive(self, timeoutMs: int = FOR_EVER) -> PropertySet | None:
        """The payload of the next event, or `None`; the timeout as of `receiveEvent`."""
        event = self.receiveEvent(timeoutMs)
        return None if event is None else event.getCustomPropertySet()

    def receiveStatusEvent(self, timeoutMs: int = FOR_EVER) -> StatusEvent | None:
        """As `receiveEvent`; `RuntimeError` when it is none of that kind."""
        return self._cast(StatusEvent, timeoutMs)

    def receiveCommandEvent(self, timeoutMs: int = FOR_EVER) -> CommandEvent | None:
        """As `receiveEvent`; `RuntimeError` when it is none of that kind."""
        return self._cast(CommandEvent, timeoutMs)

    def receiveLogEvent(self, timeoutMs: int = FOR_EVER) -> LogEvent | None:
        """As `receiveEvent`; `RuntimeError` when it is none of that kind."""
        return self._cast(LogEvent, timeoutMs)

    def _cast(self, kind: Any, timeoutMs: int) -> Any:
        event = self.receiveEvent(timeoutMs)
        return None if event is None else cast_event(event, kind)

    @property
    def listener(self) -> Bell | None:
        """What is rung when an event may have come, for who waits for other things, too; `None` if off."""
        return self._listener

    def getSelector(self) -> str:
        """The selector; empty if there is none."""
        return self._end.selector

    def getDestinationName(self) -> str:
        """The topic or queue."""
        return self._end.destination

    def close(self) -> None:
        """Ends the receiver. What was received and not acknowledged comes again."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._broker is not None:
            self._broker = None
            self._source.close()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __del__(self) -> None:
        # No more than this: what a name has open in a spool is seen to be free when the process is gone.
        listener, source = getattr(self, "_listener", None), getattr(self, "_source", None)
        if listener is not None:
            listener.close()
            if source is not None:
                source.abandon()


def cast_event(event: Event, kind: type[Event]) -> Any:
    """The event itself. Raises `RuntimeError` when it is of another kind."""
    if not isinstance(event, kind):
        raise pex.RuntimeError(f"expected a {kind.__name__}, saw an event of type {event.getType()}")
    return event


def _is_explicit(acknowledge: str) -> bool:
    if acknowledge not in ("auto", "explicit"):
        raise pex.RuntimeError(f'expected acknowledge="auto" or "explicit", saw {acknowledge!r}')
    return acknowledge == "explicit"


class EventReceiver(_Receiver):
    """`EventReceiver(host, topic[, selector][, port])`, or `EventReceiver(policy)` as up to release 10.0.

    It hears what a spool still has, from the oldest event on, or only what is published from now on with
    `start="new"`; a message broker gives what comes from now on. `name` makes it durable: a receiver of that
    name goes on where the last one had come to. With `acknowledge="explicit"` that is behind what was given
    to `acknowledge()`, else behind what was received. Raises `RuntimeError` when the host cannot be used or
    the selector is wrong.
    """

    def __init__(
        self, *arguments: Any, name: str = "", start: str = OLDEST, acknowledge: str = "auto"
    ) -> None:
        end = EndPoint.from_arguments("EventReceiver", arguments, has_selector=True)
        self._name, self._start = name, start
        super().__init__(end, _is_explicit(acknowledge))

    def _open(self, broker: Broker) -> Source:
        end = self._end
        return broker.subscribe(end.destination, name=self._name, start=self._start, selector=end.selector)

    def getTopicName(self) -> str:
        """The topic."""
        return self._end.destination


class EventDequeuer(_Receiver):
    """`EventDequeuer(host, queue[, selector][, port])`: takes events that no other receiver gets then.

    With `acknowledge="explicit"` an event goes to another receiver when this process dies before
    `acknowledge()`; a message broker gives one event at a time, and the next after `acknowledge()`.
    """

    def __init__(self, *arguments: Any, acknowledge: str = "auto") -> None:
        end = EndPoint.from_arguments("EventDequeuer", arguments, has_selector=True)
        super().__init__(end, _is_explicit(acknowledge))

    def _open(self, broker: Broker) -> Source:
        end = self._end
        return broker.read_queue(end.destination, selector=end.selector, accepts=self._accepts)

    def _accepts(self, message: Message) -> bool:
        """Whether a message is this receiver's, or stays for others."""
        event = self._opened(message)
        # What is no event is taken, so that it does not stay for ever.
        return event is None or self._wants(event)

    def getQueueName(self) -> str:
        """The queue."""
        return self._end.destination
