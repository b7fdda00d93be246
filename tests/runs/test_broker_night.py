# SPDX-License-Identifier: BSD-3-Clause
"""Nights over a message broker, with the broker and the pipeline killed in the middle of them."""

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
import textwrap

import pytest
from activemq import free_port, secrets_in

STAGES = """
    class Notes(SerialProcessing):
        def preprocess(self, clipboard):
            number = clipboard.get("newFrame").getInt("visitId")
            with open("seen", "a") as out:
                out.write(f"{number}\\n")
            while os.path.exists(f"hold-{number}"):
                time.sleep(0.01)
            if os.path.exists(f"fail-{number}"):
                raise ValueError("on purpose")

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            number = clipboard.get("newFrame").getInt("visitId")
            self.log.warn(f"slice has visit {number}")
            if os.path.exists("tell"):
                from lsst.ctrl.events import EventTransmitter
                from lsst.daf.base import PropertySet
                told = PropertySet()
                told.set("n", 100 * self.rank + number)
                EventTransmitter(self.getEventBrokerHost(), open("tell").read()).publish(told)
"""
PUBLISHER = """
    import sys, time
    from lsst.ctrl.events import Event, EventTransmitter
    from lsst.daf.base import PropertySet

    sender = EventTransmitter(sys.argv[1], "newFrame")
    for number in range(1, int(sys.argv[2]) + 1):
        payload = PropertySet()
        payload.set("visitId", number)
        event = Event("r1", payload)
        event.fix_ident(f"frame-{number}")
        # Some come twice, at once or late.
        for _ in range(2 if number % 4 == 1 else 1):
            sender.publishEvent(event)
        if number % 5 == 0:
            sender.publishEvent(first)
        if number == 1:
            first = event
        time.sleep(0.05)
"""


def policy(bench, host, *lines, slices=1):
    """A pipeline of one stage that waits for events of the host."""
    bench.module(STAGES)
    text = "\n".join([
        f'eventBrokerHost: "{host}"', *lines, f"nSlices: {slices}", 'arenaSize: "64 MiB"', "nWorkers: 1",
        'appStage: {\n    name: "one"\n    serialClass: "stages_here.Notes"',
        '    parallelClass: "stages_here.Slice"' if slices else "", '    eventTopic: "newFrame"\n}\n',
    ])  # fmt: skip
    (bench.folder / "night.paf").write_text(text)


def login(bench, broker):
    """The block for the broker in the policy, with a name that no other test has."""
    return "\n".join([
        "eventBroker: {", f'    user: "{broker.user}"', f'    password: "{broker.password}"',
        f'    name: "{bench.folder.name}"', "}",
    ])  # fmt: skip


