# SPDX-License-Identifier: BSD-3-Clause
"""Events of several visits in flight: whose they are, and what ends a run that waits for one."""

import json
import subprocess
import sys

import pytest

STAGES = """
    from lsst.ctrl.events import EventTransmitter, StatusEvent, EventSystem
    from lsst.daf.base import PropertySet

    def note(text):
        with open("seen", "a") as out:
            out.write(text + "\\n")

    class Take(SerialProcessing):
        def preprocess(self, clipboard):
            note(f"{self.getName()} {harness.current_visit()} {clipboard.get('newFrame').getInt('n')}")

    class Work(ParallelProcessing):
        def process(self, clipboard):
            time.sleep(0.05)
            if clipboard.get("newFrame").getInt("n") == 99:
                # The next visit waits for its event by now.
                time.sleep(0.5)
                clipboard.put("noMoreDatasets", True)

    class Tell(SerialProcessing):
        def postprocess(self, clipboard):
            n = clipboard.get("newFrame").getInt("n")
            if n < 4:
                payload = PropertySet()
                payload.set("n", n + 1)
                who = EventSystem.getDefaultEventSystem().createOriginatorId()
                event = StatusEvent(self.runId, who, payload)
                EventTransmitter(self.getEventBrokerHost(), "newFrame").publishEvent(event)
"""


def pipeline(bench, in_flight, *stages, head=""):
    """A policy whose stages are (serial, parallel, topic)."""
    bench.module(STAGES)
    lines = ["nSlices: 2", 'arenaSize: "64 MiB"', f"visitsInFlight: {in_flight}", head]
    for number, (serial, parallel, topic) in enumerate(stages, 1):
        lines.append(f'appStage: {{\n    name: "s{number}"')
        lines += [f'    {key}: "stages_here.{cls}"' for key, cls in
                  (("serialClass", serial), ("parallelClass", parallel)) if cls]  # fmt: skip
        lines.append(f'    eventTopic: "{topic}"\n}}')
    (bench.folder / "night.paf").write_text("\n".join(lines) + "\n")


def feed(bench, *numbers):
    (bench.folder / "night.jsonl").write_text("".join(json.dumps({"n": n}) + "\n" for n in numbers))
    return "--feed", "night.jsonl"


def seen(bench):
    return (bench.folder / "seen").read_text().splitlines()


@pytest.mark.parametrize("in_flight", [1, 3])
def test_two_stages_of_one_topic_have_the_events_that_they_have_with_one_visit(bench, in_flight):
    pipeline(bench, in_flight, ("Take", "Work", "newFrame"), ("", "Work", "None"), ("Take", "", "newFrame"))
    done = bench.run(*feed(bench, *range(1, 11)))
    assert done.code == 0, done.err
    assert done.summary["visits"] == 5
    assert sorted(seen(bench)) == sorted(
        f"s{stage} {visit} {2 * visit - (stage == 1)}" for visit in range(1, 6) for stage in (1, 3)
    )


@pytest.mark.parametrize("in_flight", [1, 3])
def test_an_event_that_an_older_visit_publishes_is_waited_for(bench, in_flight):
    pipeline(bench, in_flight, ("Take", "Work", "newFrame"), ("", "Work", "None"), ("Tell", "", "None"))
    done = bench.run(*feed(bench, 1))
    assert done.code == 0, done.err
    assert [line.split()[1:] for line in seen(bench)] == [[str(n), str(n)] for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("in_flight", [1, 3])
def test_the_wait_for_an_event_begins_when_the_visit_before_has_ended(bench, in_flight):
    # A visit takes longer than the wait for the next one's event may.
    slow = [("", "Work", "None")] * 30
    stages = [("Take", "Work", "newFrame"), *slow, ("Tell", "", "None")]
    pipeline(bench, in_flight, *stages, head="eventTimeout: 1")
    bench.run_dir.mkdir()
    subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "publish", "newFrame", "n=2", "--runid", "r1",
         "--run-dir", str(bench.run_dir)], cwd=bench.folder, check=True, timeout=60,
    )  # fmt: skip
    done = bench.run()
    assert done.code == 0, done.err
    assert [line.split()[2] for line in seen(bench)] == ["2", "3", "4"]
    assert "within 1 polls" in done.log()


@pytest.mark.parametrize("in_flight", [1, 3])
def test_the_end_of_the_data_is_told_although_a_visit_waits_for_its_event(bench, in_flight):
    pipeline(bench, in_flight, ("Take", "Work", "newFrame"), ("", "", "None"), head='exitTopic: "exits"')
    options = feed(bench, 1, 99)
    done = bench.run(*options)
    assert done.code == 0, done.err
    assert done.summary["visits"] == 2
    listened = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "listen", "exits", "--timeout", "0",
         "--run-dir", str(bench.run_dir)], cwd=bench.folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert json.loads(listened.stdout)["payload"] == {"message": "exiting_r1"}
