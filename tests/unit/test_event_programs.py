# SPDX-License-Identifier: BSD-3-Clause
"""EventListener.py and logwatcher.py, and the commands of today over a message broker."""

import json
import re
import subprocess
import sysconfig
import time
import uuid
from pathlib import Path

import pytest
from harness.cli import event_listener, logwatcher
from harness.cli.main import main
from harness.events.hosts import open_broker
from harness.events.record_events import encode_record, message_of_record
from harness.log import LogRecord
from lsst.ctrl.events import Event, EventTransmitter
from lsst.daf.base import PropertySet

SCRIPTS = Path(sysconfig.get_path("scripts"))


def properties(**values):
    out = PropertySet()
    for name, value in values.items():
        out.set(name, value)
    return out


def publish_record(host, *texts, **values):
    record = LogRecord(10, 10)
    for name, value in {"LOG": "harness.slice", **values}.items():
        record.addProperty(name, value)
    for text in texts:
        record.addComment(text)
    open_broker(host).publish([message_of_record(encode_record(record), "logging")])


@pytest.mark.contract("14.3.listeners")
def test_the_listener_prints_events_with_all_their_properties(tmp_path, capsys):
    host = f"spool:{tmp_path}/s"
    for run in ("r1", "r2"):
        EventTransmitter(host, "newFrame").publishEvent(Event(run, properties(visitId=85, filter="r")))
    assert event_listener.main([host, "newFrame", "-s", "RUNID = 'r2'", "-c", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("newFrame ") and "visitId = 85\n" in out and 'filter = "r"\n' in out
    assert 'RUNID = "r2"\n' in out and '"r1"' not in out and out.endswith("\n\n")


@pytest.mark.contract("14.3.listeners")
def test_the_log_watcher_prints_a_line_per_text(tmp_path, capsys):
    host = f"spool:{tmp_path}/s"
    publish_record(host, "slow disk", "two", RUNID="r1", SLICEID=2, LOOPNUM=3, STAGEID=1)
    EventTransmitter(host, "logging").publish(properties(n=1))
    publish_record(host, "no run")
    assert logwatcher.main([host, "-c", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(re.match(r"20\d\d-\d\d-\d\dT[\d:.]{15} ", line) for line in lines)
    assert [line[27:] for line in lines] == [
        "run r1, slice 2, visit 3, stage 1: harness.slice WARNING: slow disk",
        "run r1, slice 2, visit 3, stage 1: harness.slice WARNING: two",
        ": harness.slice WARNING: no run",
    ]


@pytest.mark.contract("14.3.listeners")
@pytest.mark.parametrize(
    ("program", "words"),
    [("EventListener.py", ["spool:x"]), ("logwatcher.py", []), ("logwatcher.py", ["a", "b"])],
)
def test_the_programs_are_installed_and_end_with_2_for_wrong_arguments(program, words, tmp_path):
    done = subprocess.run(
        [SCRIPTS / program, *words], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.returncode == 2 and "expected" in done.stderr


@pytest.mark.contract("14.3.listeners")
def test_a_host_that_cannot_be_used_ends_with_2(capsys):
    assert event_listener.main(["tcp://h:61616", "t"]) == 2
    assert "EventListener.py: event broker 'tcp://h:61616'" in capsys.readouterr().err


@pytest.mark.contract("14.3.listeners", "4.1.broker")
def test_programs_and_commands_talk_to_a_message_broker(broker, capsys):
    topic = f"t-{uuid.uuid4().hex[:12]}"

    def listen(name):
        words = ["--broker", broker.host, "--name", name, "--count", "1", "--timeout", "0.2"]
        return main(["listen", topic, *words])

    assert listen("me") == 0 and capsys.readouterr().out == ""
    watcher = subprocess.Popen(
        [SCRIPTS / "EventListener.py", "localhost", topic, "--port", str(broker.port), "--count", "1"],
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while watcher.poll() is None and time.monotonic() < deadline:
        # A topic of a broker keeps nothing for who comes later without a name: until the watcher is there.
        assert main(["publish", topic, "visitId=85", "--broker", broker.host, "--runid", "r1"]) == 0
        time.sleep(0.2)
    out, _ = watcher.communicate(timeout=60)
    assert watcher.returncode == 0 and "visitId = 85\n" in out
    assert listen("me") == 0
    line = json.loads(capsys.readouterr().out)
    assert line["payload"] == {"visitId": 85} and line["header"]["RUNID"] == "r1"
