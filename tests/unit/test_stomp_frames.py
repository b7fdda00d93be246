# SPDX-License-Identifier: BSD-3-Clause
"""Events as STOMP messages: whatever comes, it is an event or an `EventFormatError`."""

import json
import os
import random
import time

import pytest
from harness.events.errors import EventFormatError, SelectorError
from harness.events.event import Event
from harness.events.event_kinds import event_from_wire
from harness.events.stomp_broker.frames import ident_of, message_from, to_frame
from harness.events.stomp_broker.selection import for_queue, for_topic
from harness.events.stomp_broker.settings import BrokerSettings
from harness.events.transmitter import message_of
from harness.exceptions import NotFoundError, RuntimeError
from harness.properties import PropertySet

FUZZ_S = float(os.environ.get("FUZZ_EVENTS_SECONDS", "2"))
"""How long the decoder is fed with damaged messages."""


def frame():
    payload, header = PropertySet(), PropertySet()
    payload.set("visitId", 85)
    payload.set("deep.list", [1.5, 2.0])
    payload.setLongLong("long", 2**62)
    header.set("filter", "r:\u00e9\n")
    return to_frame(message_of("t", Event("r1", payload, header)))


def received(headers, body):
    """What a receiver makes of a message: an event, or `None`."""
    try:
        message = message_from(headers, body, "t", is_queue=False)
        return event_from_wire(message.ident, message.header, message.payload)
    # What receivers expect, and tell in the log.
    except (EventFormatError, RuntimeError, NotFoundError):
        return None


def test_a_frame_is_the_event_that_it_was_made_of():
    headers, body = frame()
    got = received({**headers, "message-id": "ID:1"}, body)
    assert got.getCustomPropertySet().getInt("visitId") == 85
    assert got.header_values()["filter"] == headers["filter"] == "r:\u00e9\n"
    assert headers["RUNID"] == "r1" and ident_of(headers) == got.ident == json.loads(body)["ident"]


def test_damaged_messages_are_events_or_none_and_nothing_else():
    """More of it: FUZZ_EVENTS_SECONDS=600 pytest tests/unit/test_stomp_frames.py"""
    seed = int(os.environ.get("FUZZ_EVENTS_SEED", "7"))
    chance = random.Random(seed)
    headers, body = frame()
    pieces = [
        b'{"', b'"}', b"[", b"]", b"null", b"1e999", b"NaN", b"\\ud800", b"\xff", b"\x00", b'"$set"', b"{}",
        b'"$long"', b'"header"', b'"payload"', b'"ident"', b"-0", b"9" * 25, b'"$datetime"', b",", b":",
        b'"a..b"',
    ]  # fmt: skip
    names = [*headers, "STATUS", "message-id", "pex-event", "pex-ident"]
    kinds = {True: 0, False: 0}
    deadline = time.monotonic() + FUZZ_S
    while time.monotonic() < deadline:
        data, damaged = bytearray(body), dict(headers)
        for _ in range(chance.randrange(1, 5)):
            at = chance.randrange(len(data) + 1)
            data[at : at + chance.randrange(4)] = chance.choice(pieces)
        if chance.random() < 0.3:
            damaged[chance.choice(names)] = chance.choice(["", "1", "2", "\ud800", "x y", "a" * 500])
        if chance.random() < 0.1:
            damaged.pop(chance.choice(list(damaged)))
        event = received(damaged, bytes(data))
        if event is not None:
            # What is an event can be used as one.
            event.getPropertySet().toString()
            event.header_values()
        kinds[event is not None] += 1
    assert kinds[False] > 0


@pytest.mark.parametrize(
    "selector",
    ["", "RUNID = 'r1'", "'r1' = RUNID", "a <> 'it''s 5 > 3' AND (b LIKE 'x%' ESCAPE '!' OR c IS NOT NULL)",
     "NOT a IN ('b', 'c')", "a NOT LIKE '_' or b is null"],
)  # fmt: skip
def test_a_selector_of_texts_is_the_broker_s_work(selector):
    assert for_topic(selector) == for_queue(selector) == selector


@pytest.mark.parametrize(
    "selector",
    ["a = 1", "a > 'b'", "good", "a = b", "good = TRUE", "a = 'b' AND c + 1 = 2", "a BETWEEN 'a' AND 'b'",
     "a = 'x' OR good", "a IN (1)", "a = -'b'"],
)  # fmt: skip
def test_another_selector_is_left_to_receivers_of_topics_and_refused_for_queues(selector):
    assert for_topic(selector) == ""
    with pytest.raises(SelectorError, match="sees all properties as text"):
        for_queue(selector)


def test_settings_come_from_the_policy_before_the_environment():
    environment = {"PEX_HARNESS_BROKER_USER": "e", "PEX_HARNESS_BROKER_PASSWORD": "s3cret",
                   "PEX_HARNESS_BROKER_WAIT": "2.5"}  # fmt: skip
    sut = BrokerSettings().over_environment(environment)
    assert (sut.user, sut.password, sut.wait_s) == ("e", "s3cret", 2.5)
    assert "s3cret" not in repr(sut)
    sut = BrokerSettings(user="p", password_file="/f", wait_s=9.0).over_environment(environment)
    assert (sut.user, sut.password, sut.password_file, sut.wait_s) == ("p", None, "/f", 9.0)
    with pytest.raises(RuntimeError, match="PEX_HARNESS_BROKER_WAIT: expected 0 or more seconds, saw 'soon'"):
        BrokerSettings().over_environment({"PEX_HARNESS_BROKER_WAIT": "soon"})
