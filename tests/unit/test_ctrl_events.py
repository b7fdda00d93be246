# SPDX-License-Identifier: BSD-3-Clause
"""The calls of lsst.ctrl.events over the embedded spool."""

import os
import signal
import subprocess
import sys

import pytest
from harness.events.errors import SelectorError
from lsst.ctrl.events import (
    CommandEvent,
    Event,
    EventBroker,
    EventDequeuer,
    EventEnqueuer,
    EventReceiver,
    EventSystem,
    EventTransmitter,
    EventTypes,
    LocationId,
    LogEvent,
    StatusEvent,
)
from lsst.daf.base import DateTime, PropertySet
from lsst.pex.exceptions import NotFoundError
from lsst.pex.policy import Policy


@pytest.fixture
def host(tmp_path):
    return f"spool:{tmp_path}/events"


@pytest.fixture
def system():
    fresh = EventSystem()
    yield fresh
    fresh.close()


def properties(**values):
    out = PropertySet()
    for name, value in values.items():
        out.set(name, value)
    return out


def received(host, topic, *rest, **options):
    with EventReceiver(host, topic, *rest, **options) as sut:
        found = []
        while (event := sut.receiveEvent(0)) is not None:
            found.append(event)
        return found


# --- events


@pytest.mark.contract("7.1.event", "7.5.classes")
def test_header_and_payload_of_an_event():
    given = properties(visit=5, STATUS="done", EVENTTIME=17, TOPIC="x", PUBTIME=3, RUNID="wrong")
    sut = Event("r1", given, properties(ccd=3))
    assert (sut.getRunId(), sut.getStatus(), sut.getEventTime(), sut.getPubTime()) == ("r1", "done", 17, 0)
    assert (sut.getType(), sut.getTopic(), sut.getPubDate()) == (EventTypes.EVENT, "uninitialized", "")
    assert sut.getCustomPropertyNames() == ["visit"]
    assert "ccd" in sut.getFilterablePropertyNames()
    assert sut.getPropertySet().getInt("ccd") == 3 and sut.getPropertySet().getInt("visit") == 5
    assert given.getString("TOPIC") == "x"
    sut.getCustomPropertySet().set("visit", 6)
    assert sut.getCustomPropertySet().getInt("visit") == 5


@pytest.mark.contract("7.5.classes")
def test_an_event_without_run_id_says_so():
    with pytest.raises(RuntimeError, match="without a run id"):
        Event(PropertySet()).getRunId()
    assert Event().getCustomPropertyNames() == []


@pytest.mark.contract("7.5.classes")
def test_setters_of_an_event():
    sut = Event()
    sut.setRunId("r2")
    sut.setStatus("late")
    sut.setEventTime(DateTime("2010-01-01T00:00:00Z").nsecs())
    assert (sut.getRunId(), sut.getStatus(), sut.getEventDate()[:19]) == ("r2", "late", "2010-01-01T00:00:00")
    sut.updateEventTime()
    assert abs(sut.getEventTime() - DateTime.now().nsecs()) < 60e9


@pytest.mark.parametrize("arguments", [(3,), ("r1",), ({"a": 1},), (PropertySet(), PropertySet(), 1)])
def test_an_event_of_something_else_is_a_type_error(arguments):
    with pytest.raises(TypeError, match="Event: expected"):
        Event(*arguments)


@pytest.mark.contract("7.5.classes")
def test_a_status_event_says_who_sent_it():
    who = LocationId("host.example.org", 1234, 7)
    sut = StatusEvent("r1", who, properties(level=2), properties(ccd=1))
    other = sut.getOriginator()
    assert (other.getHostName(), other.getProcessID(), other.getLocalID()) == ("host.example.org", 1234, 7)
    assert sut.getOriginatorId() == int(who) and sut.getLocalId() == 7 and sut.getProcessId() == 1234
    assert sut.getType() == "_S" and sut.getRunId() == "r1"


