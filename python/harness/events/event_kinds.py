# SPDX-License-Identifier: BSD-3-Clause
"""The kinds of events that say who sent them: status, command and log events."""

from __future__ import annotations

from typing import Any, ClassVar

import harness.exceptions as pex
from harness.events.errors import EventFormatError
from harness.events.event import Event, EventTypes
from harness.events.location_id import LocationId, located, unpack
from harness.events.wire import decode
from harness.properties import PropertySet

__all__ = ["LOG_DELIMITER", "CommandEvent", "LogEvent", "StatusEvent", "event_from_wire"]

LOG_DELIMITER = "|@|"


class _Located(Event):
    """An event with the identity of whoever made it in its header."""

    KEYWORDS: ClassVar[tuple[str, ...]] = (
        *Event.KEYWORDS, "ORIG_HOSTNAME", "ORIG_PROCESSID", "ORIG_LOCALID", "ORIGINATORID",
    )  # fmt: skip

    def _put_identity(self, prefix: str, packed_name: str, identity: int) -> None:
        who = located(identity)
        self._header.setString(f"{prefix}HOSTNAME", who.getHostName())
        self._header.setInt(f"{prefix}PROCESSID", who.getProcessID())
        self._header.setInt(f"{prefix}LOCALID", who.getLocalID())
        self._header.setLongLong(packed_name, int(identity))

    def _identity(self, prefix: str) -> LocationId:
        header = self._header
        return LocationId(
            header.getString(f"{prefix}HOSTNAME"),
            header.getAsInt(f"{prefix}PROCESSID"),
            header.getAsInt(f"{prefix}LOCALID"),
        )

    def getOriginator(self) -> LocationId:
        """Who made the event."""
        return self._identity("ORIG_")

    def getOriginatorId(self) -> int:
        """The same, packed into an integer."""
        return self._header.getAsInt64("ORIGINATORID")


def _arguments(name: str, arguments: tuple[Any, ...], identities: int) -> tuple[str | None, list[int], list]:
    """Splits `[runId,] identity..., properties[, filterable]`."""
    rest = list(arguments)
    run_id = rest.pop(0) if rest and isinstance(rest[0], str) else None
    found, rest = rest[:identities], rest[identities:]
    if not all(isinstance(one, int) for one in found) or not 1 <= len(rest) <= 2 or len(found) < identities:
        words = ", ".join(("originator", "destination")[:identities])
        raise pex.TypeError(
            f"{name}: expected [runId,] {words}, properties[, filterable], where an identity is a LocationId"
            f" or an integer of createOriginatorId(); saw {arguments!r:.100}"
        )
    return run_id, found, rest


class StatusEvent(_Located):
    """`StatusEvent([runId,] originator, properties[, filterable])`."""

    TYPE: ClassVar[str] = EventTypes.STATUS
    KEYWORDS: ClassVar[tuple[str, ...]] = (*_Located.KEYWORDS, "LOCALID", "PROCESSID", "IPID")

    def __init__(self, *arguments: Any) -> None:
        run_id, (originator,), rest = _arguments("StatusEvent", arguments, 1)
        self._build(run_id, *rest)
        self._put_identity("ORIG_", "ORIGINATORID", originator)
        address, pid, local = unpack(originator)
        self._header.setShort("LOCALID", local)
        self._header.setInt("PROCESSID", pid)
        self._header.setInt("IPID", _signed(address))

    def getLocalId(self) -> int:
        """The number of the originator within its process."""
        return self._header.getAsInt("LOCALID")

    def getProcessId(self) -> int:
        """The process id in the packed identity (17 bits)."""
        return self._header.getAsInt("PROCESSID")

    def getIPId(self) -> int:
        """The IPv4 address of the originator as a signed number."""
        return self._header.getAsInt("IPID")


