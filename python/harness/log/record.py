# SPDX-License-Identifier: BSD-3-Clause
"""LogRecord: the texts and typed properties of one message."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from harness.log.base import RecordBase
from harness.properties import DateTime, PropertySet

__all__ = ["RESERVED", "LogRecord", "Prop"]

NANOSECONDS_PER_SECOND = 1_000_000_000

# Names that addProperties() leaves alone: they belong to the log and the record itself.
RESERVED = ("LEVEL", "LABEL", "LOG", "TIMESTAMP", "DATE")


# (second of UTC, its text, TAI - UTC in it): records come in bursts.
_last_second: tuple[int, str, int] = (-1, "", 0)


def stamp(utc_ns: int) -> tuple[int, str]:
    """The time as nanoseconds of TAI, and as text in UTC with microseconds."""
    global _last_second
    second, fraction = divmod(utc_ns, NANOSECONDS_PER_SECOND)
    known, text, offset = _last_second
    if known != second:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        start = second * NANOSECONDS_PER_SECOND
        offset = DateTime(start, DateTime.UTC).nsecs() - start
        _last_second = (second, text, offset)
    return utc_ns + offset, f"{text}.{fraction // 1000:06d}"


class PlainRecord(NamedTuple):
    """A record of texts and plain properties of names that are in nothing else. The time is TAI, in ns."""

    base: RecordBase
    importance: int
    comments: list[str]
    properties: list[tuple[str, Any]]
    tai_ns: int
    date: str


# What the typed accessors take as it is, and print as it is.
PLAIN_KINDS = {"Bool": bool, "Int": int, "Long": int, "Double": float, "String": str}
INT_LIMIT = 1 << 31


def _is_plain(value: Any) -> bool:
    kind = type(value)
    return kind is str or kind is float or kind is bool or (kind is int and -INT_LIMIT <= value < INT_LIMIT)


def _typed(kind: str) -> Callable[[LogRecord, str, Any], None]:
    def add(record: LogRecord, name: str, value: Any) -> None:
        record._add_typed(kind, name, value)

    return add


class Prop:
    """A named value to be sent into a record with ``<<``."""

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        self.value = value


class LogRecord:
    """One message; it stores nothing if its importance is below the threshold.

    ``LogRecord(threshold, importance, preamble=None, showAll=False)``; the preamble, a PropertySet,
    is copied. LEVEL, TIMESTAMP and DATE join the properties when they are first asked for.
    """

    def __init__(
        self,
        threshold: int,
        importance: int,
        preamble: PropertySet | bool | None = None,
        showAll: bool = False,
    ) -> None:
        if isinstance(preamble, bool):
            # The form without a preamble: LogRecord(threshold, importance, showAll).
            showAll = preamble
        self._importance = importance
        self._records = importance >= threshold
        self._show_all = showAll
        self._stamped = False
        self._time = time.time_ns() if self._records else 0
        self._base: RecordBase | None = None
        # Texts, under COMMENT, and plain properties, in order: how to add each to a set, and its value.
        self._items: dict[str, tuple[str, Any]] = {}
        # None: nothing but such items has joined the base yet, and no set was needed.
        self._set: PropertySet | None = None
        if self._records and isinstance(preamble, PropertySet):
            self._set = preamble.deepCopy()

    def __reduce__(self) -> Any:
        return (_restored, (self._importance, self.getProperties(), self._show_all, self._records))

    def _begin(self, base: RecordBase) -> None:
        """Start with what a log's records start with."""
        self._base = base

    def plain(self) -> PlainRecord | None:
        """The record, if it is as simple as most are; None: look at its properties."""
        base = self._base
        if self._set is not None or base is None or not base.is_plain:
            return None
        comments = self._items["COMMENT"][1] if "COMMENT" in self._items else []
        others = [(name, value) for name, (_, value) in self._items.items() if name != "COMMENT"]
        return PlainRecord(base, self._importance, comments, others, *stamp(self._time))

    def _keep_plain(self, adder: str, name: str, value: Any) -> bool:
        """Keep a property without a set, if it needs none."""
        base = self._base
        if self._set is not None or base is None or not base.is_plain or not _is_plain(value):
            return False
        if name in self._items or "." in name or base.has(name):
            return False
        self._items[name] = (adder, value)
        return True

    def log_name(self) -> str:
        """The name of the log; empty for a root or a record of no log."""
        if self._set is None and self._base is not None:
            return self._base.preamble.log_name
        return str(self._properties.get("LOG")) if self._properties.exists("LOG") else ""

    def sibling(self, importance: int, text: str) -> LogRecord:
        """A record of the same log, of now."""
        record = LogRecord(importance, importance)
        if self._base is not None:
            record._begin(self._base)
        elif self._set is not None and self._set.exists("LOG"):
            record.addPropertyString("LOG", self._set.getString("LOG"))
        record.addComment(text)
        return record

    @property
    def _properties(self) -> PropertySet:
        if self._set is None:
            self._set = self._base.properties() if self._base is not None else PropertySet()
            for name, (adder, value) in self._items.items():
                getattr(self._set, adder)(name, value)
        return self._set

    def addComment(self, text: Any) -> None:
        """Add one text, which becomes a line of its own."""
        if not self._records:
            return
        if self._set is None:
            self._items.setdefault("COMMENT", ("addString", []))[1].append(str(text))
        else:
            self._set.addString("COMMENT", str(text))

    def addProperty(self, name: str, value: Any) -> None:
        """Add a value under a name; the type follows from the value as in PropertySet.set().

        A list adds all its values, a dict its items as ``name.key``. TypeError for other types.
        """
        if not self._records:
            return
        if self._keep_plain("add", name, value):
            return
        if isinstance(value, Mapping):
            for key, item in value.items():
                self.addProperty(f"{name}.{key}", item)
        else:
            self._properties.add(name, value)

    def _add_typed(self, kind: str, name: str, value: Any) -> None:
        if self._records and not (
            type(value) is PLAIN_KINDS.get(kind) and self._keep_plain(f"add{kind}", name, value)
        ):
            getattr(self._properties, f"add{kind}")(name, value)

    addPropertyBool = _typed("Bool")
    addPropertyInt = _typed("Int")
    addPropertyLong = _typed("Long")
    addPropertyLongLong = _typed("LongLong")
    addPropertyFloat = _typed("Float")
    addPropertyDouble = _typed("Double")
    addPropertyString = _typed("String")

    def addProperties(self, properties: PropertySet | Mapping[str, Any]) -> None:
        """Add every property of a set or mapping, except LEVEL, LABEL, LOG, TIMESTAMP and DATE."""
        if not self._records:
            return
        if not isinstance(properties, PropertySet):
            for name, value in properties.items():
                if name not in RESERVED:
                    self.addProperty(name, value)
            return
        accepted = copy.copy(properties)
        for name in RESERVED:
            accepted.remove(name)
        self._properties.combine(accepted)

    def getProperties(self) -> PropertySet:
        """The properties themselves, with LEVEL, TIMESTAMP and DATE; empty if nothing is recorded."""
        if self._records and not self._stamped:
            self._stamped = True
            self._properties.setInt("LEVEL", self._importance)
            self._write_time()
        return self._properties

    def _write_time(self) -> None:
        tai_ns, text = stamp(self._time)
        self._properties.setDateTime("TIMESTAMP", DateTime(tai_ns))
        self._properties.setString("DATE", text)

    def setTimestamp(self) -> None:
        """Make TIMESTAMP and DATE the current time."""
        if self._records:
            self._time = time.time_ns()
            self._stamped = False
            self.getProperties()

    def setDate(self) -> None:
        """Make DATE (UTC, microseconds) the text of TIMESTAMP."""
        if self._records:
            self._time = self.getProperties().getDateTime("TIMESTAMP").nsecs(DateTime.UTC)
            self._write_time()

    def getImportance(self) -> int:
        """The importance."""
        return self._importance

    def willRecord(self) -> bool:
        """Whether the importance reached the threshold."""
        return self._records

    def willShowAll(self) -> bool:
        """Whether formats should show all properties."""
        return self._show_all

    def setShowAll(self, yesno: bool) -> None:
        """Set whether formats should show all properties."""
        self._show_all = yesno


def _restored(importance: int, properties: PropertySet, show_all: bool, records: bool) -> LogRecord:
    """A record that another process has made, with the time it had there."""
    record = LogRecord(importance if records else importance + 1, importance, None, show_all)
    record._set = properties
    record._stamped = True
    return record