@pytest.mark.contract("7.1.event")
def test_an_identity_is_also_the_packed_number_of_old_releases():
    packed = 0x7F000001 | 1234 << 32 | 7 << 49
    sut = StatusEvent(packed, PropertySet())
    assert (sut.getIPId(), sut.getProcessId(), sut.getLocalId()) == (0x7F000001, 1234, 7)
    assert sut.getOriginator().getHostName() == "127.0.0.1"
    assert int(LocationId("127.0.0.1", 1234, 7)) == packed


@pytest.mark.contract("7.4.system")
def test_identities_are_unique_within_the_process():
    system = EventSystem.getDefaultEventSystem()
    assert EventSystem.getDefaultEventSystem() is system
    first, second = system.createOriginatorId(), system.createOriginatorId()
    assert first != second and first.getProcessID() == os.getpid()


@pytest.mark.contract("7.5.classes")
def test_a_command_event_says_whom_it_is_for(host):
    sut = CommandEvent("r1", LocationId("a", 1, 2), LocationId("b", 3, 4), properties(do="stop"))
    EventTransmitter(host, "commands").publishEvent(sut)
    (got,) = received(host, "commands", "DEST_HOSTNAME = 'b' AND DEST_PROCESSID = 3")
    assert isinstance(got, CommandEvent) and got.getDestination().getLocalID() == 4
    assert got.getOriginator().getHostName() == "a" and got.getCustomPropertyNames() == ["do"]


@pytest.mark.contract("7.5.classes")
def test_a_log_event_has_level_and_comments_in_its_header(host):
    who = LocationId()
    sent = properties(LEVEL=3, LOGGER="a.b", visit=2)
    sent.set("COMMENT", ["one", "two"])
    EventTransmitter(host, "logging").publishEvent(LogEvent(who, sent))
    (got,) = received(host, "logging", "LEVEL > 2")
    assert (got.getLevel(), got.getLogger(), got.getComment()) == (3, "a.b", "one|@|two")
    assert got.getCustomPropertySet().getInt("visit") == 2


@pytest.mark.contract("7.5.classes")
def test_a_log_event_is_made_of_a_log_record():
    from harness.log.record import LogRecord

    record = LogRecord(0, 5)
    record.addComment("text")
    sut = LogEvent("r1", record)
    assert (sut.getRunId(), sut.getLevel(), sut.getComment()) == ("r1", 5, "text")


# --- sending and receiving


@pytest.mark.contract("7.1.event", "7.3.calls", "17.30")
def test_what_is_published_is_received_with_its_stamps(host):
    sut = EventTransmitter(host, "newFrame")
    before = DateTime.now().nsecs()
    sut.publishEvent(Event("r1", properties(visit=85)))
    sut.publish(properties(visit=86))
    first, second = received(host, "newFrame")
    assert sut.getTopicName() == first.getTopic() == "newFrame"
    assert before <= first.getPubTime() <= DateTime.now().nsecs() and first.getPubDate()
    assert first.getCustomPropertySet() == properties(visit=85)
    assert second.getCustomPropertySet().getInt("visit") == 86 and type(second) is Event


@pytest.mark.contract("7.3.calls", "17.30")
def test_receive_gives_the_payload_or_none(host):
    EventTransmitter(host, "t", EventBroker.DEFAULTHOSTPORT).publish(properties(a=1))
    with EventReceiver(host, "t", 61616) as sut:
        assert sut.receive(0).getInt("a") == 1
        assert sut.receive(20) is None
        assert (sut.getTopicName(), sut.getDestinationName(), sut.getSelector()) == ("t", "t", "")


def test_one_event_object_published_twice_is_two_events(host):
    sut, event = EventTransmitter(host, "t"), Event(properties(a=1))
    sut.publishEvent(event)
    sut.publishEvent(event)
    assert len(received(host, "t")) == 2


@pytest.mark.contract("7.3.calls")
def test_a_receiver_that_waits_for_ever_is_woken_from_another_process(host):
    code = (
        "import sys, time; from lsst.ctrl.events import *; from lsst.daf.base import PropertySet;"
        "time.sleep(.2);"
        "ps = PropertySet(); ps.set('a', 7); EventTransmitter(sys.argv[1], 't').publish(ps)"
    )
    with EventReceiver(host, "t") as sut:
        process = subprocess.Popen([sys.executable, "-c", code, host])
        assert sut.receive().getInt("a") == 7
        assert process.wait(20) == 0


