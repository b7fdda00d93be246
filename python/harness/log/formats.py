# SPDX-License-Identifier: BSD-3-Clause
"""The layouts of a record as text: brief, indented, prepended, NetLogger."""

import re
from collections.abc import Iterator
from typing import Any, TextIO

from harness.log.base import Preamble
from harness.log.levels import level_word
from harness.log.record import LogRecord, PlainRecord
from harness.properties import DateTime, PropertySet, PropertyType

__all__ = [
    "BriefFormatter",
    "IndentedFormatter",
    "LogFormatter",
    "NetLoggerFormatter",
    "PrependedFormatter",
]

TYPE_LETTERS = {
    PropertyType.Int: "i",
    PropertyType.Long: "l",
    PropertyType.LongLong: "L",
    PropertyType.DateTime: "L",
    PropertyType.Float: "f",
    PropertyType.Double: "d",
    PropertyType.Bool: "b",
    PropertyType.String: "s",
}


def value_text(value: Any) -> str:
    """One value: booleans as true and false, times as TAI nanoseconds, doubles with all digits."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind is int or kind is float:
        return repr(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, DateTime):
        return str(value.nsecs())
    if isinstance(value, float):
        return repr(value)
    return str(value) if isinstance(value, (str, int)) else "<unprintable>"


def _texts(properties: PropertySet, name: str) -> Iterator[str]:
    if not properties.exists(name):
        return
    single = properties.typeOf(name) is PropertyType.Float
    for value in properties.getArray(name):
        # A C float printed with the digits of a double would show noise.
        yield f"{value:.7g}" if single else value_text(value)


class LogFormatter:
    """Base of the formats: a subclass says how the text of a record looks."""

    def format(self, record: LogRecord) -> str:
        """The text of a record, with its final newline; empty if there is nothing to show."""
        raise NotImplementedError

    def write(self, stream: TextIO, record: LogRecord) -> None:
        """Write the text of a record to a stream."""
        stream.write(self.format(record))


class BriefFormatter(LogFormatter):
    """One line per comment; if verbose, then one per property value and an empty line."""

    hidden: tuple[str, ...] = ("COMMENT", "LOG")

    def __init__(self, verbose: bool = False) -> None:
        self._verbose = verbose
        # A subclass with a prefix of its own looks at the record's properties.
        self._may_be_plain = type(self).prefix is BriefFormatter.prefix

    def isVerbose(self) -> bool:
        """Whether properties are shown even if a record does not ask for it."""
        return self._verbose

    def setVerbose(self, verbose: bool) -> None:
        """Set whether properties are shown even if a record does not ask for it."""
        self._verbose = verbose

    def prefix(self, record: LogRecord, properties: PropertySet) -> str:
        """What stands before the log's name."""
        return ""

    def indent(self, record: LogRecord) -> str:
        """What stands before every line."""
        return ""

    def format(self, record: LogRecord) -> str:
        """The text of a record."""
        if not record.willRecord():
            return ""
        if self._may_be_plain and (plain := record.plain()) is not None:
            return self._format_plain(record, plain)
        properties = record.getProperties()
        indent = self.indent(record)
        name = "".join(_texts(properties, "LOG"))
        start = f"{indent}{self.prefix(record, properties)}{name}{level_word(record.getImportance())}: "
        lines = [f"{start}{comment}\n" for comment in _texts(properties, "COMMENT")]
        if self._verbose or record.willShowAll():
            for name in properties.paramNames(False):
                if name not in self.hidden:
                    lines += [f"{indent}  {name}: {text}\n" for text in _texts(properties, name)]
            lines.append("\n")
        return "".join(lines)


    def _format_plain(self, record: LogRecord, plain: PlainRecord) -> str:
        """The same text as from the properties, in a tenth of the time."""
        base, importance, comments, properties, tai_ns, date = plain
        indent = self.indent(record)
        start = f"{indent}{base.preamble.log_name}{level_word(importance)}: "
        text = "".join([f"{start}{comment}\n" for comment in comments])
        if not (self._verbose or record.willShowAll()):
            return text
        start = f"{indent}  "
        hidden = self.hidden
        # Plain values but booleans print as they are.
        others = "".join([
            f"{start}{name}: {value_text(value) if value is True or value is False else value}\n"
            for name, value in (*base.state[1].items(), *properties) if name not in hidden
        ])  # fmt: skip
        return (
            f"{text}{self._preamble_text(base.preamble, start)}{others}"
            f"{start}LEVEL: {importance}\n{start}TIMESTAMP: {tai_ns}\n{start}DATE: {date}\n\n"
        )

    def _preamble_text(self, preamble: Preamble, start: str) -> str:
        texts = preamble.texts
        key = (self.hidden, start)
        if key not in texts:
            properties = preamble.properties
            texts[key] = "".join(
                f"{start}{name}: {value}\n"
                for name in properties.paramNames(False) if name not in self.hidden
                for value in _texts(properties, name)
            )
        return texts[key]


class IndentedFormatter(BriefFormatter):
    """Brief, each line preceded by one blank per unit of negative importance."""

    def beginning(self, preamble: Preamble, importance: int) -> tuple[str, str]:
        """What stands before the text of a plain record, and the lines of the preamble that follow it."""
        indent = " " * max(0, -importance)
        start = f"{indent}{preamble.log_name}{level_word(importance)}: "
        return start, self._preamble_text(preamble, f"{indent}  ")

    def indent(self, record: LogRecord) -> str:
        """One blank per unit of negative importance."""
        return " " * max(0, -record.getImportance())


class PrependedFormatter(BriefFormatter):
    """Brief, each comment preceded by the date and, if there is one, the label."""

    hidden = ("COMMENT", "LOG", "LABEL")

    def prefix(self, record: LogRecord, properties: PropertySet) -> str:
        """The date and the label, each followed by a colon and a blank."""
        label = " ".join(_texts(properties, "LABEL"))
        return f"{properties.getString('DATE')}: {label}{': ' if label else ''}"


EMPTY_LINE = re.compile(r"(\r\n|\r(?!\n)|\n)(?=[\r\n]|\Z)")
"""The line break before one, in a text that does not begin a line."""


def _without_empty_lines(text: str) -> str:
    return EMPTY_LINE.sub(r"\1 ", text) if "\n" in text or "\r" in text else text


class NetLoggerFormatter(LogFormatter):
    """One line per property value with a type letter; an empty line ends the record.

    An empty line within a value is written as a blank: it would end the record.
    """

    def __init__(self, valueDelim: str = ": ") -> None:
        self._delimiter = valueDelim

    def format(self, record: LogRecord) -> str:
        """The text of a record."""
        if not record.willRecord():
            return ""
        properties = record.getProperties()
        lines = []
        for name in properties.paramNames(False):
            letter = "t" if name == "DATE" else TYPE_LETTERS.get(properties.typeOf(name), "?")
            start = f"{letter} {name}{self._delimiter}"
            lines += [f"{start}{_without_empty_lines(text)}\n" for text in _texts(properties, name)]
        return "".join([*lines, "\n"])
