# SPDX-License-Identifier: BSD-3-Clause
"""The spool: durable, for many processes, limited in size, and clear about what it cannot use."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time

import pytest
from harness.events.bell import BellListener
from harness.events.errors import SpoolError, SpoolFull
from harness.events.limits import SpoolLimits
from harness.events.message import Message
from harness.events.place import refuse_network
from harness.events.queue_reader import QueueReader
from harness.events.spool import Spool
from harness.events.subscription import Subscription


@pytest.fixture
def spool(tmp_path):
    store = Spool(tmp_path / "events")
    yield store
    store.close()


def message(number, topic="frames", *, is_queue=False, size=0):
    return Message(topic, b"{}", b"%d" % number + b" " * size, f"{topic}-{number}", is_queue)


def publish(spool, *numbers, **options):
    return spool.publish([message(number, **options) for number in numbers])


def numbers(source, count=100):
    found = []
    while len(found) < count and (one := source.look()) is not None:
        found.append(int(one.payload))
    return found


def run(code, *arguments):
    """Starts a process of its own."""
    program = textwrap.dedent(code)
    head = (
        "import os, signal, sys, time\nfrom harness.events.message import Message\n"
        "from harness.events.spool import Spool\n"
        "from harness.events.subscription import Subscription\n"
        "from harness.events.queue_reader import QueueReader\nspool = Spool(sys.argv[1])\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", head + program, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


def test_a_receiver_that_starts_later_gets_what_was_published_before(spool):
    publish(spool, 1, 2, 3)
    assert numbers(Subscription(spool, "frames")) == [1, 2, 3]


def test_every_receiver_gets_every_event_of_its_topic_and_no_other(spool):
    first, second = Subscription(spool, "frames"), Subscription(spool, "frames", "named")
    publish(spool, 1, 2)
    publish(spool, 7, topic="flats")
    assert numbers(first) == numbers(second) == [1, 2]
    second.close()


def test_one_that_wants_new_events_only_gets_those(spool):
    publish(spool, 1)
    sut = Subscription(spool, "frames", start="new")
    publish(spool, 2)
    assert numbers(sut) == [2]


def test_what_comes_next_can_be_seen_and_is_received_all_the_same(spool):
    publish(spool, *range(1, 7))
    first = Subscription(spool, "frames", "pipe")
    taken = [first.look() for _ in range(2)]
    first.acknowledge(taken[1])
    assert [one.sequence for one in first.coming(2)] == [3, 4]
    first.close()
    sut = Subscription(spool, "frames", "pipe")
    assert [one.sequence for one in sut.coming(3)] == [1, 3, 4]
    publish(spool, 7)
    assert [one.sequence for one in sut.coming(99)] == [1, 3, 4, 5, 6, 7]
    assert numbers(sut) == [1, 3, 4, 5, 6, 7]
    assert sut.coming(3) == []
    sut.close()


def test_what_was_not_acknowledged_comes_again_and_the_rest_does_not(spool):
    publish(spool, *range(10))
    first = Subscription(spool, "frames", "pipe")
    taken = [first.look() for _ in range(6)]
    first.acknowledge(taken[0], taken[2])
    first.acknowledge(taken[1], taken[4])
    first.close()
    second = Subscription(spool, "frames", "pipe")
    assert numbers(second) == [3, 5, 6, 7, 8, 9]
    second.close()


def test_what_is_recalled_comes_again_in_its_order_and_nothing_else_that_was_acknowledged(spool):
    publish(spool, 1, 2, 3, 4, 5, 6)
    publish(spool, 7, topic="flats")
    first = Subscription(spool, "frames", "named")
    taken = {int(one.payload): one for one in (first.look() for _ in range(6))}
    first.acknowledge(*(taken[number] for number in (1, 2, 3, 4, 6)))
    first.close()
    second = Subscription(spool, "frames", "named")
    asked = {"frames-2", "frames-4", "frames-6", "frames-9", "flats-7"}
    assert second.recall(asked) == {"frames-2", "frames-4", "frames-6"}
    assert (two := second.look()).ident == "frames-2"
    second.acknowledge(two)
    second.close()
    # A receiver that is killed in between has lost nothing of it.
    third = Subscription(spool, "frames", "named")
    assert numbers(third) == [4, 5, 6]
    third.close()


def test_a_killed_receiver_gets_again_what_it_had_not_acknowledged(spool):
    publish(spool, 1, 2, 3)
    process = run(
        """
        sut = Subscription(spool, "frames", "pipe")
        sut.acknowledge(sut.look())
        sut.look()
        print("ready", flush=True)
        time.sleep(60)
        """,
        spool.directory,
    )
    assert process.stdout.readline() == "ready\n"
    with pytest.raises(SpoolError, match=f"'pipe' of topic 'frames' is open in process {process.pid}; let"):
        Subscription(spool, "frames", "pipe")
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    sut = Subscription(spool, "frames", "pipe")
    assert numbers(sut) == [2, 3]
    sut.close()


def test_many_writers_and_readers_lose_nothing_and_keep_the_order_of_each_writer(spool):
    writers = [
        run(
            """
            for number in range(60):
                spool.publish([Message("frames", b"{}", f"{sys.argv[2]} {number}".encode(),
                                       f"{sys.argv[2]}-{number}")])
            """,
            spool.directory, name,
        )
        for name in "ab"
    ]  # fmt: skip
    reader = run(
        """
        from harness.events.bell import BellListener
        bell, sut, count = BellListener(spool.bell), Subscription(spool, "frames"), 0
        while count < 120:
            bell.drain()
            while (one := sut.look()) is not None:
                print(one.payload.decode())
                count += 1
            if count < 120:
                assert bell.wait(20)
        """,
        spool.directory,
    )
    lines = reader.communicate(timeout=60)[0].splitlines()
    assert [writer.wait(20) for writer in writers] == [0, 0] and reader.returncode == 0
    for writer in writers:
        writer.stdout.close()
    for name in "ab":
        assert [line for line in lines if line[0] == name] == [f"{name} {number}" for number in range(60)]


@pytest.mark.contract("17.14")
def test_the_bell_wakes_a_receiver_that_sleeps(spool):
    listener = BellListener(spool.bell)
    try:
        assert not listener.wait(0)
        code = "time.sleep(0.2); spool.publish([Message('frames', b'{}', b'1', 'x')])"
        process = run(code, spool.directory)
        assert listener.wait(20)
        process.communicate(timeout=20)
        listener.drain()
        assert not listener.wait(0)
    finally:
        listener.close()


def test_an_event_published_twice_under_one_identity_is_there_once(spool):
    assert publish(spool, 1, 2) == 2
    assert publish(spool, 2, 3) == 1
    assert numbers(Subscription(spool, "frames")) == [1, 2, 3]


def test_a_queue_gives_every_event_to_one_receiver(spool):
    publish(spool, *range(6), is_queue=True)
    first, second = QueueReader(spool, "frames"), QueueReader(spool, "frames")
    got = [numbers(first, 2), numbers(second, 2), numbers(first), numbers(second)]
    assert got == [[0, 1], [2, 3], [4, 5], []]


def test_what_a_killed_receiver_of_a_queue_had_taken_goes_to_another(spool):
    publish(spool, 1, 2, is_queue=True)
    process = run(
        "sut = QueueReader(spool, 'frames'); sut.acknowledge(sut.look()); sut.look();"
        " print('ready', flush=True); time.sleep(60)",
        spool.directory,
    )
    assert process.stdout.readline() == "ready\n"
    sut = QueueReader(spool, "frames")
    assert numbers(sut) == []
    process.kill()
    process.communicate(timeout=20)
    assert numbers(sut) == [2]


def test_a_child_made_by_fork_publishes_by_itself(spool):
    publish(spool, 1)
    child = os.fork()
    if child == 0:
        publish(spool, 2)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    publish(spool, 3)
    assert numbers(Subscription(spool, "frames")) == [1, 2, 3]


# --- limits


def small(tmp_path, **limits):
    return Spool(tmp_path / "small", SpoolLimits(**{"max_bytes": 200_000, **limits}))


def test_a_full_spool_forgets_the_oldest_that_all_have_acknowledged(tmp_path):
    spool = small(tmp_path)
    sut = Subscription(spool, "frames", "pipe")
    for number in range(200):
        publish(spool, number, size=5000)
        sut.acknowledge(sut.look())
    kept = numbers(Subscription(spool, "frames"))
    assert kept == list(range(kept[0], 200)) and 5 < len(kept) < 45
    assert spool.file.stat().st_size < 300_000
    sut.close()
    spool.close()


def test_a_full_spool_refuses_rather_than_lose_what_somebody_waits_for(tmp_path):
    spool = small(tmp_path)
    sut = Subscription(spool, "frames", "pipe")
    with pytest.raises(SpoolFull, match=r"200000 bytes.*'pipe' has \d+ events of topic 'frames'"):
        for number in range(200):
            publish(spool, number, size=5000)
    before = numbers(sut)
    assert before == list(range(len(before))) and len(before) > 20
    sut.close()
    assert spool.forget("pipe") == 1
    publish(spool, 500, size=5000)
    spool.close()


def test_old_events_go_unless_somebody_waits_for_them(tmp_path):
    spool = small(tmp_path, keep_s=0.05)
    sut = Subscription(spool, "flats", "pipe")
    publish(spool, 1)
    publish(spool, 2, topic="flats")
    time.sleep(0.1)
    publish(spool, 3)
    assert numbers(Subscription(spool, "frames")) == [3]
    assert numbers(sut) == [2]
    sut.close()
    spool.close()


# --- what cannot be used


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "events.sqlite3").write_bytes(b"no database" * 100)
    with pytest.raises(SpoolError, match=r"events\.sqlite3: opening: the file is no SQLite file; move"):
        Spool(tmp_path)


def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path):
    connection = sqlite3.connect(tmp_path / "events.sqlite3")
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()
    before = (tmp_path / "events.sqlite3").read_bytes()
    with pytest.raises(SpoolError, match="belongs to another program"):
        Spool(tmp_path)
    assert (tmp_path / "events.sqlite3").read_bytes() == before


def test_a_layout_of_another_version_is_refused(spool):
    with spool.writing("testing") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(SpoolError, match="layout is version 99, and this program knows 1"):
        Spool(spool.directory)


def test_a_damaged_file_is_told(tmp_path):
    spool = Spool(tmp_path / "events")
    publish(spool, *range(200), size=2000)
    spool.close()
    with spool.file.open("r+b") as stream:
        for page in range(1, 60):
            stream.seek(page * 4096)
            stream.write(b"\xa5" * 4096)
    with pytest.raises(SpoolError, match="the file is damaged"):
        again = Spool(tmp_path / "events")
        try:
            numbers(Subscription(again, "frames"))
        finally:
            again.close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match=r"event spool .*file/events: cannot be made: Not a directory"):
        Spool(tmp_path / "file" / "events")


def test_a_network_file_system_is_refused_with_the_way_out(tmp_path):
    table = tmp_path / "mountinfo"
    table.write_text(
        "20 1 8:1 / / rw - ext4 /dev/sda rw\n21 20 0:5 / /data\\040x rw - nfs4 server:/x rw\n"
        "22 21 8:2 / /data\\040x/local rw - xfs /dev/sdb rw\n"
    )
    with pytest.raises(SpoolError, match=r"network file system \(nfs4\).*eventBrokerHost.*stomp://host:port"):
        refuse_network(type(tmp_path)("/data x/run/events"), table)
    for good in ("/data x/local/run", "/data", "/data xy"):
        refuse_network(type(tmp_path)(good), table)


def test_a_closed_spool_says_so(spool):
    spool.close()
    with pytest.raises(SpoolError, match="it has been closed"):
        publish(spool, 1)


# --- limits that a policy sets


def test_limits_are_the_spool_s_for_every_process_that_uses_it(tmp_path):
    directory = tmp_path / "events"
    user = Spool(directory)
    Spool(directory).set_limits(max_bytes=300_000, keep_s=None)
    Spool(directory).set_limits(max_bytes=None, keep_s=0.2)
    assert Spool(directory).limits == SpoolLimits(300_000, 0.2)
    # What was opened before goes by them from its next look at the clock on.
    user._trim_at = 0.0
    for number in range(100):
        user.publish([message(number, size=10_000)])
    assert 0 < len(Subscription(user, "frames").spool.after("frames", 0, 1000)) < 40
    time.sleep(0.3)
    user._trim_at = 0.0
    user.publish([message(1000)])
    assert [one.ident for one in user.after("frames", 0, 1000)] == [message(1000).ident]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"max_bytes": "1 GiB", "keep_s": 1}', '{"max_bytes": 0, "keep_s": 1}']
)
def test_limits_that_are_damaged_are_refused_with_what_to_do(tmp_path, text):
    (tmp_path / "limits.json").write_text(text)
    words = "limits.json is damaged: expected .*remove it, which gives the defaults"
    with pytest.raises(SpoolError, match=words):
        Spool(tmp_path)


def test_a_full_spool_names_the_key_that_makes_it_larger(tmp_path):
    spool = small(tmp_path)
    Subscription(spool, "frames", "pipe")
    with pytest.raises(SpoolFull, match="'pipe' has .* raise eventSpoolSize"):
        for number in range(1000):
            spool.publish([message(number, size=10_000)])
