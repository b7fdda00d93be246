# SPDX-License-Identifier: BSD-3-Clause
"""Events as text: lines of a feed, and `key=value` words.

A line is a JSON object. With `topic` and `payload` in it, it is an event with its topic, and may have
`runid`, `status`, `type` (`event` or `status`) and `header` (an object of further header properties); any
other object is the payload of an event of the topic that the feed is read for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.events.errors import EventFormatError
from harness.events.event import Event
from harness.events.event_kinds import StatusEvent
from harness.events.location_id import LocationId
from harness.events.settings import checked_name
from harness.events.wire import from_plain, parse
from harness.properties import PropertySet

__all__ = ["make_event", "properties_from_words", "read_feed", "read_lines"]

ENVELOPE = {"topic", "payload", "runid", "status", "type", "header"}


def read_feed(path: Path, topics: Sequence[str]) -> list[tuple[str, Event]]:
    """The events of a feed with their topics, for a run whose stages wait for `topics`.

    Each has an identity that comes from its line, so that reading the feed again gives the same events.
    Raises `EventFormatError` naming file and line.
    """
    if not topics:
        raise EventFormatError(
            f"{path}: no stage of the pipeline waits for an event; expected eventTopic in an appStage"
        )
    default = topics[0] if len(topics) == 1 else None
    events = []
    for number, text, topic, event in _events(path, default):
        if topic not in topics:
            raise EventFormatError(
                f"{path}:{number}: topic {topic!r}: no stage waits for it; topics are {', '.join(topics)}"
            )
        event.fix_ident("feed-" + hashlib.sha256(f"{number}\0".encode() + text).hexdigest())
        events.append((topic, event))
    return events


def read_lines(path: Path, topic: str) -> Iterator[tuple[str, Event]]:
    """The events of a feed with their topics, each new; `topic` is that of lines that name none."""
    for _, _, name, event in _events(path, topic):
        yield name, event


def _events(path: Path, default: str | None) -> Iterator[tuple[int, bytes, str, Event]]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise EventFormatError(f"{path}: {error.strerror}") from error
    with stream:
        for number, line in enumerate(stream, 1):
            text = line.strip()
            if not text:
                continue
            try:
                topic, event = make_event(parse(text), default)
            except EventFormatError as error:
                raise EventFormatError(f"{path}:{number}: {error}") from None
            yield number, text, topic, event


def make_event(
    plain: dict[str, Any], topic: str | None, *, run_id: str | None = None
) -> tuple[str, Event]:
    """Topic and event of a parsed object. Raises `EventFormatError`."""
    if not {"topic", "payload"} <= plain.keys():
        if topic is None:
            raise EventFormatError(
                'several topics are possible: expected {"topic": ..., "payload": {...}}, saw'
                f" {json.dumps(plain)[:60]}"
            )
        plain = {"payload": plain}
    unknown = sorted(plain.keys() - ENVELOPE)
    if unknown:
        raise EventFormatError(f"unknown {unknown[0]!r} beside topic and payload; known: {sorted(ENVELOPE)}")
    run_id = _text(plain, "runid") or run_id
    payload = from_plain(_object(plain, "payload"), "payload")
    if status := _text(plain, "status"):
        payload.set("STATUS", status)
    kind = _text(plain, "type") or "event"
    if kind not in ("event", "status"):
        raise EventFormatError(f'type: expected "event" or "status", saw {kind!r}')
    arguments: list[Any] = [*([run_id] if run_id else []), *([LocationId()] if kind == "status" else [])]
    header = from_plain(_object(plain, "header"), "header")
    event = (StatusEvent if kind == "status" else Event)(*arguments, payload, header)
    return checked_name(_text(plain, "topic") or topic), event


def _text(plain: dict[str, Any], key: str) -> str:
    value = plain.get(key, "")
    if not isinstance(value, str):
        raise EventFormatError(f"{key}: expected text, saw {json.dumps(value)[:60]}")
    return value


def _object(plain: dict[str, Any], key: str) -> dict[str, Any]:
    value = plain.get(key, {})
    if not isinstance(value, dict):
        raise EventFormatError(f"{key}: expected an object, saw {json.dumps(value)[:60]}")
    return value


def properties_from_words(words: Sequence[str]) -> PropertySet:
    """Properties from `key=value`; what reads as JSON true, false or a number is that, the rest is text.

    A value in JSON quotes is text in any case, a JSON list an array. Raises `EventFormatError`.
    """
    plain: dict[str, Any] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key:
            raise EventFormatError(f"expected key=value, saw {word!r}")
        if key in plain:
            raise EventFormatError(f"{key} is given twice; several values are a list: {key}=[1,2]")
        plain[key] = _word_value(value)
    return from_plain(plain, "arguments")


def _word_value(text: str) -> Any:
    try:
        value = parse(b'{"value":' + text.encode() + b"}")
    except (EventFormatError, UnicodeEncodeError):
        return text
    return value["value"] if len(value) == 1 and value.get("value") is not None else text
