# SPDX-License-Identifier: BSD-3-Clause
"""A log record on its way to become an event.

Who logs writes it as one JSON object (`encode_record`), from the text that its log keeps of its preamble;
who publishes makes an event of that (`message_of_record`). Both work on JSON alone: a property set takes
longer than all the rest of a record.
"""

from __future__ import annotations

import json
import math
import socket
import time
from json.encoder import encode_basestring as quoted
from typing import Any

import harness.exceptions as pex
from harness.events import wire
from harness.events.event import EventTypes
from harness.events.event_kinds import LOG_DELIMITER, LogEvent
from harness.events.message import Message, new_identity
from harness.log import LogRecord
from harness.log.base import Preamble
from harness.properties import DateTime

__all__ = ["encode_record", "message_of_record"]

OF_PIPELINES = {"DATAID": "unknown", "LOOPNUM": -1, "PIPELINE": "unknown", "SLICEID": -1, "STAGEID": -1}
"""What the header of a pipeline's log event has beyond others, with values for what is not known."""


def encode_record(record: LogRecord) -> bytes | None:
    """All properties of a record as JSON, in the form of `wire`; `None` where they cannot be an event."""
    plain = record.plain()
    try:
        if plain is None:
            return wire.encode(record.getProperties())
        base, importance, comments, properties, tai_ns, date = plain
        parts = [_text_of(base.preamble)]
        parts += [f"{quoted(name)}:{_value(value)}" for name, value in base.state[1].items()]
        parts += [f"{quoted(name)}:{_value(value)}" for name, value in properties]
        if comments:
            texts = [quoted(text) for text in comments]
            parts.append(f'"COMMENT":{texts[0] if len(texts) == 1 else "[" + ",".join(texts) + "]"}')
        parts.append(f'"LEVEL":{importance},"TIMESTAMP":{{"$datetime":{tai_ns}}},"DATE":"{date}"')
        data = f"{{{','.join(filter(None, parts))}}}".encode()
    except (pex.RuntimeError, UnicodeEncodeError):
        # Text that is no Unicode, or more than an event may hold.
        return None
    return data if len(data) <= wire.MAX_BYTES else None


def _text_of(preamble: Preamble) -> str:
    """The inside of the preamble's object, which its records share."""
    text = preamble.texts.get(encode_record)
    if text is None:
        text = preamble.texts[encode_record] = wire.encode(preamble.properties).decode()[1:-1]
    return str(text)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return f'{{"$double":"{"nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}"}}'
    return repr(value)


def message_of_record(data: bytes, topic: str) -> Message:
    """The event of a record that `encode_record` has written.

    With SLICEID in it, it is one of a pipeline (type `_P`), whose header says which, and where in its work.
    """
    payload = json.loads(data)
    header = {
        "TYPE": EventTypes.LOG,
        "EVENTTIME": payload.get("TIMESTAMP", {}).get("$datetime", 0),
        "PUBTIME": DateTime(time.time_ns(), DateTime.UTC).nsecs(),
        "STATUS": _scalar(payload.get("STATUS", "unknown")),
        "TOPIC": topic,
        "HOSTID": socket.gethostname(),
    }
    for name in ("RUNID", "LEVEL", "LOG", "LOGGER"):
        if name in payload:
            header[name] = _scalar(payload[name])
    if "COMMENT" in payload:
        comments = payload["COMMENT"]
        header["COMMENT"] = LOG_DELIMITER.join(comments) if isinstance(comments, list) else comments
    if "SLICEID" in payload:
        header["TYPE"] = EventTypes.PIPELINELOG
        header.update({name: _scalar(payload.pop(name, other)) for name, other in OF_PIPELINES.items()})
    for name in LogEvent.KEYWORDS:
        payload.pop(name, None)
    return Message(topic, _dump(header), _dump(payload), new_identity())


def _scalar(value: Any) -> Any:
    """Of several values the last one, as a header has it."""
    return value[-1] if isinstance(value, list) else value


def _dump(plain: dict[str, Any]) -> bytes:
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
