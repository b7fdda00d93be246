# SPDX-License-Identifier: BSD-3-Clause
"""JsonFormatter: one JSON object per record and line."""

from __future__ import annotations

import json
from json.encoder import encode_basestring as quoted
from typing import Any

from harness.log.base import Preamble
from harness.log.formats import LogFormatter
from harness.log.levels import FATAL, INFO, WARN
from harness.log.record import LogRecord, PlainRecord
from harness.properties import DateTime

__all__ = ["JsonFormatter"]

# The properties that every line has, under names of its own.
RENAMED = {"LOG": "log", "RUNID": "run", "SLICEID": "rank", "LOOPNUM": "visit", "STAGEID": "stage"}
LEFT_OUT = ("COMMENT", "LEVEL", "TIMESTAMP", "DATE", *RENAMED)


class JsonFormatter(LogFormatter):
    """One object per line, UTF-8, without a line break inside.

    Fields: ``time`` (text, UTC, microseconds, ending in Z), ``log``, ``importance`` (int), ``level``
    (DEBUG, INFO, WARNING or FATAL), ``message`` (the texts, joined by line breaks), then ``run``, ``rank``
    (-1: the Pipeline), ``visit`` and ``stage`` if the record has them, and ``properties``: an object of all
    others, left out if there are none. A property with several values is an array, nested ones are objects,
    times are integers (TAI, ns); a number that JSON lacks is a text.
    """

    def format(self, record: LogRecord) -> str:
        """The text of a record."""
        if not record.willRecord():
            return ""
        if (plain := record.plain()) is not None:
            return _format_plain(plain)
        properties = record.getProperties()
        importance = record.getImportance()
        texts = properties.getArray("COMMENT") if properties.exists("COMMENT") else []
        line: dict[str, Any] = {
            "time": f"{properties.getString('DATE')}Z",
            "log": properties.get("LOG") if properties.exists("LOG") else "",
            "importance": importance,
            "level": _level(importance),
            "message": "\n".join(map(str, texts)),
        }
        for name, key in RENAMED.items():
            if key not in line and properties.exists(name):
                line[key] = properties.get(name)
        rest = {name: value for name, value in properties.toDict().items() if name not in LEFT_OUT}
        if rest:
            line["properties"] = rest
        return f"{_dump(line)}\n"


def _format_plain(plain: PlainRecord) -> str:
    """The same line, made of what is kept with the preamble and what the record adds."""
    base, importance, comments, properties, _tai_ns, date = plain
    log, fields, rest = _parts_of(base.preamble)
    added = {**base.state[1], **dict(properties)}
    head = [
        f'{{"time": "{date}Z", "log": {log}, "importance": {importance}, "level": "{_level(importance)}",'
        f' "message": {quoted(chr(10).join(comments))}'
    ]
    for name, key in RENAMED.items():
        if name in fields:
            head.append(fields[name])
        elif name in added:
            head.append(f', "{key}": {_dump(added[name])}')
    others = [rest] if rest else []
    others += [f"{quoted(name)}: {_dump(value)}" for name, value in added.items() if name not in LEFT_OUT]
    if others:
        head.append(f', "properties": {{{", ".join(others)}}}')
    return "".join([*head, "}\n"])


def _parts_of(preamble: Preamble) -> Any:
    """The log's name, the renamed fields, and the inside of `properties`, as JSON."""
    parts = preamble.texts.get(JsonFormatter)
    if parts is None:
        properties = preamble.properties
        log = _dump(properties.get("LOG") if properties.exists("LOG") else "")
        fields = {
            name: f', "{key}": {_dump(properties.get(name))}'
            for name, key in RENAMED.items() if properties.exists(name) and key != "log"
        }  # fmt: skip
        rest = {name: value for name, value in properties.toDict().items() if name not in LEFT_OUT}
        parts = preamble.texts[JsonFormatter] = (log, fields, _dump(rest)[1:-1])
    return parts


def _dump(line: Any) -> str:
    if type(line) is int:
        return str(line)
    try:
        return json.dumps(line, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:
        return json.dumps(_finite(line), ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    return value.nsecs() if isinstance(value, DateTime) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value


def _level(importance: int) -> str:
    if importance >= FATAL:
        return "FATAL"
    if importance >= WARN:
        return "WARNING"
    return "INFO" if importance >= INFO else "DEBUG"
