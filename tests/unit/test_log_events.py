# SPDX-License-Identifier: BSD-3-Clause
"""Log records as events: what is in them, and that nobody who logs waits for whoever publishes."""

import threading

import pytest
from harness.events.event_kinds import event_from_wire
from harness.events.log_events import TOPIC, LogPublisher
from harness.events.record_events import encode_record, message_of_record
from harness.exceptions import RuntimeError
from harness.log import Log, LogDestination, LogRecord, open_run_log, set_default_log
from harness.log.formats import BriefFormatter


def record(text, importance=0, **properties):
    made = LogRecord(importance, importance)
    made.addPropertyString("LOG", "harness.slice")
    made.addComment(text)
    for name, value in properties.items():
        made.addProperty(name, value)
    return made


def opened(data):
    message = message_of_record(data, TOPIC)
    return event_from_wire(message.ident, message.header, message.payload)


def texts(batches):
    messages = [one for batch in batches for one in batch]
    return [event_from_wire(one.ident, one.header, one.payload).getComment() for one in messages]


@pytest.fixture(autouse=True)
def quiet():
    set_default_log(Log(Log.INFO))
    yield
    set_default_log(None)


@pytest.mark.contract("7.6.logs", "7.1.event")
def test_a_record_of_a_slice_is_a_pipeline_log_event():
    made = record("one\nline", 10, RUNID="r1", SLICEID=3, LOOPNUM=7, PIPELINE="warp", rms=0.5)
    made.addComment("two")
    event = opened(encode_record(made))
    assert (event.getType(), event.getRunId()) == ("_P", "r1")
    assert (event.getLevel(), event.getLog()) == (10, "harness.slice")
    assert event.getComment() == "one\nline|@|two"
    header = event.header_values()
    assert (header["SLICEID"], header["LOOPNUM"], header["PIPELINE"]) == (3, 7, "warp")
    assert (header["STAGEID"], header["DATAID"], header["TOPIC"]) == (-1, "unknown", "logging")
    assert event.getCustomPropertySet().getDouble("rms") == 0.5
    assert event.getCustomPropertySet().exists("DATE")


@pytest.mark.contract("7.6.logs")
def test_a_record_of_another_log_is_a_log_event():
    event = opened(encode_record(record("hello")))
    assert event.getType() == "_L" and event.getComment() == "hello"


def test_a_record_of_a_run_s_log_has_preamble_context_and_its_own_properties(tmp_path):
    log = open_run_log(kind="slice", rank=2, run_id="r1", pipeline_name="warp", threshold=0, logdir=None,
                       screen_threshold=None)  # fmt: skip
    kept = []

    class Keeps(LogDestination):
        def write(self, record):
            kept.append((opened(encode_record(record)), record))
            return True

    log.addDestination(Keeps(None, BriefFormatter()))
    log.context.set("LOOPNUM", 7)
    values = {"rms": 0.1, "odd": float("inf"), "n": -3, "good": True, "text": 'a "b" \u00e9\n'}
    log.log(0, "fit", values)
    log.log(0, "again", {"many": [1, 2], "deep": {"a": 1}, "long": 2**40})
    for event, record in kept:
        # As the record says it, which is the slower way.
        everything, said = event.getPropertySet(), record.getProperties()
        for name in said.names():
            if name != "COMMENT":
                assert everything.getArray(name) == said.getArray(name), name
                assert everything.typeOf(name) == said.typeOf(name), name
    assert kept[0][0].getEventTime() == kept[0][1].getProperties().getDateTime("TIMESTAMP").nsecs()
    assert kept[0][0].getComment() == "fit" and kept[1][0].header_values()["LOOPNUM"] == 7


def test_a_record_that_cannot_be_an_event_is_none():
    assert encode_record(record("x" * 2_000_000)) is None
    assert encode_record(record("half a pair: \ud800")) is None


def test_what_finds_no_room_is_counted_and_told_when_there_is_room_again(monkeypatch):
    monkeypatch.setattr("harness.events.log_events.MOST_RECORDS", 1000)
    may_send, sent = threading.Event(), []

    def send(messages):
        if not may_send.is_set():
            raise RuntimeError("the broker is away")
        sent.append(messages)

    sut = LogPublisher(send, "a broker")
    data = encode_record(record("hello"))
    sut.start()
    # Returns at once, though nothing is sent.
    sut.offer([data] * 1005)
    sut.offer([data] * 3)
    may_send.set()
    lost = sut.close()
    told = texts(sent)
    notices = [text for text in told if text != "hello"]
    assert len(notices) == 1 and notices[0].split()[1:] == (
        "records before this one were not published: too many waited to be sent".split()
    )
    assert int(notices[0].split()[0]) == lost >= 8
    assert told.count("hello") + lost == 1008


def test_what_is_never_sent_is_counted_at_the_end(monkeypatch):
    monkeypatch.setattr("harness.events.log_events.END_S", 0.3)
    ended = threading.Event()

    def send(messages):
        # As a connection that is closed while it waits.
        assert ended.wait(30)
        raise RuntimeError("closed")

    sut = LogPublisher(send, "a broker", ended.set)
    sut.start()
    sut.offer([encode_record(record("hello"))] * 4)
    assert sut.close() == 4
    sut.offer([encode_record(record("too late"))])
