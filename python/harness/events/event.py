# SPDX-License-Identifier: BSD-3-Clause
"""An event: a header of scalars that receivers can select by, and a payload of properties."""

from __future__ import annotations

import socket
import time
from typing import Any, ClassVar

import harness.exceptions as pex
from harness.events import wire
from harness.events.errors import EventFormatError
from harness.events.message import new_identity
from harness.properties import DateTime, PropertySet

__all__ = ["Event", "EventTypes"]

UNINITIALIZED = "uninitialized"


class EventTypes:
    """The values of the header property TYPE."""

    EVENT = "_E"
    STATUS = "_S"
    COMMAND = "_C"
    LOG = "_L"
    PIPELINELOG = "_P"


class Event:
    """`Event([runId,] [properties, [filterable]])`.

    The properties become the payload, those of `filterable` join the header; both are copied. RUNID, TOPIC,
    PUBTIME and TYPE in the properties are overwritten, STATUS and EVENTTIME kept, all in the header.

    Attribute `ident`: what tells it from all others since it was published; the same wherever it arrives.
    """

    TYPE: ClassVar[str] = EventTypes.EVENT
    KEYWORDS: ClassVar[tuple[str, ...]] = (
        "TYPE", "EVENTTIME", "PUBTIME", "STATUS", "TOPIC", "QUEUE", "RUNID", "HOSTID",
    )  # fmt: skip
    """What belongs to the header wherever it is found. Subclasses add theirs."""

    def __init__(self, *arguments: Any) -> None:
        run_id, rest = (arguments[0], arguments[1:]) if arguments and isinstance(arguments[0], str) else (
            None, arguments,
        )  # fmt: skip
        if len(rest) > 2 or (run_id is not None and not rest):
            raise pex.TypeError(f"{type(self).__name__}: expected [runId,] [properties[, filterable]]")
        self._build(run_id, *rest)

    def _build(
        self, run_id: str | None, properties: PropertySet | None = None, filterable: PropertySet | None = None
    ) -> None:
        for given in (properties, filterable):
            if given is not None and not isinstance(given, PropertySet):
                raise pex.TypeError(
                    f"{type(self).__name__}: expected a PropertySet, saw {type(given).__name__} {given!r:.60}"
                )
        self.ident = ""
        self._is_fixed = False
        self._header = PropertySet()
        self._payload = properties.deepCopy() if properties is not None else PropertySet()
        self._filterable = list(filterable.names()) if filterable is not None else []
        header = self._header
        header.setString("TYPE", self.TYPE)
        header.setLongLong("EVENTTIME", self._given("EVENTTIME", DateTime.now().nsecs()))
        header.setLongLong("PUBTIME", 0)
        header.setString("STATUS", self._given("STATUS", "unknown"))
        header.setString("TOPIC", UNINITIALIZED)
        header.setString("HOSTID", socket.gethostname())
        if run_id is not None:
            header.setString("RUNID", run_id)
        for name in self._filterable:
            if name not in self.KEYWORDS and filterable is not None:
                header.copy(name, filterable, name)
        for name in self.KEYWORDS:
            self._payload.remove(name)

    def _given(self, name: str, default: Any) -> Any:
        return self._payload.getScalar(name) if self._payload.exists(name) else default

    # --- what is in it

    def getPropertySet(self) -> PropertySet:
        """A copy of everything, header and payload."""
        everything = self.getCustomPropertySet()
        for name in self._header.names():
            everything.copy(name, self._header, name)
        return everything

    def getCustomPropertySet(self) -> PropertySet:
        """A copy of the payload."""
        return self._payload.deepCopy()

    def getCustomPropertyNames(self) -> list[str]:
        """The names of the payload."""
        return list(self._payload.names())

    def getFilterablePropertyNames(self) -> list[str]:
        """The names of the header."""
        return list(self._header.names())

    def getEventTime(self) -> int:
        """When the event was made: nanoseconds since 1970, TAI."""
        return self._header.getLongLong("EVENTTIME")

    def setEventTime(self, nsecs: int) -> None:
        """Sets when it was made."""
        self._header.setLongLong("EVENTTIME", nsecs)

    def updateEventTime(self) -> None:
        """Sets that to now."""
        self.setEventTime(DateTime.now().nsecs())

    def getEventDate(self) -> str:
        """When it was made, as ISO 8601 text."""
        return DateTime(self.getEventTime()).toString()

    def getPubTime(self) -> int:
        """When it was published: nanoseconds since 1970, TAI; 0 before."""
        return self._header.getLongLong("PUBTIME")

    def setPubTime(self, nsecs: int) -> None:
        """Sets when it was published."""
        self._header.setLongLong("PUBTIME", nsecs)

    def getPubDate(self) -> str:
        """When it was published, as ISO 8601 text; empty before."""
        return DateTime(self.getPubTime()).toString() if self.getPubTime() else ""

    def getRunId(self) -> str:
        """The run id. Raises `RuntimeError` if it has none."""
        if not self._header.exists("RUNID"):
            raise pex.RuntimeError("this event was made without a run id")
        return self._header.getString("RUNID")

    def setRunId(self, runId: str) -> None:
        """Sets the run id."""
        self._header.setString("RUNID", runId)

    def getType(self) -> str:
        """What kind of event it is: one of `EventTypes`."""
        return self._header.getString("TYPE")

    def getStatus(self) -> str:
        """The status."""
        return self._header.getString("STATUS")

    def setStatus(self, status: str) -> None:
        """Sets the status."""
        self._header.setString("STATUS", status)

    def getTopic(self) -> str:
        """The topic, or the queue; `uninitialized` before it was published."""
        return self._header.getString("QUEUE" if self._header.exists("QUEUE") else "TOPIC")

    def setTopic(self, topic: str) -> None:
        """Sets the topic."""
        self._header.setString("TOPIC", topic)

    def getHostId(self) -> str:
        """The host that made it; empty if it does not say."""
        return self._header.getString("HOSTID", "")

    # --- the trip

    def fix_ident(self, ident: str) -> None:
        """Gives the event an identity of the caller's: published again, it is not stored twice."""
        self.ident, self._is_fixed = ident, True

    def header_values(self) -> dict[str, Any]:
        """The header as selectors see it. Raises `RuntimeError` for a property that is no scalar."""
        values = {}
        for name in self._header.names():
            if self._header.isArray(name) or self._header.isPropertySetPtr(name):
                raise pex.RuntimeError(
                    f"filterable property {name!r} is no single value, and receivers select by single values"
                    " only; put it into the payload"
                )
            value = self._header.getScalar(name)
            values[name] = value.nsecs() if isinstance(value, DateTime) else value
        return values

    def sealed(self, destination: str, *, is_queue: bool) -> tuple[str, bytes, bytes]:
        """Stamps destination and time; identity, header and payload as they travel.

        An event that is published again is another one, unless its identity is fixed.
        """
        if not self._is_fixed:
            self.ident = new_identity()
        if is_queue:
            self._header.remove("TOPIC")
            self._header.setString("QUEUE", destination)
        else:
            self._header.setString("TOPIC", destination)
        self.setPubTime(DateTime(time.time_ns(), DateTime.UTC).nsecs())
        self.header_values()
        return self.ident, wire.encode(self._header), wire.encode(self._payload)

    @classmethod
    def arrived(cls, ident: str, header: bytes, payload: bytes) -> Event:
        """The event that `sealed` gave away. Raises `EventFormatError`."""
        event = cls.__new__(cls)
        event.ident = ident
        event._is_fixed = False
        event._header = wire.decode(header)
        event._payload = wire.decode(payload)
        event._filterable = []
        for name, kind in (("TYPE", str), ("STATUS", str), ("EVENTTIME", int), ("PUBTIME", int)):
            value = event._header.getScalar(name) if event._header.exists(name) else None
            if not isinstance(value, kind) or isinstance(value, bool):
                raise EventFormatError(f"the header of an event has no {name} that is {kind.__name__}")
        # Numbers small enough for an int are one when they were written by hand.
        for name in ("EVENTTIME", "PUBTIME"):
            event._header.setLongLong(name, event._header.getAsInt64(name))
        event.header_values()
        return event
