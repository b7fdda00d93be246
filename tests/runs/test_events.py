# SPDX-License-Identifier: BSD-3-Clause
"""Pipelines that wait for events, are stopped by events, and tell of their end by one."""

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys

import numpy
import pytest
from harness.storage import storage_named

STAGES = """
    def note(text):
        with open("seen", "a") as out:
            out.write(text + "\\n")

    class Serial(SerialProcessing):
        def preprocess(self, clipboard):
            event = clipboard.get("newFrame")
            note(f"pre {event.getInt('visitId')} shared {clipboard.getSharedKeys()}")

    class Slice(ParallelProcessing):
        def process(self, clipboard):
            event = clipboard.get("newFrame")
            note(f"slice {self.rank} {event.getInt('visitId')} {event.getString('filter')}")
            if event.getInt("visitId") == 99:
                clipboard.put("noMoreDatasets", True)

    class Failing(SerialProcessing):
        def preprocess(self, clipboard):
            raise ValueError("on purpose")

    class Dying(SerialProcessing):
        def preprocess(self, clipboard):
            note(f"pre {clipboard.get('newFrame').getInt('visitId')}")
            if clipboard.get("newFrame").getInt("visitId") == 2 and not os.path.exists("died"):
                open("died", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
"""


def pipeline(bench, *stages, head="", slices=2):
    """A policy whose stages are (name, serial, parallel, topic)."""
    bench.module(STAGES)
    lines = [f"nSlices: {slices}", 'arenaSize: "64 MiB"', head]
    for name, serial, parallel, topic in stages:
        lines.append(f'appStage: {{\n    name: "{name}"')
        lines += [f'    {key}: "stages_here.{cls}"' for key, cls in
                  (("serialClass", serial), ("parallelClass", parallel)) if cls]  # fmt: skip
        lines.append(f'    eventTopic: "{topic}"\n}}')
    (bench.folder / "night.paf").write_text("\n".join(lines) + "\n")


def feed(bench, *visits):
    lines = [json.dumps({"visitId": visit, "filter": "r"}) for visit in visits]
    (bench.folder / "night.jsonl").write_text("\n".join(lines) + "\n")
    return "--feed", "night.jsonl"


def command(bench, *arguments):
    bench.run_dir.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli.main", *arguments, "--run-dir", str(bench.run_dir)],
        cwd=bench.folder, env=bench.environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def seen(bench):
    path = bench.folder / "seen"
    return path.read_text().splitlines() if path.exists() else []


def visits(bench):
    return [int(line.split()[1]) for line in seen(bench) if line.startswith("pre")]


def waits(bench):
    """Whether the run waits for an event."""
    log = bench.run_dir / "log" / "Pipeline.log"
    return lambda: log.exists() and "waits for an event" in log.read_text()


@pytest.mark.contract("4.1.exitTopic", "4.2.eventTopic", "7.2.pipeline")
def test_every_event_of_a_feed_is_a_visit_and_the_run_ends_with_the_last(bench):
    pipeline(bench, ("one", "Serial", "Slice", "newFrame"), head='exitTopic: "exits"')
    done = bench.run(*feed(bench, 1, 2, 3))
    assert done.code == 0, done.err
    assert done.summary["visits"] == 3
    assert visits(bench) == [1, 2, 3] and "pre 1 shared []" in seen(bench)
    assert sorted(line for line in seen(bench) if line.startswith("slice")) == [
        f"slice {rank} {visit} r" for rank in range(2) for visit in (1, 2, 3)
    ]
    assert "the loop has ended after 3 visits: no event for stage 1 is left" in done.log()
    told = bench.command_line("status", str(bench.run_dir))
    assert (told.code, "complete: no event for stage 1 is left" in told.out) == (0, True), told.out
    (exit_event,) = map(json.loads, command(bench, "listen", "exits", "--timeout", "0").splitlines())
    assert exit_event["payload"] == {"message": "exiting_r1"} and exit_event["header"]["RUNID"] == "r1"