def publish_night(bench, host, count):
    """A process that publishes a night event by event."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PUBLISHER), host, str(count)],
        cwd=bench.folder, env=bench.environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip


def publish_garbage(broker):
    """What is no event, from another program."""
    import stomp

    raw = stomp.Connection12([("127.0.0.1", broker.port)])
    raw.connect(broker.user, broker.password, wait=True)
    raw.send("/topic/newFrame", "visit 99, please", headers={"persistent": "true"})
    raw.disconnect("bye")


def ended_well(process):
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err


def seen(bench):
    path = bench.folder / "seen"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def waits(bench):
    log = bench.run_dir / "log" / "Pipeline.log"
    return lambda: log.exists() and "waits for an event" in log.read_text()


def complete_inputs(bench):
    """What the complete visits of all runs worked on."""
    with contextlib.closing(sqlite3.connect(bench.run_dir / "ledger.sqlite")) as ledger:
        return [row for (row,) in ledger.execute("SELECT input FROM visits WHERE state = 'complete'")]


def hold(bench, visit):
    (bench.folder / f"hold-{visit}").touch()


def let_go(bench, visit):
    (bench.folder / f"hold-{visit}").unlink()


def reach(bench, visit):
    bench.wait_until(lambda: visit in seen(bench), f"visit {visit}", timeout=90)


def stop(bench, process):
    """Ends a run that has done its visits, by its shutdown topic."""
    done = bench.command_line(
        "publish", "triggerShutdownEvent", "level=4", "--runid", "r1", "--run-dir", str(bench.run_dir)
    )
    assert done.code == 0, done.err
    done = bench.finish(process)
    assert done.code == 0, done.err
    assert "shutdown event of level 4 on topic 'triggerShutdownEvent'" in done.log()
    return done


@pytest.mark.contract("4.1.broker", "5.7.shutdown")
def test_a_night_through_a_broker_with_broker_and_pipeline_killed_has_every_visit_once(bench, broker):
    policy(bench, broker.host, login(bench, broker))
    for visit in (5, 9, 13):
        hold(bench, visit)
    process = bench.start()
    bench.wait_until(waits(bench), "the wait", timeout=60)
    night = publish_night(bench, broker.host, 16)
    # The broker dies within a visit, and is back before that ends.
    reach(bench, 5)
    broker.kill()
    broker.start()
    let_go(bench, 5)
    # The pipeline dies within a visit, while the night goes on.
    reach(bench, 9)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    let_go(bench, 9)
    ended_well(night)
    publish_garbage(broker)
    bench.wait_until(lambda: not bench.processes(), "the run's processes to end")
    process = bench.start("--resume")
    # The broker is away when a visit ends, so that its acknowledgement is late.
    reach(bench, 13)
    broker.kill()
    let_go(bench, 13)
    bench.wait_until(lambda: len(complete_inputs(bench)) == 13, "visit 13 to end", timeout=60)
    broker.start()
    bench.wait_until(lambda: len(complete_inputs(bench)) == 16, "the night to end", timeout=90)
    done = stop(bench, process)
    assert len(set(complete_inputs(bench))) == len(complete_inputs(bench)) == 16
    assert sorted(seen(bench)) == sorted([*range(1, 17), 9])
    assert "is no event and is skipped" in done.log()
    assert "is lost: " in done.log() and "is reached for receiving topic 'newFrame'" in done.log()
    assert secrets_in(bench.run_dir, broker.password) == []


def test_a_night_through_a_spool_with_the_pipeline_killed_has_every_visit_once(bench):
    host = f"spool:{bench.run_dir}/events"
    policy(bench, host)
    hold(bench, 4)
    process = bench.start()
    night = publish_night(bench, host, 10)
    reach(bench, 4)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    let_go(bench, 4)
    bench.wait_until(lambda: not bench.processes(), "the run's processes to end")
    process = bench.start("--resume")
    ended_well(night)
    bench.wait_until(lambda: len(complete_inputs(bench)) == 10, "the night to end", timeout=60)
    stop(bench, process)
    assert len(set(complete_inputs(bench))) == len(complete_inputs(bench)) == 10
    assert sorted(seen(bench)) == sorted([*range(1, 11), 4])


def test_a_fed_event_whose_visit_failed_goes_through_the_broker_again_when_the_run_is_resumed(bench, broker):
    policy(bench, broker.host, login(bench, broker), "eventTimeout: 1", slices=0)
    lines = [json.dumps({"visitId": number}) for number in (1, 2, 3)]
    (bench.folder / "night.jsonl").write_text("\n".join(lines) + "\n")
    (bench.folder / "fail-2").touch()
    assert bench.run("--feed", "night.jsonl").code == 0
    (bench.folder / "fail-2").unlink()
    # Of itself it does not come: the broker has forgotten what was acknowledged.
    done = bench.run("--resume")
    assert done.code == 0 and "1 event of visits that are to run again will not come by itself" in done.err
    assert seen(bench) == [1, 2, 3]
    done = bench.run("--feed", "night.jsonl", "--resume")
    assert done.code == 0, done.err
    assert seen(bench) == [1, 2, 3, 2] and "will not come" not in done.err
    told = bench.command_line("status", str(bench.run_dir), "--check")
    assert told.code == 0 and "visits: 3 complete\n" in told.out, told.out


@pytest.mark.contract("4.1.broker", "4.1.exitTopic", "7.6.logs")
def test_a_feed_the_exit_event_and_the_log_records_go_through_the_broker(bench, broker):
    """With slices in fresh interpreters, which have to be told how the broker is reached."""
    from lsst.ctrl.events import EventReceiver

    name = bench.folder.name
    head = f'exitTopic: "exits-{name}"\nstartMethod: "exec"'
    policy(bench, broker.host, head, login(bench, broker), slices=2)
    lines = [json.dumps({"visitId": visit}) for visit in range(1, 6)]
    (bench.folder / "night.jsonl").write_text("\n".join(lines) + "\n")
    with (
        EventReceiver(broker.host, f"exits-{name}") as exits,
        EventReceiver(broker.host, "logging", "RUNID = 'r1'") as logs,
        EventReceiver(broker.host, f"told-{name}") as told_by_slices,
    ):
        (bench.folder / "tell").write_text(f"told-{name}")
        done = bench.run("--feed", "night.jsonl")
        assert done.code == 0, done.err
        assert seen(bench) == [1, 2, 3, 4, 5]
        assert exits.receive(30_000).getString("message") == "exiting_r1"
        slices = [told_by_slices.receive(30_000).getInt("n") for _ in range(10)]
        assert sorted(slices) == [1, 2, 3, 4, 5, 101, 102, 103, 104, 105]
        (bench.folder / "tell").unlink()
        records = []
        while (event := logs.receiveLogEvent(2000)) is not None:
            records.append(event)
    # Started again, nothing is run again.
    assert bench.run("--feed", "night.jsonl").summary["visits"] == 0
    assert secrets_in(bench.run_dir, broker.password) == []
    (bench.folder / "night.jsonl").write_text("\n".join([*lines, '{"visitId": 6}']) + "\n")
    assert bench.run("--feed", "night.jsonl").summary["visits"] == 1
    assert seen(bench) == [1, 2, 3, 4, 5, 6]
    told = [(one.getPropertySet(), one) for one in records]
    assert {one.getType() for one in records} == {"_P"}
    slices = [(found, one) for found, one in told if "slice has visit" in one.getComment()]
    assert sorted((found.getInt("SLICEID"), found.getInt("LOOPNUM")) for found, _ in slices) == [
        (rank, visit) for rank in range(2) for visit in range(1, 6)
    ]
    found, one = slices[0]
    assert (one.getLevel(), one.getLog(), one.getRunId()) == (10, "harness.slice", "r1")
    assert one.header_values()["PIPELINE"] == "night" and one.header_values()["STAGEID"] == 1
    masters = [one.getComment() for found, one in told if found.getInt("SLICEID") == -1]
    assert any(text.startswith("process ") for text in masters)


def test_a_broker_that_is_not_there_ends_a_run_before_it_begins_and_says_where(bench):
    port = free_port()
    policy(bench, f"stomp://127.0.0.1:{port}", "eventBroker: { wait: 0.5 }")
    done = bench.run()
    assert done.code == 2 and seen(bench) == []
    for words in (f"stomp://127.0.0.1:{port}", "Connection refused", "after 0.5 s", "eventBroker.wait"):
        assert words in done.err, done.err


def test_a_wrong_login_ends_a_run_at_once_and_is_in_no_file(bench, broker):
    policy(bench, broker.host, 'eventBroker: { user: "night"\n    password: "n0t-the-key" }')
    done = bench.run()
    assert done.code == 2 and "password is invalid" in done.err
    assert "n0t-the-key" not in done.err + done.out
    assert secrets_in(bench.run_dir, "n0t-the-key", broker.password) == []


@pytest.mark.contract("7.6.logs")
def test_log_records_that_find_no_broker_slow_nothing_and_are_counted(bench, broker):
    """The log's own connection is frozen out: the broker is killed as soon as the run waits."""
    policy(bench, broker.host, login(bench, broker))
    hold(bench, 1)
    process = bench.start()
    bench.wait_until(waits(bench), "the wait", timeout=60)
    ended_well(publish_night(bench, broker.host, 1))
    reach(bench, 1)
    broker.kill()
    let_go(bench, 1)
    bench.wait_until(lambda: len(complete_inputs(bench)) == 1, "the visit to end", timeout=60)
    process.send_signal(signal.SIGTERM)
    done = bench.finish(process)
    assert done.code == 0, done.err
    assert "log records were not published as events; they are in the log files" in done.log()


def test_log_records_go_into_a_spool_where_the_policy_says_so(bench):
    bench.module("""
    class Slice(ParallelProcessing):
        def process(self, clipboard):
            self.log.warn("two\\nlines")
    """)
    bench.policy("one - Slice", slices=1, head='executionMode: "oneloop"\nlogEvents: true')
    done = bench.run()
    assert done.code == 0, done.err
    found = bench.command_line("listen", "logging", "--run-dir", str(bench.run_dir), "--timeout", "0")
    texts = [json.loads(line)["header"]["COMMENT"] for line in found.out.splitlines()]
    assert "two\nlines" in texts and any("the loop has ended" in text for text in texts)
    watch = [sys.executable, "-m", "harness.cli.logwatcher", f"spool:{bench.run_dir}/events", "-s",
             "SLICEID = 0 AND LEVEL = 10", "-c", "1"]  # fmt: skip
    shown = subprocess.run(watch, capture_output=True, text=True, timeout=60, cwd=bench.folder)
    assert shown.returncode == 0, shown.stderr
    assert "run r1, slice 0, visit 1, stage 1: harness.slice WARNING: two" in shown.stdout