@pytest.mark.contract("7.3.calls")
def test_selectors_pick_by_the_header(host):
    sut = EventTransmitter(host, "t")
    for run in ("r1", "r2"):
        sut.publishEvent(Event(run, properties(STATUS="done", x=run), properties(level=3)))
    (got,) = received(host, "t", "RUNID = 'r2' AND STATUS LIKE 'd%' AND level IS NOT NULL")
    assert got.getRunId() == "r2"
    with pytest.raises(SelectorError, match="column 9"):
        EventReceiver(host, "t", "RUNID = ")


@pytest.mark.contract("7.3.calls")
def test_status_events_arrive_as_such_and_others_are_refused(host):
    EventTransmitter(host, "t").publishEvent(StatusEvent(LocationId(), properties(a=1)))
    EventTransmitter(host, "t").publish(properties(a=2))
    with EventReceiver(host, "t") as sut:
        assert isinstance(sut.receiveStatusEvent(0), StatusEvent)
        with pytest.raises(RuntimeError, match="expected a StatusEvent, saw an event of type _E"):
            sut.receiveStatusEvent(0)
        assert sut.receiveCommandEvent(0) is None and sut.receiveLogEvent(0) is None


def test_a_name_goes_on_where_it_had_come_to(host):
    sender = EventTransmitter(host, "t")
    for number in range(4):
        sender.publish(properties(n=number))
    with EventReceiver(host, "t", name="script") as sut:
        assert sut.receive(0).getInt("n") == 0
    with EventReceiver(host, "t", name="script", acknowledge="explicit") as sut:
        done = sut.receiveEvent(0)
        assert done.getCustomPropertySet().getInt("n") == 1 and sut.receive(0).getInt("n") == 2
        sut.acknowledge(done)
    rest = received(host, "t", name="script")
    assert [event.getCustomPropertySet().getInt("n") for event in rest] == [2, 3]


@pytest.mark.contract("7.1.event")
def test_filterable_values_that_are_no_scalars_are_refused_at_publication(host):
    event = Event(PropertySet(), properties(many=[1, 2]))
    with pytest.raises(RuntimeError, match="filterable property 'many' is no single value"):
        EventTransmitter(host, "t").publishEvent(event)
    assert received(host, "t") == []


def test_what_is_no_event_is_skipped_with_a_warning(host, capsys):
    from harness.events.hosts import open_spool
    from harness.events.message import Message

    spool = open_spool(host)
    spool.publish([Message("t", b"{}", b"{}", "x"), Message("t", b"\xff", b"[", "y")])
    spool.publish([Message("t", b'{"TYPE": "_S", "STATUS": "", "EVENTTIME": 0, "PUBTIME": 0}', b"{}", "z")])
    EventTransmitter(host, "t").publish(properties(a=1))
    assert [event.getCustomPropertySet().getInt("a") for event in received(host, "t")] == [1]
    assert capsys.readouterr().err.count("is skipped") == 3


@pytest.mark.contract("7.3.calls")
def test_queues_store_events_for_one_receiver(host):
    sender = EventEnqueuer(host, "jobs")
    for number in range(3):
        sender.publish(properties(n=number))
    with EventDequeuer(host, "jobs") as one, EventDequeuer(host, "jobs", "STATUS = 'unknown'") as two:
        assert [reader.receive(0).getInt("n") for reader in (one, two, one)] == [0, 1, 2]
        assert one.receive(0) is None and two.receive(20) is None
        assert sender.getQueueName() == one.getQueueName() == "jobs"
    assert received(host, "jobs") == []