@pytest.mark.contract("5.4.events", "5.7.shutdown", "17.9")
def test_events_are_received_from_other_processes_and_a_shutdown_event_ends_the_wait(bench):
    pipeline(bench, ("one", "Serial", "Slice", "newFrame"), head='exitTopic: "exits"')
    command(bench, "publish", "newFrame", "visitId=1", "filter=g")
    process = bench.start()
    bench.wait_until(lambda: len(seen(bench)) == 3, "the first visit")
    command(bench, "publish", "newFrame", "visitId=2", "filter=g")
    bench.wait_until(lambda: len(seen(bench)) == 6, "the second visit")
    command(bench, "publish", "triggerShutdownEvent", "level=4", "--runid", "another")
    command(bench, "publish", "triggerShutdownEvent", "level=4")
    command(bench, "publish", "triggerShutdownEvent", "--runid", "r1", "level=9")
    command(bench, "publish", "triggerShutdownEvent", "--runid", "r1")
    command(bench, "publish", "newFrame", "visitId=3", "filter=g")
    bench.wait_until(lambda: len(seen(bench)) == 9, "the third visit")
    command(bench, "publish", "triggerShutdownEvent", "--runid", "r1", "level=3")
    done = bench.finish(process)
    assert done.code == 0, done.err
    assert done.summary["visits"] == 3 and visits(bench) == [1, 2, 3]
    log = done.log()
    assert "expected level 1 (at once), 2" in log and "saw 9" in log and "no property level" in log
    assert command(bench, "listen", "exits", "--timeout", "0") == ""


@pytest.mark.contract("5.7.shutdown", "17.4")
def test_a_shutdown_event_of_level_1_ends_the_run_at_once(bench):
    pipeline(bench, ("one", "Serial", "", "newFrame"), slices=0, head='exitTopic: "exits"')
    process = bench.start()
    bench.wait_until(waits(bench), "the wait")
    command(bench, "publish", "triggerShutdownEvent", "--runid", "r1", "level=1")
    assert bench.finish(process).code == 128 + signal.SIGTERM
    assert command(bench, "listen", "exits", "--timeout", "0") == ""


STOPPED = """
    class Serial(SerialProcessing):
        def setup(self):
            self.visit = 0
        def preprocess(self, clipboard):
            self.visit += 1
            self.note("pre")
            while self.stageId == 1 and not os.path.exists("go"):
                time.sleep(0.005)
        def postprocess(self, clipboard):
            self.note("post")
        def shutdown(self):
            self.note("shutdown")
        def note(self, what):
            with open("steps", "a") as out:
                out.write(f"{self.visit} {what} {self.stageId}" + chr(10))
"""


@pytest.mark.contract("4.1.exitTopic", "5.7.shutdown", "17.8")
@pytest.mark.parametrize(
    ("level", "steps"),
    [
        (2, ["1 pre 1"]),
        (3, ["1 pre 1", "1 post 1"]),
        (4, ["1 pre 1", "1 post 1", "1 pre 2", "1 post 2"]),
    ],
)
def test_a_shutdown_event_in_a_visit_ends_it_where_the_level_says_and_the_run_in_good_order(
    bench, level, steps
):
    bench.module(STOPPED)
    bench.policy("one Serial -", "two Serial -", slices=1, head='exitTopic: "exits"')
    written = bench.folder / "steps"
    process = bench.start()
    bench.wait_until(written.exists, "the first stage")
    log = bench.run_dir / "log" / "Pipeline.log"
    # A later event may be more urgent, and never less.
    for asked in dict.fromkeys((level + 1, level, 4)):
        command(bench, "publish", "triggerShutdownEvent", "--runid", "r1", f"level={asked}")
        heard = "saw 5" if asked == 5 else f"shutdown event of level {asked} on"
        bench.wait_until(lambda words=heard: words in log.read_text(), "the event to be heard")
    (bench.folder / "go").touch()
    done = bench.finish(process)
    assert done.code == 0, done.err
    seen_steps = written.read_text().splitlines()
    visit_of_two = 1 if level == 4 else 0
    assert seen_steps == [*steps, "1 shutdown 1", f"{visit_of_two} shutdown 2"]
    (exit_event,) = map(json.loads, command(bench, "listen", "exits", "--timeout", "0").splitlines())
    assert exit_event["payload"] == {"message": "exiting_r1"}


