# SPDX-License-Identifier: BSD-3-Clause
"""Log: a named place to send records to, with a threshold, destinations and a preamble."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partialmethod
from typing import Any, ClassVar, TextIO

import harness.exceptions as pex
from harness._records import LogState, know_general_way
from harness.log import levels
from harness.log.base import Preamble, RecordBase
from harness.log.context import RecordContext
from harness.log.destinations import FileDestination, LogDestination
from harness.log.formats import IndentedFormatter, LogFormatter
from harness.log.record import LogRecord, stamp
from harness.log.thresholds import ThresholdMemory
from harness.properties import PropertySet

__all__ = ["Log"]

USAGE_NAMES = frozenset(
    ("usertime", "systemtime", "maxrss", "minflt", "majflt", "nswap", "blocksin", "blocksout")
)
"""Of the figures that BlockTimingLog adds."""


class Log(LogState):
    """A root or a child.

    ``Log(threshold=Log.INFO, name="")`` is a root without destinations. ``Log(parent, childName,
    threshold=Log.INHERIT_THRESHOLD)`` is a child: it copies the destinations and the preamble its
    parent has now, and shares with the whole tree the memory of thresholds, the show-all setting of
    the root and the context. ``Log(log)`` is a copy.
    """

    DEBUG: ClassVar[int] = levels.DEBUG
    INFO: ClassVar[int] = levels.INFO
    WARN: ClassVar[int] = levels.WARN
    FATAL: ClassVar[int] = levels.FATAL
    INHERIT_THRESHOLD: ClassVar[int] = levels.INHERIT

    _preamble: Preamble
    _base: RecordBase | None

    def __init__(
        self,
        first: Log | int | None = None,
        name: str | None = None,
        threshold: int | None = None,
        *,
        parent: Log | None = None,
        childName: str | None = None,
    ) -> None:
        if isinstance(first, Log):
            parent = first
        elif first is not None:
            threshold = first
        if parent is None:
            self._make_root(name or "", self.INFO if threshold is None else threshold)
        else:
            self._derive(parent, childName if name is None else name, threshold)

    def _make_root(self, name: str, threshold: int) -> None:
        self._root: Log | None = None
        self._name = name
        self._memory = ThresholdMemory(name, threshold)
        self._destinations: list[LogDestination] = []
        self._change_preamble(lambda properties: properties.set("LOG", name), Preamble(PropertySet()))
        self._root_shows_all = [False]
        self._shows_all: bool | None = None
        self.context = RecordContext()
        self._memory.follow(self)

    def _derive(self, parent: Log, child_name: str | None, threshold: int | None) -> None:
        self._root = parent.root
        self._name = parent._name
        self._memory = parent._memory
        self._destinations = list(parent._destinations)
        # Preambles are never changed but replaced: parent and child go on with the same one.
        self._preamble = parent._preamble
        self._base = None
        self._root_shows_all = parent._root_shows_all
        self._shows_all = parent._shows_all if child_name is None else None
        self.context = parent.context
        if child_name is not None:
            self._name = f"{parent._name}.{child_name}" if parent._name else child_name
            self._change_preamble(lambda properties: properties.set("LOG", self._name))
        if threshold is not None and threshold != self.INHERIT_THRESHOLD:
            self.setThreshold(threshold)
        self._memory.follow(self)

    def createChildLog(self, name: str, threshold: int = levels.INHERIT) -> Log:
        """A child log, as the constructor makes it."""
        return Log(self, name, threshold)

    def __copy__(self) -> Log:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._become(self)
        self._memory.follow(twin)
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Log:
        return self.__copy__()

    def __reduce__(self) -> Any:
        raise TypeError(
            f"cannot pickle the log {self._name or '(root)'}: its destinations belong to this process;"
            " let the receiver use its own log"
        )

    def getName(self) -> str:
        """The full name; empty for a root."""
        return self._name

    # Thresholds.

    def take_threshold(self) -> None:
        """Look the threshold up; the memory asks for it at every change."""
        self._passes = self._memory.find(self._name)

    def getThreshold(self) -> int:
        """The least importance a record must have to be sent."""
        return self._passes

    def sends(self, importance: int) -> bool:
        """Whether a record of that importance would pass."""
        return importance >= self.getThreshold()

    def setThreshold(self, threshold: int) -> None:
        """Remember a threshold for this name; INHERIT_THRESHOLD: use the nearest ancestor's."""
        self._memory.remember(self._name, threshold)

    def resetThreshold(self) -> None:
        """Use the nearest ancestor's threshold; a root goes back to the one it was made with."""
        self.setThreshold(self.INHERIT_THRESHOLD)

    def _full_name(self, name: str) -> str:
        return f"{self._name}.{name}" if self._name and name else self._name or name

    def setThresholdFor(self, name: str, threshold: int) -> None:
        """Remember a threshold for a descendant, named relative to this log."""
        self._memory.remember(self._full_name(name), threshold)

    def getThresholdFor(self, name: str) -> int:
        """The threshold a descendant has, named relative to this log."""
        return self._memory.find(self._full_name(name))

    def printThresholds(self, stream: TextIO) -> None:
        """List the remembered thresholds of the whole tree."""
        self._memory.print(stream)

    def reset(self) -> None:
        """Forget the remembered thresholds of the whole tree."""
        self._memory.forget()

    # Sending.

    # `log` itself is compiled: calls that do not pass are many.

    def _log_in_full(
        self, importance: int, message: Any, properties: PropertySet | Mapping[str, Any] | None
    ) -> None:
        record = self.new_record(importance)
        record.addComment(message)
        if properties is not None:
            record.addProperties(properties)
        self.send(record)

    def format(self, importance: int, fmt: str, *values: Any) -> None:
        """Send ``fmt % values``; formatted only if the importance passes the threshold."""
        if importance >= self.getThreshold():
            self.log(importance, fmt % values)

    def logdebug(self, message: Any, properties: PropertySet | Mapping[str, Any] | None = None) -> None:
        """Send at DEBUG."""
        self.log(levels.DEBUG, message, properties)

    def info(self, message: Any, properties: PropertySet | Mapping[str, Any] | None = None) -> None:
        """Send at INFO."""
        self.log(levels.INFO, message, properties)

    def warn(self, message: Any, properties: PropertySet | Mapping[str, Any] | None = None) -> None:
        """Send at WARN."""
        self.log(levels.WARN, message, properties)

    def fatal(self, message: Any, properties: PropertySet | Mapping[str, Any] | None = None) -> None:
        """Send at FATAL; nothing is stopped by it."""
        self.log(levels.FATAL, message, properties)

    loginfo = info
    logwarn = warn
    logfatal = fatal

    def debugf(self, fmt: str, *values: Any) -> None:
        """format() at DEBUG."""
        self.format(levels.DEBUG, fmt, *values)

    def infof(self, fmt: str, *values: Any) -> None:
        """format() at INFO."""
        self.format(levels.INFO, fmt, *values)

    def warnf(self, fmt: str, *values: Any) -> None:
        """format() at WARN."""
        self.format(levels.WARN, fmt, *values)

    def fatalf(self, fmt: str, *values: Any) -> None:
        """format() at FATAL."""
        self.format(levels.FATAL, fmt, *values)

    def new_record(self, importance: int) -> LogRecord:
        """A record with this log's preamble and context, to be filled and sent."""
        record = LogRecord(self.getThreshold(), importance, None, self.willShowAll())
        if record.willRecord():
            record._begin(self.record_base())
        return record

    @property
    def preamble(self) -> Preamble:
        """What every record of this log starts with, without the context; another object after a change."""
        return self._preamble

    def record_base(self) -> RecordBase:
        """What records start with now."""
        base, state = self._base, self.context.state
        if base is None or base.state is not state:
            base = self._base = RecordBase(self._preamble, state)
        return base

    def send(self, record: LogRecord) -> None:
        """Deliver a ready record to every destination, if it passes this log's threshold."""
        if record.willRecord() and record.getImportance() >= self.getThreshold():
            for destination in self._destinations:
                destination.write(record)

    # Preamble.

    def getPreamble(self) -> PropertySet:
        """A copy of what every record starts with now: the preamble with the context over it."""
        return self.record_base().properties()

    def addPreambleProperty(self, name: str, value: Any) -> None:
        """Append a value to a property of the preamble; the type follows from the value."""
        self._change_preamble(lambda properties: properties.add(name, value))

    def setPreambleProperty(self, name: str, value: Any) -> None:
        """Replace a property of the preamble; the type follows from the value."""
        self._change_preamble(lambda properties: properties.set(name, value))

    def set_preamble_properties(self, properties: Mapping[str, Any]) -> None:
        """Replace several properties of the preamble; the types follow from the values."""

        def set_all(preamble: PropertySet) -> None:
            for name, value in properties.items():
                preamble.set(name, value)

        self._change_preamble(set_all)

    def _change_preamble(
        self, change: Callable[[PropertySet], object], preamble: Preamble | None = None
    ) -> None:
        self._preamble = (preamble or self._preamble).changed(change)
        self._base = None

    def _change_typed(self, verb: str, name: str, value: Any) -> None:
        self._change_preamble(lambda properties: getattr(properties, verb)(name, value))

    addPreamblePropertyInt = partialmethod(_change_typed, "addInt")
    addPreamblePropertyLong = partialmethod(_change_typed, "addLong")
    addPreamblePropertyLongLong = partialmethod(_change_typed, "addLongLong")
    addPreamblePropertyFloat = partialmethod(_change_typed, "addFloat")
    addPreamblePropertyDouble = partialmethod(_change_typed, "addDouble")
    addPreamblePropertyBool = partialmethod(_change_typed, "addBool")
    addPreamblePropertyString = partialmethod(_change_typed, "addString")
    setPreamblePropertyInt = partialmethod(_change_typed, "setInt")
    setPreamblePropertyLong = partialmethod(_change_typed, "setLong")
    setPreamblePropertyLongLong = partialmethod(_change_typed, "setLongLong")
    setPreamblePropertyFloat = partialmethod(_change_typed, "setFloat")
    setPreamblePropertyDouble = partialmethod(_change_typed, "setDouble")
    setPreamblePropertyBool = partialmethod(_change_typed, "setBool")
    setPreamblePropertyString = partialmethod(_change_typed, "setString")

    def addLabel(self, text: str) -> None:
        """Append a label, which the prepended format shows, to the preamble."""
        self._change_preamble(lambda properties: properties.addString("LABEL", text))

    # Destinations and what they show.

    def addDestination(
        self, destination: Any = None, *options: Any, filepath: Any = None, stream: Any = None, **named: Any
    ) -> None:
        """Add a destination to this log and to the children made from now on.

        ``addDestination(destination)``: a LogDestination. ``addDestination(filepath, verbose=False,
        threshold=PASS_ALL)``: a file, appended to. ``addDestination(stream, threshold=PASS_ALL,
        formatter=IndentedFormatter())``: a text stream. Raises TypeError for anything else.
        """
        given = [one for one in (destination, filepath, stream) if one is not None]
        if len(given) > 1:
            raise pex.TypeError(f"cannot add a log destination: expected one, saw {len(given)}")
        destination = given[0] if given else None
        if isinstance(destination, (str, os.PathLike)):
            destination = FileDestination(destination, *options, **named)
        elif not isinstance(destination, LogDestination):
            destination = _stream_destination(destination, *options, **named)
        self._destinations.append(destination)

    @property
    def destinations(self) -> tuple[LogDestination, ...]:
        """Where records of this log go."""
        return tuple(self._destinations)

    def replace_destinations(self, destinations: Iterable[LogDestination]) -> None:
        """Send records of this log elsewhere from now on; its children keep what they have."""
        self._destinations = list(destinations)

    @property
    def root(self) -> Log:
        """The root of this log's tree."""
        return self if self._root is None else self._root

    def setShowAll(self, yesno: bool) -> None:
        """Set whether formats show all properties; a root sets it for all that have no own setting."""
        if self._is_root():
            self._root_shows_all[0] = yesno
        else:
            self._shows_all = yesno

    def willShowAll(self) -> bool:
        """Whether formats are asked to show all properties: the own setting, else the root's."""
        return self._root_shows_all[0] if self._shows_all is None else self._shows_all

    def resetShowAll(self) -> None:
        """Follow the root's setting again; a root goes back to false."""
        if self._is_root():
            self._root_shows_all[0] = False
        self._shows_all = None

    def _is_root(self) -> bool:
        return self._memory.is_root(self._name)

    # The default log.

    @staticmethod
    def getDefaultLog() -> Log:
        """The root of this process, made as a ScreenLog at INFO when first asked for."""
        from harness.log.default import get_default_log

        return get_default_log()

    @staticmethod
    def closeDefaultLog() -> None:
        """Forget the default log; the next getDefaultLog() makes a new one."""
        from harness.log.default import set_default_log

        set_default_log(None)


know_general_way(Log, stamp, USAGE_NAMES)


def _stream_destination(
    stream: Any, threshold: int = levels.PASS_ALL, formatter: LogFormatter | None = None
) -> LogDestination:
    if not hasattr(stream, "write"):
        raise pex.TypeError(
            "cannot add a log destination: expected a LogDestination, a path or a text stream,"
            f" got {type(stream).__name__} {stream!r}"
        )
    return LogDestination(stream, formatter or IndentedFormatter(), threshold)