class CommandEvent(_Located):
    """`CommandEvent([runId,] originator, destination, properties[, filterable])`."""

    TYPE: ClassVar[str] = EventTypes.COMMAND
    KEYWORDS: ClassVar[tuple[str, ...]] = (
        *_Located.KEYWORDS, "ORIG_IPID", "DESTINATIONID", "DEST_HOSTNAME", "DEST_PROCESSID", "DEST_LOCALID",
        "DEST_IPID",
    )  # fmt: skip

    def __init__(self, *arguments: Any) -> None:
        run_id, (originator, destination), rest = _arguments("CommandEvent", arguments, 2)
        self._build(run_id, *rest)
        for prefix, packed_name, who in (
            ("ORIG_", "ORIGINATORID", originator), ("DEST_", "DESTINATIONID", destination),
        ):  # fmt: skip
            self._put_identity(prefix, packed_name, who)
            self._header.setInt(f"{prefix}IPID", _signed(unpack(who)[0]))

    def getDestination(self) -> LocationId:
        """Whom the command is for."""
        return self._identity("DEST_")

    def getDestinationId(self) -> int:
        """The same, packed into an integer."""
        return self._header.getAsInt64("DESTINATIONID")


class LogEvent(_Located):
    """`LogEvent(originator, properties)`, or `LogEvent(runId, record)` with a log record.

    LEVEL, LOGGER, COMMENT and LOG of the properties are in the header.
    """

    TYPE: ClassVar[str] = EventTypes.LOG
    KEYWORDS: ClassVar[tuple[str, ...]] = (*_Located.KEYWORDS, "LEVEL", "LOGGER", "COMMENT", "LOG")

    def __init__(self, *arguments: Any) -> None:
        if len(arguments) != 2:
            raise pex.TypeError(f"LogEvent: expected originator and properties, or run id and log record,"
                                f" saw {len(arguments)} arguments")
        first, second = arguments
        properties = second if isinstance(second, PropertySet) else _record_properties(second)
        self._build(first if isinstance(first, str) else None, properties)
        for name in ("LEVEL", "LOGGER", "COMMENT", "LOG"):
            if properties.exists(name):
                comments = properties.getArray(name)
                joined = LOG_DELIMITER.join(map(str, comments)) if name == "COMMENT" else comments[-1]
                self._header.set(name, joined)
        if not isinstance(first, str):
            self._put_identity("ORIG_", "ORIGINATORID", first)

    def getLevel(self) -> int:
        """The importance of the record."""
        return self._header.getAsInt("LEVEL")

    def getLogger(self) -> str:
        """The name of the log that made it; empty if it does not say."""
        return self._header.getString("LOGGER", "")

    def getComment(self) -> str:
        """Its comments, joined by `|@|`."""
        return self._header.getString("COMMENT", "")

    def getLog(self) -> str:
        """The name of the log, as releases up to 10.0 call it; empty if it does not say."""
        return self._header.getString("LOG", "")


def _record_properties(record: Any) -> PropertySet:
    """The properties of a log record. Raises `TypeError` for what is none."""
    properties = getattr(record, "getProperties", None) or getattr(record, "data", None)
    found = properties() if callable(properties) else properties
    if not isinstance(found, PropertySet):
        raise pex.TypeError(
            f"LogEvent: expected a PropertySet or a log record, saw {type(record).__name__} {record!r:.60}"
        )
    return found


def _signed(number: int) -> int:
    return number - (1 << 32) if number >= 1 << 31 else number


KINDS: dict[str, type[Event]] = {
    EventTypes.STATUS: StatusEvent, EventTypes.COMMAND: CommandEvent, EventTypes.LOG: LogEvent,
    EventTypes.PIPELINELOG: LogEvent,
}  # fmt: skip
REQUIRED = {
    EventTypes.STATUS: ("ORIG_HOSTNAME",),
    EventTypes.COMMAND: ("ORIG_HOSTNAME", "DEST_HOSTNAME"),
}


def event_from_wire(ident: str, header: bytes, payload: bytes) -> Event:
    """The event in what has arrived, of the class that its TYPE says. Raises `EventFormatError`."""
    properties = decode(header)
    kind = properties.getScalar("TYPE") if properties.exists("TYPE") else ""
    for name in REQUIRED.get(kind, ()):
        if not properties.exists(name):
            raise EventFormatError(f"the header of an event of type {kind} has no {name}")
    return KINDS.get(kind, Event).arrived(ident, header, payload)