@pytest.mark.contract("4.1.spool")
def test_events_may_be_published_before_the_run_into_a_directory_that_is_there_and_no_other(bench):
    pipeline(bench, ("one", "Serial", "Slice", "newFrame"))
    words = ["publish", "newFrame", "visitId=7", "filter=r", "--run-dir"]

    def publish(name):
        command = [sys.executable, "-m", "harness.cli.main", *words, name]
        return subprocess.run(command, cwd=bench.folder, capture_output=True, text=True, timeout=60)

    (bench.folder / "file").touch()
    for name, seen_there in (("rnu", "nothing"), ("file", "something else")):
        refused = publish(name)
        assert refused.returncode == 2 and refused.stdout == ""
        told = f"--run-dir {name}: expected the directory of a run, saw {seen_there} at"
        assert f"{told} {bench.folder / name};" in refused.stderr and "start the run first" in refused.stderr
    assert not (bench.folder / "rnu").exists()
    bench.run_dir.mkdir()
    assert publish("run").returncode == 0
    assert bench.run("--visits", "1").code == 0
    assert visits(bench) == [7]


def test_a_run_without_events_makes_no_spool_and_obeys_a_shutdown_event_all_the_same(bench):
    bench.module("""
    class Slow(SerialProcessing):
        def preprocess(self, clipboard):
            open("began", "w").close()
            time.sleep(0.01)
    """)
    (bench.folder / "night.paf").write_text('appStage: {\nname: "slow"\nserialClass: "stages_here.Slow"\n}\n')
    process = bench.start()
    bench.wait_until(lambda: (bench.folder / "began").exists(), "the first visit")
    assert not (bench.run_dir / "events").exists()
    command(bench, "publish", "triggerShutdownEvent", "--runid", "r1", "level=4")
    done = bench.finish(process)
    assert done.code == 0 and "shutdown event of level 4" in done.log()


def test_a_shutdown_event_of_an_earlier_run_stops_nothing(bench):
    pipeline(bench, ("one", "Serial", "Slice", "newFrame"))
    command(bench, "publish", "triggerShutdownEvent", "--runid", "r1", "level=2")
    assert bench.run(*feed(bench, 1, 2)).summary["visits"] == 2


def test_a_killed_run_gets_the_event_of_its_visit_again_and_no_other(bench):
    pipeline(bench, ("one", "Dying", "Slice", "newFrame"))
    options = feed(bench, 1, 2, 3)
    assert bench.run(*options).code == -signal.SIGKILL
    done = bench.run(*options)
    assert done.code == 0, done.err
    assert visits(bench) == [1, 2, 2, 3]
    assert bench.run(*options).summary["visits"] == 0


def test_a_resumed_run_counts_on_and_gets_the_event_of_the_visit_that_was_cut_off(bench):
    pipeline(bench, ("one", "Dying", "Slice", "newFrame"))
    options = feed(bench, 1, 2, 3)
    assert bench.run(*options).code == -signal.SIGKILL
    done = bench.run(*options, "--resume")
    assert done.code == 0, done.err
    assert visits(bench) == [1, 2, 2, 3]
    with contextlib.closing(sqlite3.connect(bench.run_dir / "ledger.sqlite")) as ledger:
        rows = ledger.execute("SELECT visit, state, input FROM visits ORDER BY run, visit").fetchall()
    assert [row[:2] for row in rows] == [(1, "complete"), (2, "failed"), (3, "complete"), (4, "complete")]
    assert rows[1][2] == rows[2][2] and len({row[2] for row in rows}) == 3
    # The event has had its visit: nothing is left to do, and nothing is counted twice.
    told = bench.command_line("status", str(bench.run_dir), "--check")
    assert told.code == 0 and "visits: 3 complete\n" in told.out, told.out
    assert bench.run(*options, "--resume").code == 0 and visits(bench) == [1, 2, 2, 3]


