# SPDX-License-Identifier: BSD-3-Clause
"""LogRecord: the texts and typed properties of one message."""

import copy
import time
from collections.abc import Mapping
from functools import partialmethod
from typing import Any

from harness.properties import DateTime, PropertySet

__all__ = ["RESERVED", "LogRecord", "Prop"]

NANOSECONDS_PER_SECOND = 1_000_000_000

# Names that addProperties() leaves alone: they belong to the log and the record itself.
RESERVED = ("LEVEL", "LABEL", "LOG", "TIMESTAMP", "DATE")


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
        self._properties = PropertySet()
        if self._records and isinstance(preamble, PropertySet):
            self._properties = preamble.deepCopy()

    def _begin(self, properties: PropertySet) -> None:
        """Start with these properties, which the caller gives away."""
        self._properties = properties

    def addComment(self, text: Any) -> None:
        """Add one text, which becomes a line of its own."""
        if self._records:
            self._properties.addString("COMMENT", str(text))

    def addProperty(self, name: str, value: Any) -> None:
        """Add a value under a name; the type follows from the value as in PropertySet.set().

        A list adds all its values, a dict its items as ``name.key``. TypeError for other types.
        """
        if not self._records:
            return
        if isinstance(value, Mapping):
            for key, item in value.items():
                self.addProperty(f"{name}.{key}", item)
        else:
            self._properties.add(name, value)

    def _add_typed(self, kind: str, name: str, value: Any) -> None:
        if self._records:
            getattr(self._properties, f"add{kind}")(name, value)

    addPropertyBool = partialmethod(_add_typed, "Bool")
    addPropertyInt = partialmethod(_add_typed, "Int")
    addPropertyLong = partialmethod(_add_typed, "Long")
    addPropertyLongLong = partialmethod(_add_typed, "LongLong")
    addPropertyFloat = partialmethod(_add_typed, "Float")
    addPropertyDouble = partialmethod(_add_typed, "Double")
    addPropertyString = partialmethod(_add_typed, "String")

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
        seconds, fraction = divmod(self._time, NANOSECONDS_PER_SECOND)
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        self._properties.setDateTime("TIMESTAMP", DateTime(self._time, DateTime.UTC))
        self._properties.setString("DATE", f"{text}.{fraction // 1000:06d}")

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
