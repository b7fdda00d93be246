# SPDX-License-Identifier: BSD-3-Clause
"""The process's registry of transmitters and receivers, by the name of their topic or queue."""

from __future__ import annotations

from typing import Any, ClassVar

import harness.exceptions as pex
from harness.events.event import Event
from harness.events.event_kinds import CommandEvent, StatusEvent
from harness.events.location_id import LocationId
from harness.events.receiver import FOR_EVER, EventDequeuer, EventReceiver, cast_event
from harness.events.settings import EndPoint
from harness.events.transmitter import EventEnqueuer, EventTransmitter
from harness.properties import PropertySet

__all__ = ["EventSystem"]


class EventSystem:
    """Get it by `getDefaultEventSystem()`. Registering the same thing twice does nothing."""

    _default: ClassVar[EventSystem | None] = None

    def __init__(self) -> None:
        self._ends: dict[tuple[type, str], tuple[EndPoint, Any]] = {}

    @classmethod
    def getDefaultEventSystem(cls) -> EventSystem:
        """The one of this process."""
        if EventSystem._default is None:
            EventSystem._default = cls()
        return EventSystem._default

    def createTransmitter(self, *arguments: Any) -> None:
        """`(host, topic, port=61616)`, or a policy. `RuntimeError` if the topic has another one already."""
        self._register(EventTransmitter, arguments, has_selector=False)

    def createReceiver(self, *arguments: Any) -> None:
        """`(host, topic[, selector][, port])`, or a policy. `RuntimeError` as above."""
        self._register(EventReceiver, arguments, has_selector=True)

    def createEnqueuer(self, *arguments: Any) -> None:
        """`(host, queue, port=61616)`. `RuntimeError` as above."""
        self._register(EventEnqueuer, arguments, has_selector=False)

    def createDequeuer(self, *arguments: Any) -> None:
        """`(host, queue[, selector][, port])`. `RuntimeError` as above."""
        self._register(EventDequeuer, arguments, has_selector=True)

    def _register(self, kind: type[Any], arguments: tuple[Any, ...], *, has_selector: bool) -> None:
        end = EndPoint.from_arguments(kind.__name__, arguments, has_selector=has_selector)
        known = self._ends.get((kind, end.destination))
        if known is None:
            self._ends[kind, end.destination] = (end, kind(*arguments))
        elif known[0] != end:
            raise pex.RuntimeError(
                f"an {kind.__name__} of {end.destination!r} is registered already, with"
                f" other parameters: {known[0]}, not {end}"
            )

    def _find(self, kind: type[Any], name: str) -> Any:
        known = self._ends.get((kind, name))
        if known is None:
            names = ", ".join(repr(other) for made, other in self._ends if made is kind) or "none"
            raise pex.RuntimeError(f"no {kind.__name__} is registered for {name!r}; there are: {names}")
        return known[1]

    def publishEvent(self, name: str, event: Event) -> None:
        """Sends an event to a topic, or to a queue that has an enqueuer. `RuntimeError` if it has neither."""
        is_queue = (EventTransmitter, name) not in self._ends and (EventEnqueuer, name) in self._ends
        self._find(EventEnqueuer if is_queue else EventTransmitter, name).publishEvent(event)

    def publish(self, topic: str, properties: PropertySet) -> None:
        """Sends properties to a topic."""
        self.publishEvent(topic, properties if isinstance(properties, Event) else Event(properties))

    def receiveEvent(self, name: str, timeoutMs: int = FOR_EVER) -> Event | None:
        """The next event of a topic, or of a queue that has a dequeuer; see `EventReceiver.receiveEvent`."""
        is_queue = (EventReceiver, name) not in self._ends and (EventDequeuer, name) in self._ends
        return self._find(EventDequeuer if is_queue else EventReceiver, name).receiveEvent(timeoutMs)

    def receive(self, topic: str, timeoutMs: int = FOR_EVER) -> PropertySet | None:
        """The payload of the next event of a topic, or `None`."""
        event = self.receiveEvent(topic, timeoutMs)
        return None if event is None else event.getCustomPropertySet()

    def createOriginatorId(self) -> LocationId:
        """A new identity for status and command events; also an integer, the packed one."""
        return LocationId()

    def castToStatusEvent(self, event: Event) -> StatusEvent:
        """The event itself; `RuntimeError` if it is none."""
        return cast_event(event, StatusEvent)

    def castToCommandEvent(self, event: Event) -> CommandEvent:
        """The event itself; `RuntimeError` if it is none."""
        return cast_event(event, CommandEvent)

    def close(self) -> None:
        """Forgets every transmitter and receiver."""
        ends, self._ends = self._ends, {}
        for _, end in ends.values():
            if isinstance(end, (EventReceiver, EventDequeuer)):
                end.close()