FAULTY = """
    class Faulty(SerialProcessing):
        def preprocess(self, clipboard):
            number = clipboard.get("newFrame").getInt("visitId")
            with open("seen", "a") as out:
                out.write(f"pre {number}" + chr(10))
            if os.path.exists(f"fail-{number}"):
                raise ValueError("on purpose")
            with open(f"frame-{number}", "w") as out:
                out.write("whole")
            harness.record_output(f"frame-{number}")
"""


def faulty(bench, head=""):
    """A run over the events 1 to 4, whose second visit fails; the cause is mended."""
    pipeline(bench, ("one", "Faulty", "", "newFrame"), slices=0, head=f"eventTimeout: 1\n{head}")
    bench.module(FAULTY)
    (bench.folder / "fail-2").touch()
    for number in range(1, 5):
        command(bench, "publish", "newFrame", f"visitId={number}")
    assert bench.run().summary["visits"] == 4
    told = bench.command_line("status", str(bench.run_dir))
    assert told.code == 3 and "visits: 3 complete, 1 partial" in told.out, told.out
    (bench.folder / "fail-2").unlink()
    (bench.folder / "seen").unlink()


@pytest.mark.parametrize("in_flight", [1, 3])
def test_an_event_whose_visit_failed_comes_again_to_a_resumed_run_and_no_other_does(bench, in_flight):
    faulty(bench, f"visitsInFlight: {in_flight}")
    command(bench, "publish", "newFrame", "visitId=5")
    done = bench.run("--resume")
    assert done.code == 0, done.err
    assert visits(bench) == [2, 5]
    assert "run again when its event comes, under a new number: visit 2: failed: master" in done.log()
    told = bench.command_line("status", str(bench.run_dir), "--check")
    assert told.code == 0 and "visits: 5 complete\n" in told.out, told.out
    assert bench.run("--resume").code == 0 and visits(bench) == [2, 5]


def test_a_visit_that_was_cut_off_before_its_event_came_is_no_work_that_is_left(bench):
    pipeline(bench, ("one", "Before", "", "None"), ("two", "Serial", "", "newFrame"), slices=0)
    bench.module(STAGES + """
    class Before(SerialProcessing):
        def preprocess(self, clipboard):
            if harness.current_visit() == 2 and not os.path.exists("died"):
                open("died", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
    """)
    options = feed(bench, 1, 2, 3)
    assert bench.run(*options).code == -signal.SIGKILL
    assert bench.run(*options, "--resume").code == 0
    assert visits(bench) == [1, 2, 3]
    # The last visit has waited in vain.
    told = bench.command_line("status", str(bench.run_dir), "--check")
    assert "visits: 3 complete, 1 partial\n" in told.out and "visit 5 is partial" in told.out, told.out


def test_an_event_that_fails_again_counts_once(bench):
    faulty(bench)
    (bench.folder / "fail-2").touch()
    for _ in range(2):
        assert bench.run("--resume").code == 0
    assert visits(bench) == [2, 2]
    told = bench.command_line("status", str(bench.run_dir), "--check")
    assert told.code == 3 and "visits: 3 complete, 1 partial\n" in told.out, told.out
    # So many visits are wanted in all, and attempts that failed are none.
    (bench.folder / "fail-2").unlink()
    command(bench, "publish", "newFrame", "visitId=5")
    assert bench.run("--resume", "--visits", "4").code == 0
    assert visits(bench) == [2, 2, 2]


