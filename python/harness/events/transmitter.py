# SPDX-License-Identifier: BSD-3-Clause
"""Sending events to a topic or a queue."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import harness.exceptions as pex
from harness.events.broker import Broker
from harness.events.event import Event
from harness.events.hosts import open_broker
from harness.events.message import Message
from harness.events.settings import EndPoint
from harness.properties import PropertySet

__all__ = ["EventEnqueuer", "EventTransmitter", "message_of"]


def message_of(destination: str, event: Event, *, is_queue: bool = False) -> Message:
    """The event as it travels, stamped with destination and time. Raises `RuntimeError`."""
    ident, header, payload = event.sealed(destination, is_queue=is_queue)
    return Message(destination, header, payload, ident, is_queue)


class _Sender:
    _is_queue = False

    def __init__(self, *arguments: Any) -> None:
        self._end = EndPoint.from_arguments(type(self).__name__, arguments, has_selector=False)
        end = self._end
        self._broker: Broker | None = None if end.is_off else open_broker(end.host, end.port)

    def publishEvent(self, event: Event) -> None:
        """Stamps destination and time into the event, and sends it. It is on a disk when this returns.

        Raises `RuntimeError` for a property that cannot travel, an event that is too large, a full spool, a
        broker that cannot be reached for as long as its settings say.
        """
        if not isinstance(event, Event):
            raise pex.TypeError(f"expected an Event, saw {type(event).__name__} {event!r:.60}")
        self.publish_all([event])

    def publish(self, properties: PropertySet | Event) -> None:
        """Sends properties as an event without a header of its own; an Event as it is."""
        self.publishEvent(properties if isinstance(properties, Event) else Event(properties))

    def publish_all(self, events: Iterable[Event]) -> None:
        """Sends events in one go: all of them or none."""
        messages = [message_of(self._end.destination, event, is_queue=self._is_queue) for event in events]
        if self._broker is not None:
            self._broker.publish(messages)


class EventTransmitter(_Sender):
    """`EventTransmitter(host, topic, port=61616)`, or `EventTransmitter(policy)` as up to release 10.0.

    `host` is `None` for the spool that the environment names, `spool:DIRECTORY`, or a broker. Raises
    `RuntimeError` when it cannot be used.
    """

    def getTopicName(self) -> str:
        """The topic."""
        return self._end.destination


class EventEnqueuer(_Sender):
    """`EventEnqueuer(host, queue, port=61616)`: every event goes to one of the queue's receivers."""

    _is_queue = True

    def getQueueName(self) -> str:
        """The queue."""
        return self._end.destination


