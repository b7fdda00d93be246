# SPDX-License-Identifier: BSD-3-Clause
"""Events as STOMP messages, and back.

The body is one JSON object, `{"ident": ..., "header": {...}, "payload": {...}}`, with both written as in a
spool (`wire`), so that every type survives. The header's properties are headers of the message, too, as text:
what a broker's selectors see. A body that is another JSON object is taken as the payload of an event, so that
any STOMP client can send one; everything else is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from harness.events import wire
from harness.events.errors import EventFormatError
from harness.events.feed import make_event
from harness.events.message import Message

__all__ = ["ident_of", "message_from", "to_frame"]

MARK = "pex-event"
"""Header of a message whose body is an event in full; its value is the version of the form."""
VERSION = "1"
IDENT = "pex-ident"
MOST_BYTES = 2 * wire.MAX_BYTES + 4096

OF_STOMP = re.compile(
    r"(?i)destination|content-type|content-length|receipt|transaction|persistent|priority|expires|reply-to"
    r"|correlation-id|type|id|ack|selector|message-id|subscription|timestamp|redelivered|amq-msg-type"
    r"|transformation.*|activemq\..*|jms.*|pex-.*"
)
"""Names that STOMP, ActiveMQ or this form give a meaning of their own. TYPE in capitals is a property."""
IDENT_FORM = re.compile(r"[!-~]{1,200}")


def to_frame(message: Message) -> tuple[dict[str, str], bytes]:
    """The headers, without destination, and the body. Raises `EventFormatError`."""
    headers = {MARK: VERSION, IDENT: message.ident, "content-type": "application/json"}
    for name, value in wire.parse(message.header).items():
        if name != "TYPE" and OF_STOMP.fullmatch(name):
            raise EventFormatError(
                f"filterable property {name!r} has the name of a header that message brokers use themselves;"
                " name it otherwise, or put it into the payload"
            )
        headers[name] = _text(value)
    ident = json.dumps(message.ident).encode()
    body = b'{"ident":%s,"header":%s,"payload":%s}' % (ident, message.header, message.payload)
    return headers, body


def _text(value: Any) -> str:
    """A header's value, as `wire` writes it, without its type."""
    if isinstance(value, dict):
        (value,) = value.values()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def ident_of(headers: Mapping[str, str]) -> str:
    """What tells a message from all others, wherever and however often it is delivered."""
    ident = headers.get(IDENT, "")
    if headers.get(MARK) == VERSION and IDENT_FORM.fullmatch(ident):
        return ident
    return "sent-" + hashlib.sha256(headers.get("message-id", "").encode("utf-8", "replace")).hexdigest()


def message_from(headers: Mapping[str, str], body: bytes, destination: str, *, is_queue: bool) -> Message:
    """The message in a frame. Raises `EventFormatError` when it is no event."""
    if len(body) > MOST_BYTES:
        raise EventFormatError(f"expected a body of at most {MOST_BYTES} bytes, saw {len(body)}")
    plain = wire.parse(body, MOST_BYTES)
    ident = ident_of(headers)
    if MARK not in headers:
        return _foreign(headers, plain, destination, ident, is_queue)
    if headers[MARK] != VERSION:
        raise EventFormatError(
            f"expected an event of version {VERSION} of the form, saw {headers[MARK]!r:.40}; it comes from"
            " another version of pex-harness"
        )
    if plain.keys() != {"ident", "header", "payload"} or plain["ident"] != ident:
        raise EventFormatError(
            "expected an object of ident, header and payload whose ident is that of the message"
        )
    for part in ("header", "payload"):
        if not isinstance(plain[part], dict):
            raise EventFormatError(f"{part}: expected an object")
    return Message(destination, _dump(plain["header"]), _dump(plain["payload"]), ident, is_queue)


def _foreign(
    headers: Mapping[str, str], plain: dict[str, Any], destination: str, ident: str, is_queue: bool
) -> Message:
    """What another program has sent: a payload, or a line of a feed, with RUNID and STATUS as headers."""
    topic, event = make_event(plain, destination, run_id=headers.get("RUNID"))
    if topic != destination:
        raise EventFormatError(f"expected topic {destination!r}, on which it came, saw {topic!r}")
    if headers.get("STATUS"):
        event.setStatus(headers["STATUS"])
    event.fix_ident(ident)
    _, header, payload = event.sealed(destination, is_queue=is_queue)
    return Message(destination, header, payload, ident, is_queue)


def _dump(plain: dict[str, Any]) -> bytes:
    try:
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise EventFormatError("expected Unicode text, saw half of a surrogate pair") from None