def test_the_events_of_visits_whose_outputs_are_gone_come_again(bench):
    faulty(bench)
    (bench.folder / "frame-3").unlink()
    (bench.folder / "frame-4").write_text("half")
    assert bench.run("--resume").code == 0
    assert visits(bench) == [2, 3, 4]
    told = bench.command_line("status", str(bench.run_dir), "--check")
    assert told.code == 0 and "visits: 4 complete\n" in told.out, told.out
    assert bench.run("--resume").code == 0 and visits(bench) == [2, 3, 4]


@pytest.mark.parametrize("how", ["fed", "not fed"])
def test_an_event_that_the_spool_has_forgotten_comes_by_a_feed_or_is_named(bench, how):
    pipeline(bench, ("one", "Faulty", "", "newFrame"), slices=0, head="eventTimeout: 1")
    bench.module(FAULTY)
    (bench.folder / "fail-2").touch()
    options = feed(bench, 1, 2, 3)
    assert bench.run(*options).summary["visits"] == 3
    (bench.folder / "fail-2").unlink()
    with contextlib.closing(sqlite3.connect(bench.run_dir / "events" / "events.sqlite3")) as spool, spool:
        assert spool.execute("DELETE FROM events").rowcount == 3
    done = bench.run(*(options if how == "fed" else ()), "--resume")
    assert done.code == 0, done.err
    assert visits(bench) == [1, 2, 3, *([2] if how == "fed" else [])]
    named = "1 event of visits that are to run again will not come by itself" in done.log()
    assert named == (how == "not fed") == ("will not come" in done.err)


def test_an_event_whose_visit_the_ledger_has_as_complete_is_not_run_again(bench):
    pipeline(bench, ("one", "Serial", "Slice", "newFrame"))
    options = feed(bench, 1, 2, 3)
    assert bench.run(*options).summary["visits"] == 3
    with contextlib.closing(sqlite3.connect(bench.run_dir / "events" / "events.sqlite3")) as spool, spool:
        # As if the run had been killed after the ledger was written, and before the event was acknowledged.
        assert spool.execute("UPDATE subscriptions SET low = 1").rowcount == 1
    done = bench.run(*options)
    assert done.code == 0 and visits(bench) == [1, 2, 3]
    assert done.log().count("was complete before and is not run again") == 2


@pytest.mark.contract("4.1.eventTimeout", "5.4.events", "17.8")
def test_an_event_that_does_not_come_in_time_ends_the_run_without_exit_event(bench):
    pipeline(bench, ("one", "Serial", "Slice", "newFrame"), head='eventTimeout: 1\nexitTopic: "exits"')
    done = bench.run()
    assert done.code == 0 and done.summary["visits"] == 0
    assert "no event of topic 'newFrame' has arrived within 1 polls" in done.log()
    assert command(bench, "listen", "exits", "--timeout", "0") == ""


@pytest.mark.contract("7.2.pipeline", "17.29")
def test_two_stages_of_one_topic_have_an_event_each_and_a_visit_cut_short_gets_its_own_again(bench):
    pipeline(bench, ("one", "Serial", "Slice", "newFrame"), ("two", "Serial", "Slice", "newFrame"))
    options = feed(bench, 1, 2, 3)
    done = bench.run(*options)
    assert done.code == 0 and visits(bench) == [1, 2, 3]
    assert "no event for stage 2 is left" in done.log()
    done = bench.run(*options)
    assert done.code == 0 and visits(bench) == [1, 2, 3, 3]


@pytest.mark.contract("7.2.pipeline")
def test_slices_get_their_event_when_the_master_has_failed(bench):
    pipeline(bench, ("bad", "Failing", "", "None"), ("one", "", "Slice", "newFrame"))
    done = bench.run(*feed(bench, 1))
    assert done.code == 0, done.err
    assert sorted(seen(bench)) == ["slice 0 1 r", "slice 1 1 r"]


