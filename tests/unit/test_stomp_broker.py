# SPDX-License-Identifier: BSD-3-Clause
"""Transmitters and receivers over a message broker: ActiveMQ, started, frozen and killed by the tests."""

import contextlib
import gc
import io
import json
import os
import pickle
import threading
import time
import uuid

import pytest
from harness.log import Log, set_default_log
from lsst.ctrl.events import (
    CommandEvent,
    Event,
    EventDequeuer,
    EventEnqueuer,
    EventReceiver,
    EventSystem,
    EventTransmitter,
    LocationId,
    StatusEvent,
)
from lsst.daf.base import DateTime, PropertySet

SOON_MS = 30_000
"""More than anything takes; what does not come is waited for no longer."""
NOT_MS = 500


@pytest.fixture
def topic():
    """A name that no other test has."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def told():
    """What the log is told while the test lasts."""
    text, log = io.StringIO(), Log(Log.INFO)
    log.addDestination(text)
    set_default_log(log)
    yield text
    set_default_log(None)


def properties(**values):
    out = PropertySet()
    for name, value in values.items():
        out.set(name, value)
    return out


def number(event):
    return event.getCustomPropertySet().getInt("n")


def numbers(receiver, count):
    """The numbers of so many events, and that no further one comes."""
    found = [number(receiver.receiveEvent(SOON_MS)) for _ in range(count)]
    assert receiver.receiveEvent(NOT_MS) is None
    return found


class Raw:
    """A STOMP client of another kind."""

    def __init__(self, broker):
        import stomp

        # Dead letters of other tests are in the same queue.
        self.frames, self.mark, raw = [], uuid.uuid4().hex, self

        class Listener(stomp.ConnectionListener):
            def on_message(self, frame):
                if frame.headers.get("test-of") == raw.mark:
                    raw.frames.append(frame)

        self.connection = stomp.Connection12([("127.0.0.1", broker.port)], auto_decode=False)
        self.connection.set_listener("test", Listener())
        self.connection.connect(broker.user, broker.password, wait=True)

    def send(self, destination, body, **headers):
        marks = {"persistent": "true", "test-of": self.mark}
        self.connection.send(destination, body, headers={**marks, **headers})

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.connection.disconnect("bye")


# --- events travel


@pytest.mark.contract("4.1.broker", "7.1.event")
@pytest.mark.parametrize("kind", ["topic", "queue"])
def test_an_event_of_every_type_of_property_arrives_as_it_was_sent(broker, topic, kind):
    text = 'quotes " \\ and é \U0001f52d\nline:2'
    sent = properties(text=text, many=[1, 2], set=properties(a=1.5), ok=True)
    sent.setShort("short", -3)
    sent.setLongLong("long", 2**62)
    sent.setFloat("float", 0.5)
    sent.set("when", DateTime(1_234_567_890_123_456_789))
    receiver, sender = (
        (EventReceiver, EventTransmitter) if kind == "topic" else (EventDequeuer, EventEnqueuer)
    )
    header = properties(ccd=3, filter="r: red", good=False)
    with receiver(broker.host, topic) as sut:
        event = StatusEvent("r1", LocationId(), sent, header)
        sender(broker.host, topic).publishEvent(event)
        got = sut.receiveEvent(SOON_MS)
    assert type(got) is StatusEvent and got.ident == event.ident
    assert got.getCustomPropertySet() == sent
    assert [got.getCustomPropertySet().typeOf(name) for name in sent.names()] == [
        sent.typeOf(name) for name in sent.names()
    ]
    assert got.header_values() == event.header_values()
    assert (got.getTopic(), got.getRunId(), got.getPubTime() > 0) == (topic, "r1", True)


@pytest.mark.contract("4.1.broker")
def test_plain_host_names_and_ports_of_2009_reach_the_broker(broker, topic):
    system = EventSystem()
    system.createReceiver("localhost", topic, broker.port)
    system.createTransmitter(f"127.0.0.1:{broker.port}", topic)
    system.publish(topic, properties(n=1))
    assert number(system.receiveEvent(topic, SOON_MS)) == 1
    system.close()


@pytest.mark.contract("7.3.calls")
def test_selectors_choose_by_text_and_by_number(broker, topic):
    text = "RUNID = 'r1' AND STATUS LIKE 'd%' OR filter IN ('it''s')"
    with (
        EventReceiver(broker.host, topic, text) as by_text,
        EventReceiver(broker.host, topic, "ccd > 2 AND good = TRUE") as by_number,
    ):
        sender = EventTransmitter(broker.host, topic)
        for run, n in (("r1", 1), ("r2", 2), ("r1", 3)):
            sender.publishEvent(Event(run, properties(n=n, STATUS="done"), properties(ccd=n, good=True)))
        sender.publishEvent(Event("r3", properties(n=4), properties(filter="it's")))
        assert numbers(by_text, 3) == [1, 3, 4]
        assert numbers(by_number, 1) == [3]


@pytest.mark.contract("7.3.calls")
def test_a_queue_gives_each_event_to_one_receiver_and_what_is_not_selected_stays(broker, topic):
    sender = EventEnqueuer(broker.host, topic)
    sender.publish_all([Event(run, properties(n=n)) for n, run in enumerate(["r1", "r2", "r1", "r2"])])
    with EventDequeuer(broker.host, topic, "RUNID = 'r2'") as sut:
        assert numbers(sut, 2) == [1, 3]
    with (
        EventDequeuer(broker.host, topic, acknowledge="explicit") as one,
        EventDequeuer(broker.host, topic, acknowledge="explicit") as other,
    ):
        first, second = one.receiveEvent(SOON_MS), other.receiveEvent(SOON_MS)
        assert {number(first), number(second)} == {0, 2}
        other.acknowledge(second)
    with EventDequeuer(broker.host, topic) as sut:
        assert numbers(sut, 1) == [number(first)]


def test_a_queue_cannot_be_selected_from_by_numbers(broker, topic):
    with pytest.raises(RuntimeError, match="sees all properties as text"):
        EventDequeuer(broker.host, topic, "ccd > 2")
    with pytest.raises(RuntimeError, match="selector"):
        EventReceiver(broker.host, topic, "RUNID =")


def test_a_command_event_and_a_wait_that_is_over(broker, topic):
    with EventReceiver(broker.host, topic) as sut:
        EventTransmitter(broker.host, topic).publishEvent(
            CommandEvent("r1", LocationId(), LocationId("h", 1, 2), properties(n=1))
        )
        assert sut.receiveCommandEvent(SOON_MS).getDestination().getHostName() == "h"
        assert sut.receiveEvent(0) is None


# --- nothing is lost, nothing comes twice


def test_a_receiver_with_a_name_goes_on_where_it_had_come_to(broker, topic):
    def receiver():
        return EventReceiver(broker.host, topic, name="me", acknowledge="explicit")

    with receiver() as sut:
        sender = EventTransmitter(broker.host, topic)
        sender.publish_all([Event(properties(n=n)) for n in range(4)])
        first, second, third = (sut.receiveEvent(SOON_MS) for _ in range(3))
        sut.acknowledge(first, third)
    sender.publish(properties(n=4))
    with receiver() as sut:
        assert numbers(sut, 3) == [number(second), 3, 4]


def test_a_name_is_open_once_at_a_time(broker, topic, monkeypatch):
    with EventReceiver(broker.host, topic, name="me"):
        monkeypatch.setenv("PEX_HARNESS_BROKER_WAIT", "0.5")
        with pytest.raises(RuntimeError, match=f"{topic}.*already connected"):
            EventReceiver(broker.host.replace("127.0.0.1", "localhost"), topic, name="me")


def test_an_event_that_is_sent_again_under_its_identity_comes_once(broker, topic):
    event = Event(properties(n=1))
    event.fix_ident("frame-1")
    sender = EventTransmitter(broker.host, topic)
    with EventReceiver(broker.host, topic, acknowledge="explicit") as sut:
        sender.publish_all([event, event])
        got = sut.receiveEvent(SOON_MS)
        sender.publishEvent(event)
        assert sut.receiveEvent(NOT_MS) is None
        sut.acknowledge(got)
        sender.publishEvent(event)
        sender.publish(properties(n=2))
        assert numbers(sut, 1) == [2]


def test_events_that_are_sent_together_arrive_all_or_none(broker, topic):
    sender = EventTransmitter(broker.host, topic)
    with EventReceiver(broker.host, topic) as sut:
        with pytest.raises(RuntimeError, match="too large"):
            sender.publish_all([Event(properties(n=1)), Event(properties(n=2, text="x" * 2_000_000))])
        with pytest.raises(RuntimeError, match="'destination' has the name of a header"):
            sender.publishEvent(Event(properties(n=3), properties(destination="/topic/other")))
        sender.publish_all([Event(properties(n=n)) for n in range(100)])
        assert numbers(sut, 100) == list(range(100))


@pytest.mark.parametrize("tls", [False, True])
def test_a_broker_that_is_killed_and_started_again_has_lost_nothing(
    broker, topic, told, tls, monkeypatch
):
    monkeypatch.setenv("PEX_HARNESS_BROKER_CA_FILE", str(broker.ca_file))
    host = broker.tls_host if tls else broker.host
    sender = EventTransmitter(host, topic)
    with EventReceiver(host, topic, name="me", acknowledge="explicit") as sut:
        sender.publish_all([Event(properties(n=n)) for n in range(3)])
        first, second = sut.receiveEvent(SOON_MS), sut.receiveEvent(SOON_MS)
        sut.acknowledge(first)
        broker.kill()
        # The visit of the second ends while the broker is away, and its acknowledgement is late.
        deadline = time.monotonic() + 30
        while "is lost" not in told.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)
        sut.acknowledge(second)
        publishing = threading.Thread(target=sender.publish, args=(properties(n=3),))
        publishing.start()
        broker.start()
        publishing.join(60)
        assert not publishing.is_alive()
        third, fourth = sut.receiveEvent(SOON_MS), sut.receiveEvent(SOON_MS)
        assert [number(third), number(fourth)] == [2, 3]
        assert sut.receiveEvent(NOT_MS) is None
        sut.acknowledge(third)
    with EventReceiver(host, topic, name="me") as sut:
        assert numbers(sut, 1) == [3]
    assert f"{host}, for receiving topic '{topic}', is lost" in told.getvalue()
    assert f"{host} is reached for receiving topic '{topic}'" in told.getvalue()


def test_a_receiver_keeps_what_it_works_on_while_the_broker_starts_again(broker, topic):
    with EventReceiver(broker.host, topic, name="me", acknowledge="explicit") as sut:
        EventTransmitter(broker.host, topic).publish(properties(n=1))
        event = sut.receiveEvent(SOON_MS)
        broker.kill()
        broker.start()
        # Delivered again, and not given out again.
        EventTransmitter(broker.host, topic).publish(properties(n=2))
        assert number(sut.receiveEvent(SOON_MS)) == 2
        assert sut.receiveEvent(NOT_MS) is None
        sut.acknowledge(event)
    with EventReceiver(broker.host, topic, name="me") as sut:
        assert numbers(sut, 1) == [2]


# --- what is no event


def test_what_is_no_event_is_told_left_to_the_broker_as_a_dead_letter_and_ends_nothing(broker, topic, told):
    whole = json.dumps({"ident": "x", "header": {}, "payload": {}})
    wrong = {
        "no JSON": ("visit 85", {}),
        "a pickle": (pickle.dumps({"visitId": 85}), {}),
        "no object": ("[1, 2]", {}),
        "another ident": (whole, {"pex-event": "1", "pex-ident": "y"}),
        "another version": (whole, {"pex-event": "2", "pex-ident": "x"}),
        "no header": (json.dumps({"ident": "x", "payload": {}}), {"pex-event": "1", "pex-ident": "x"}),
        "no type": (whole.replace("x", "z"), {"pex-event": "1", "pex-ident": "z"}),
        "too large": ('{"text": "' + "x" * 3_000_000 + '"}', {}),
        "too deep": ('{"a":' * 5000 + "1" + "}" * 5000, {}),
        "twice": ('{"n": 1, "n": 2}', {}),
        "half a pair": ('{"text": "\\ud800"}', {}),
        "another topic": (json.dumps({"topic": "other", "payload": {}}), {}),
        "nothing": ("", {}),
    }
    with Raw(broker) as raw, EventReceiver(broker.host, topic, name="me") as sut:
        for body, headers in wrong.values():
            raw.send(f"/topic/{topic}", body, **headers)
        raw.send(f"/topic/{topic}", '{"n": 85}', RUNID="r7", STATUS="new")
        event = sut.receiveEvent(SOON_MS)
        assert (number(event), event.getRunId(), event.getStatus()) == (85, "r7", "new")
        assert sut.receiveEvent(NOT_MS) is None
        raw.connection.subscribe("/queue/ActiveMQ.DLQ", id="dead", ack="auto")
        deadline = time.monotonic() + 30
        while len(raw.frames) < len(wrong) and time.monotonic() < deadline:
            time.sleep(0.05)
    assert len(raw.frames) == len(wrong)
    lines = [line for line in told.getvalue().splitlines() if "is skipped" in line]
    assert len(lines) == len(wrong)
    assert all(topic in line for line in lines)
    expected = ("no JSON", "no UTF-8", "JSON object", "3000012", "nested deeper", "occurs twice", "version 1")
    for words in expected:
        assert any(words in line for line in lines), words


# --- reaching it


def test_a_broker_that_is_not_there_is_waited_for_and_then_named(topic, monkeypatch, told, activemq):
    from activemq import free_port

    host = f"stomp://127.0.0.1:{free_port()}"
    monkeypatch.setenv("PEX_HARNESS_BROKER_WAIT", "0.3")
    uses = (lambda: EventReceiver(host, topic), lambda: EventTransmitter(host, topic).publish(properties()))
    for use in uses:
        with pytest.raises(RuntimeError) as caught:
            use()
        text = str(caught.value)
        assert host in text and "Connection refused" in text and "after 0.3 s" in text
        assert "PEX_HARNESS_BROKER_WAIT" in text
    assert "cannot be reached: Connection refused; trying again" in told.getvalue()


def test_a_broker_that_is_late_is_found(broker, topic):
    broker.kill()
    timer = threading.Timer(1.0, broker.start)
    timer.start()
    with EventReceiver(broker.host, topic) as sut:
        timer.join()
        EventTransmitter(broker.host, topic).publish(properties(n=1))
        assert numbers(sut, 1) == [1]


def test_a_broker_that_does_not_answer_fails_a_publication_after_the_wait(broker, topic, monkeypatch):
    monkeypatch.setenv("PEX_HARNESS_BROKER_WAIT", "1.5")
    sender = EventTransmitter(broker.host, topic)
    sender.publish(properties(n=0))
    broker.freeze()
    try:
        with pytest.raises(RuntimeError, match="not confirmed it in time .*whether the 1 events have"):
            sender.publish(properties(n=1))
    finally:
        broker.thaw()


def test_a_broker_that_falls_silent_is_left_and_found_again(broker, topic, told, monkeypatch):
    monkeypatch.setattr("harness.events.stomp_broker.transport.HEARTBEAT_S", 1)
    with EventReceiver(broker.host, topic, name="me") as sut:
        EventTransmitter(broker.host, topic).publish(properties(n=1))
        assert number(sut.receiveEvent(SOON_MS)) == 1
        broker.freeze()
        try:
            deadline = time.monotonic() + 60
            words = f"receiving topic '{topic}', is lost"
            while words not in told.getvalue() and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            broker.thaw()
        EventTransmitter(broker.host, topic).publish(properties(n=2))
        assert numbers(sut, 1) == [2]
    assert "is lost: " in told.getvalue()


def test_a_wrong_login_is_refused_at_once_and_not_shown(broker, topic, monkeypatch, told):
    monkeypatch.setenv("PEX_HARNESS_BROKER_PASSWORD", "wr0ng-one")
    began = time.monotonic()
    with pytest.raises(RuntimeError, match=r"broker stomp://.*password is invalid") as caught:
        EventReceiver(broker.host, topic)
    assert time.monotonic() - began < 50
    for secret in ("wr0ng-one", broker.password):
        assert secret not in str(caught.value) and secret not in told.getvalue()


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("stomp://night:secret@h:61613", "holds a login"),
        ("night:secret@h", "holds a login"),
        ("tcp://h:61616", "STOMP by a transportConnector"),
        ("stomp://h:99999", "a port of 1 to 65535"),
        ("stomp://", "expected \"stomp://host:port\""),
        ("r1/events", "a spool is named"),
    ],
)
def test_a_host_that_is_none_says_what_is_expected(host, words):
    with pytest.raises(RuntimeError, match=words) as caught:
        EventTransmitter(host, "t")
    assert "secret" not in str(caught.value)


def test_tls_needs_a_certificate_that_is_trusted(broker, topic, monkeypatch):
    monkeypatch.delenv("PEX_HARNESS_BROKER_CA_FILE", raising=False)
    with pytest.raises(RuntimeError, match="certificate is not accepted.*PEX_HARNESS_BROKER_CA_FILE"):
        EventReceiver(broker.tls_host, topic)
    monkeypatch.setenv("PEX_HARNESS_BROKER_CA_FILE", str(broker.ca_file))
    with pytest.raises(RuntimeError, match="certificate is not accepted"):
        EventReceiver(broker.tls_host.replace("localhost", "127.0.0.1"), topic)
    with EventReceiver(broker.tls_host, topic) as sut:
        EventTransmitter(broker.tls_host, topic).publish(properties(n=1))
        assert numbers(sut, 1) == [1]
    monkeypatch.setenv("PEX_HARNESS_BROKER_WAIT", "1")
    with pytest.raises(RuntimeError, match="no TLS"):
        EventReceiver(broker.host.replace("stomp:", "stomp+ssl:"), topic)


def test_a_tls_connection_closes_all_its_files_itself(broker, topic, monkeypatch):
    def open_files():
        kinds = []
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):
                kinds.append(os.readlink(f"/proc/self/fd/{name}").partition(":")[0])
        return sorted(kinds)

    monkeypatch.setenv("PEX_HARNESS_BROKER_CA_FILE", str(broker.ca_file))
    with EventReceiver(broker.tls_host, topic):
        pass
    gc.collect()
    gc.disable()
    try:
        before = open_files()
        with EventReceiver(broker.tls_host, topic):
            assert len(open_files()) > len(before)
        deadline = time.monotonic() + 10
        while open_files() != before and time.monotonic() < deadline:
            time.sleep(0.02)
        assert open_files() == before
    finally:
        gc.enable()


def test_a_password_may_stand_in_a_file(broker, topic, monkeypatch, tmp_path):
    monkeypatch.delenv("PEX_HARNESS_BROKER_PASSWORD")
    monkeypatch.setenv("PEX_HARNESS_BROKER_PASSWORD_FILE", str(tmp_path / "missing"))
    with pytest.raises(RuntimeError, match="password file .*missing of the event broker: No such file"):
        EventReceiver(broker.host, topic)
    (tmp_path / "secret").write_text(f"{broker.password}\n")
    monkeypatch.setenv("PEX_HARNESS_BROKER_PASSWORD_FILE", str(tmp_path / "secret"))
    with EventReceiver(broker.host, topic) as sut:
        EventTransmitter(broker.host, topic).publish(properties(n=1))
        assert numbers(sut, 1) == [1]


def test_a_receiver_that_is_dropped_gives_its_connection_and_its_event_back(broker, topic):
    EventEnqueuer(broker.host, topic).publish(properties(n=1))
    sut = EventDequeuer(broker.host, topic, acknowledge="explicit")
    assert number(sut.receiveEvent(SOON_MS)) == 1
    del sut
    with EventDequeuer(broker.host, topic) as other:
        assert numbers(other, 1) == [1]


# --- forks


def test_a_child_sends_by_a_connection_of_its_own_and_receives_by_none_of_its_parent(broker, topic):
    sender = EventTransmitter(broker.host, topic)
    with EventReceiver(broker.host, topic) as sut:
        sender.publish(properties(n=0))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                sender.publish(properties(n=1))
                try:
                    sut.receiveEvent(0)
                except RuntimeError as error:
                    code = 0 if "before that forked this one" in str(error) else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        sender.publish(properties(n=2))
        assert numbers(sut, 3) == [0, 1, 2]