def test_a_queue_keeps_what_a_selector_leaves_for_others(host):
    sender = EventEnqueuer(host, "jobs")
    for run in ("r1", "r2"):
        sender.publishEvent(Event(run, PropertySet()))
    with EventDequeuer(host, "jobs", "RUNID = 'r2'") as sut:
        assert sut.receiveEvent(0).getRunId() == "r2" and sut.receiveEvent(0) is None
    with EventDequeuer(host, "jobs") as sut:
        assert sut.receiveEvent(0).getRunId() == "r1"


# --- hosts, policies, the registry


def test_no_host_means_the_spool_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("PEX_HARNESS_SPOOL", raising=False)
    with pytest.raises(RuntimeError, match="no event spool is named.*PEX_HARNESS_SPOOL"):
        EventTransmitter(None, "t")
    monkeypatch.setenv("PEX_HARNESS_SPOOL", str(tmp_path / "s"))
    EventTransmitter(None, "t").publish(properties(a=1))
    assert len(received("None", "t")) == len(received(f"spool:{tmp_path}/s", "t")) == 1


@pytest.mark.parametrize("topic", ["", " ", 3, "x" * 300, "a\nb"])
def test_a_name_that_no_topic_has_is_refused(host, topic):
    with pytest.raises(RuntimeError, match="expected the name of a topic"):
        EventTransmitter(host, topic)


@pytest.mark.contract("7.3.calls")
def test_a_policy_makes_transmitters_and_receivers(host):
    policy = Policy()
    policy.set("topicName", "t")
    with pytest.raises(NotFoundError, match="lacks hostName"):
        EventTransmitter(policy)
    policy.set("hostName", host)
    policy.set("selector", "RUNID = 'r1'")
    EventTransmitter(policy).publishEvent(Event("r1", PropertySet()))
    with EventReceiver(policy) as sut:
        assert sut.receiveEvent(0).getRunId() == "r1" and sut.getSelector() == "RUNID = 'r1'"
    policy.set("turnEventsOff", True)
    policy.set("hostName", "nowhere.example.org")
    EventTransmitter(policy).publish(PropertySet())
    assert EventReceiver(policy).receiveEvent(0) is None


@pytest.mark.contract("7.4.system")
def test_the_registry_sends_and_receives_by_name(host, system):
    system.createTransmitter(host, "t")
    system.createReceiver(host, "t", "RUNID = 'r1'")
    system.publishEvent("t", Event("r1", properties(a=1)))
    system.publish("t", properties(a=2))
    assert system.receive("t", 0).getInt("a") == 1 and system.receiveEvent("t", 0) is None
    system.createEnqueuer(host, "q")
    system.createDequeuer(host, "q")
    system.publishEvent("q", StatusEvent(system.createOriginatorId(), PropertySet()))
    event = system.receiveEvent("q", 0)
    assert system.castToStatusEvent(event) is event
    with pytest.raises(RuntimeError, match="expected a CommandEvent"):
        system.castToCommandEvent(event)


@pytest.mark.contract("7.4.system", "17.29")
def test_registering_again_with_the_same_parameters_does_nothing_and_with_others_is_refused(host, system):
    system.createReceiver(host, "t")
    EventTransmitter(host, "t").publish(properties(a=1))
    system.createReceiver(host, "t")
    assert system.receive("t", 0).getInt("a") == 1
    with pytest.raises(RuntimeError, match="'t' is registered already"):
        system.createReceiver(host, "t", "RUNID = 'x'")


@pytest.mark.contract("7.4.system")
def test_names_that_are_not_registered_are_refused_with_those_that_are(host, system):
    system.createTransmitter(host, "flats")
    with pytest.raises(RuntimeError, match="no EventTransmitter is registered for 'flat'; .*: 'flats'"):
        system.publish("flat", PropertySet())
    with pytest.raises(RuntimeError, match="no EventReceiver is registered for 'flats'; there are: none"):
        system.receive("flats", 0)


def test_a_signal_ends_an_endless_wait(host):
    code = (
        "import sys; from lsst.ctrl.events import EventReceiver; sut = EventReceiver(sys.argv[1], 't');"
        "print('ready', flush=True); sut.receiveEvent()"
    )
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code, host], stdout=pipe, stderr=pipe)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in process.communicate(timeout=20)[1]