def test_no_more_datasets_acknowledges_the_event_that_said_so(bench):
    pipeline(bench, ("one", "Serial", "Slice", "newFrame"), ("two", "", "", "None"))
    options = feed(bench, 99, 1)
    assert bench.run(*options).summary["visits"] == 1
    assert bench.run(*options).code == 0
    assert visits(bench) == [99, 1]


def test_a_worker_that_dies_while_a_stage_waits_is_replaced_for_the_event(bench):
    bench.module("""
    import stages_here, threading

    class Dies(stages_here.Slice):
        def setup(self):
            if self.rank == 0 and not os.path.exists("died"):
                with open("died.tmp", "w") as out:
                    out.write(str(os.getpid()))
                os.rename("died.tmp", "died")
                threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGSEGV)).start()
    """, "late")
    pipeline(bench, ("one", "Serial", "Slice", "newFrame"))
    policy = (bench.folder / "night.paf").read_text()
    (bench.folder / "night.paf").write_text(policy.replace("stages_here.Slice", "late.Dies"))
    process = bench.start("--visits", "1", "--workers", "2")
    bench.wait_until(waits(bench), "the wait")
    dying = int((bench.folder / "died").read_text())
    bench.wait_until(lambda: dying not in bench.processes(), "the death of a worker")
    command(bench, "publish", "newFrame", "visitId=1", "filter=r")
    done = bench.finish(process)
    assert done.code == 0, done.err
    assert sorted(line for line in seen(bench) if line[0] == "s") == ["slice 0 1 r", "slice 1 1 r"]


def test_a_signal_ends_the_wait_for_an_event(bench):
    pipeline(bench, ("one", "Serial", "Slice", "newFrame"))
    process = bench.start()
    bench.wait_until(waits(bench), "the wait")
    process.send_signal(signal.SIGTERM)
    done = bench.finish(process)
    assert done.code == 0 and "the loop has ended after 0 visits: SIGTERM, level 2" in done.log()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"visitId": 1}\n{"visitId"}\n', "night.jsonl:2: event data"),
        ('{"topic": "newFlame", "payload": {}}\n', "night.jsonl:1: topic 'newFlame': no stage waits for it"),
    ],
)
def test_a_feed_that_is_wrong_ends_the_run_before_it_begins(bench, text, words):
    pipeline(bench, ("one", "Serial", "Slice", "newFrame"))
    (bench.folder / "night.jsonl").write_text(text)
    done = bench.run("--feed", "night.jsonl")
    assert done.code == 2 and words in done.err
    assert seen(bench) == []


def test_a_feed_for_a_pipeline_without_topics_is_refused(bench):
    pipeline(bench, ("one", "Failing", "", "None"))
    done = bench.run(*feed(bench, 1))
    assert done.code == 2 and "no stage of the pipeline waits for an event" in done.err


@pytest.mark.contract("4.1.spool")
def test_two_runs_of_one_name_over_a_shared_spool_are_refused(bench):
    pipeline(bench, ("one", "Serial", "Slice", "newFrame"), slices=0, head='eventBrokerHost: "spool:shared"')
    process = bench.start()
    bench.wait_until(waits(bench), "the wait")
    first, bench.run_dir = bench.run_dir, bench.folder / "other"
    second = bench.run()
    bench.run_dir = first
    assert second.code == 2 and f"is open in process {process.pid}" in second.err
    assert not (bench.run_dir / "events").exists()
    subprocess.run(
        [sys.executable, "-m", "harness.cli.main", "publish", "triggerShutdownEvent", "--spool", "shared",
         "--runid", "r1", "level=4"], cwd=bench.folder, check=True, timeout=60,
    )  # fmt: skip
    assert bench.finish(process).code == 0


@pytest.mark.contract("7.3.calls", "17.29")
def test_stages_publish_through_the_host_that_they_are_told(bench):
    bench.module("""
    from lsst.ctrl.events import EventTransmitter, StatusEvent, EventSystem
    from lsst.daf.base import PropertySet

    class Tells(ParallelProcessing):
        def process(self, clipboard):
            payload = PropertySet()
            payload.set("rank", self.rank)
            who = EventSystem.getDefaultEventSystem().createOriginatorId()
            event = StatusEvent(self.runId, who, payload)
            EventTransmitter(self.getEventBrokerHost(), "ranks").publishEvent(event)
    """)
    bench.policy("one - Tells", slices=3)
    done = bench.run()
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in command(bench, "listen", "ranks", "--timeout", "0").splitlines()]
    assert sorted(line["payload"]["rank"] for line in lines) == [0, 1, 2]
    assert {line["header"]["RUNID"] for line in lines} == {"r1"}


EXAMPLE = """#<?cfg paf policy ?>
execute: {
    nSlices: 4
    executionMode: "oneloop"
    localLogMode: true
    logThreshold: -3
    eventBrokerHost: "spool:broker"
    shutdownTopic: "stopWarp"
    appStage: {
        name: "ReadFrame"
        parallelClass: "lsst.pex.harness.IOStage.InputStageParallel"
        eventTopic: "newFrame"
        stagePolicy: @policy/read.paf
    }
    appStage: {
        name: "Warp"
        serialClass: "stages_here.WarpSerial"
        parallelClass: "stages_here.WarpParallel"
        eventTopic: "None"
        stagePolicy: @policy/warp.paf
    }
    failureStage: {
        name: "Sweep"
        parallelClass: "stages_here.SweepParallel"
        stagePolicy: "None"
    }
    dir: { defaultRoot: /data/runs
           runDirPattern: "%(runid)s/%(shortname)s"
           shortName: warp
           work: work
           input: input
           output: output
           update: update
           scratch: scratch
    }
}
"""
READ = """parameters: {
    additionalData: "visit=newFrame.visitId"
    inputItems: {
        raw: {
            pythonType: "harness.storage.Image"
            storagePolicy: {
                storage: "FitsStorage"
                location: "%(input)/raw-%(visit)-%(sliceId).fits"
            }
        }
    }
}
"""


@pytest.mark.contract("4.5.example")
def test_the_example_of_a_policy_runs_with_a_spool_in_place_of_its_broker(bench):
    bench.module("""
    class WarpSerial(SerialProcessing):
        def preprocess(self, clipboard):
            assert self.policy.getDouble("scale") == 2.5

    class WarpParallel(ParallelProcessing):
        def process(self, clipboard):
            if self.rank == 3:
                raise ValueError("on purpose")
            value = clipboard.get("raw").array[0, 0] * self.policy.getDouble("scale")
            with open(f"warped-{self.rank}", "w") as out:
                out.write(f"{value:g}")

    class SweepParallel(ParallelProcessing):
        def process(self, clipboard):
            with open(f"swept-{self.rank}", "w") as out:
                out.write(clipboard.get("failedInStage"))
    """)
    (bench.folder / "policy").mkdir()
    (bench.folder / "policy" / "read.paf").write_text(READ)
    (bench.folder / "policy" / "warp.paf").write_text("scale: 2.5\n")
    (bench.folder / "warp.paf").write_text(EXAMPLE.replace("/data/runs", str(bench.folder)))
    places = bench.folder / "r1" / "warp" / "input"
    places.mkdir(parents=True)
    for rank in range(4):
        image = numpy.full((2, 3), 10 + rank, "f4")
        storage_named("FitsStorage").write(str(places / f"raw-85-{rank}.fits"), image)
    sent = bench.command_line("publish", "newFrame", "visitId=85", "--spool", str(bench.folder / "broker"))
    assert sent.code == 0, sent.err
    done = bench.run(policy="warp.paf")
    assert done.code == 0, done.err
    left = {path.name: path.read_text() for path in bench.folder.glob("*-?")}
    assert left == {"warped-0": "25", "warped-1": "27.5", "warped-2": "30", "swept-3": "Warp"}
