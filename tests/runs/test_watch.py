# SPDX-License-Identifier: BSD-3-Clause
"""Pipelines whose visits are files that appear in a directory."""

import json
import os
import signal
import time
from collections import Counter

import numpy
import pytest
from harness.ledger.schema import open_for_reading
from harness.storage import ReadRequest, storage_named

STAGES = """
    class Note(SerialProcessing):
        def preprocess(self, clipboard):
            event = clipboard.get("newFrame")
            with open("seen", "a") as out:
                out.write(f"{harness.current_visit()} {event.getInt('visit')} {event.getString('ccd')}"
                          f" {event.getLongLong('size')} {event.getString('path')}\\n")
            while os.path.exists("hold"):
                time.sleep(0.005)
            clipboard.put("visit", event.getInt("visit"), True)

    class Mean(ParallelProcessing):
        def process(self, clipboard):
            with open(f"mean-{clipboard.get('newFrame').getInt('visit')}-{self.rank}", "w") as out:
                out.write(str(float(clipboard.get("frame").array.mean())))
"""

READ = """
appStage: {
    name: "note"
    serialClass: "stages_here.Note"
    eventTopic: "newFrame"
}
"""
PATTERN = "raw-{visit:d}-{ccd}.fits"


def watching(bench, more="", slices=0, head='exitTopic: "exits"'):
    bench.module(STAGES)
    (bench.folder / "in").mkdir(exist_ok=True)
    bench.policy(slices=slices, head=head, tail=READ + more)
    return "--watch", "in", "--pattern", PATTERN


def put(bench, visit, text="pixels"):
    """A file as the storages write them: under another name first."""
    temporary = bench.folder / "in" / f".raw-{visit}.tmp"
    temporary.write_text(text)
    temporary.rename(bench.folder / "in" / f"raw-{visit}-a.fits")


def seen(bench):
    path = bench.folder / "seen"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split() for line in lines]


def visits(bench):
    return [int(line[1]) for line in seen(bench)]


def inputs(bench):
    """How often the ledger has a complete visit of each input."""
    connection = open_for_reading(bench.run_dir / "ledger.sqlite")
    rows = connection.execute("SELECT input, state FROM visits").fetchall()
    connection.close()
    return Counter(ident for ident, state in rows if state == "complete")


def stop(bench, process):
    asked = bench.command_line("stop", str(bench.run_dir))
    assert asked.code == 0, asked.err
    return bench.finish(process)


def test_files_are_visits_when_they_are_complete(bench):
    options = watching(bench)
    put(bench, 1)
    (bench.folder / "in" / "notes.txt").touch()
    process = bench.start(*options)
    bench.wait_until(lambda: visits(bench) == [1], "the file that was there")
    slow = bench.folder / "in" / "raw-2-a.fits"
    with slow.open("w") as stream:
        stream.write("half")
        stream.flush()
        put(bench, 3)
        bench.wait_until(lambda: visits(bench) == [1, 3], "the file that was moved in")
        stream.write(" and half")
    bench.wait_until(lambda: visits(bench) == [1, 3, 2], "the file that was written slowly")
    done = stop(bench, process)
    assert done.code == 0, done.err
    assert seen(bench)[2] == ["3", "2", "a", "13", str(slow)]
    assert "files of in that match raw-{visit:d}-{ccd}.fits are events of 'newFrame'" in done.log()


def test_a_run_ends_when_no_file_comes(bench):
    options = watching(bench)
    put(bench, 1)
    done = bench.run(*options, "--idle-timeout", "0.5")
    assert done.code == 0, done.err
    assert visits(bench) == [1]
    assert "no event of topic 'newFrame' is left, and no file came for 0.5 s" in done.log()
    told = bench.command_line("listen", "exits", "--timeout", "0", "--run-dir", str(bench.run_dir))
    assert json.loads(told.out)["payload"] == {"message": "exiting_r1"}


@pytest.mark.parametrize(("count", "resume"), [(500, ("--resume",)), (150, ())])
def test_every_file_of_a_burst_is_one_complete_visit_although_the_run_is_killed(bench, count, resume):
    options = (*watching(bench), "--idle-timeout", "1")
    process = bench.start(*options)
    for visit in range(count // 2):
        put(bench, visit)
    bench.wait_until(lambda: len(seen(bench)) >= 50, "some visits", timeout=60)
    os.kill(process.pid, signal.SIGKILL)
    bench.finish(process)
    for visit in range(count // 2, count):
        put(bench, visit)
    done = bench.run(*options, *resume)
    assert done.code == 0, done.err
    complete = inputs(bench)
    assert len(complete) == count and set(complete.values()) == {1}
    # The visit that the kill cut short began twice.
    assert sorted(set(visits(bench))) == list(range(count)) and len(visits(bench)) <= count + 1
    again = bench.run(*options, *resume)
    assert again.code == 0, again.err
    assert inputs(bench) == complete and len(visits(bench)) <= count + 1


def test_an_input_stage_reads_the_file_of_the_event(bench):
    options = watching(
        bench,
        """
        appStage: {
            name: "read"
            parallelClass: "lsst.pex.harness.IOStage.InputStageParallel"
            stagePolicy: { parameters: {
                additionalData: "path=newFrame.path"
                inputItems: { frame: {
                    pythonType: "harness.storage.Image"
                    storagePolicy: { storage: FitsStorage
                                     location: "%(path)" }
                } }
            } }
        }
        appStage: {
            name: "mean"
            parallelClass: "stages_here.Mean"
        }
        """,
        slices=2,
    )
    process = bench.start(*options)
    for visit in (1, 2):
        path = str(bench.folder / "in" / f"raw-{visit}-a.fits")
        storage_named("FitsStorage").write(path, numpy.full((4, 4), visit, "f4"))
    bench.wait_until(lambda: len(list(bench.folder.glob("mean-*"))) == 4, "both visits", timeout=60)
    done = stop(bench, process)
    assert done.code == 0, done.err
    assert (bench.folder / "mean-2-1").read_text() == "2.0"


def test_the_example_reduces_files_that_appear(bench):
    import harness.examples.watched_night as example

    policy = os.path.join(os.path.dirname(example.__file__), "pipeline.paf")
    (bench.folder / "incoming").mkdir()
    pattern = "raw-{visit:06d}-{ccd:02d}.fits"
    process = bench.start("--watch", "incoming", "--pattern", pattern, policy=policy)
    for ccd in (0, 1):
        path = str(bench.folder / "incoming" / f"raw-000085-{ccd:02d}.fits")
        storage_named("FitsStorage").write(path, numpy.array([[7, 7, 9], [7, 7, 7]], "f4"))
    results = [bench.folder / f"subtracted/v000085/c{ccd:02d}.fits" for ccd in (0, 1)]
    bench.wait_until(lambda: all(path.exists() for path in results), "both results", timeout=60)
    done = stop(bench, process)
    assert done.code == 0, done.err
    request = ReadRequest("result", "numpy.ndarray")
    assert storage_named("FitsStorage").read(str(results[1]), request).tolist() == [[0, 0, 2], [0, 0, 0]]


def test_files_that_vanish_or_that_nobody_may_read_are_told(bench):
    options = watching(bench)
    os.mkfifo(bench.folder / "in" / "raw-7-a.fits")
    process = bench.start(*options, "--settle", "0.3")
    log = bench.run_dir / "log" / "Pipeline.log"
    bench.wait_until(lambda: log.exists() and "waits for an event" in log.read_text(), "the wait")
    put(bench, 1)
    time.sleep(0.1)
    (bench.folder / "in" / "raw-1-a.fits").unlink()
    put(bench, 2)
    bench.wait_until(lambda: visits(bench) == [2], "the other file")
    done = stop(bench, process)
    assert done.code == 0
    assert "raw-7-a.fits is not published: it is no regular file" in done.err
    assert "raw-1-a.fits has vanished before it could be published" in done.log()


def test_a_run_that_is_behind_does_not_end_although_no_file_comes(bench):
    options = watching(bench)
    (bench.folder / "hold").touch()
    put(bench, 1)
    process = bench.start(*options, "--idle-timeout", "3")
    bench.wait_until(lambda: len(seen(bench)) == 1, "the first visit")
    time.sleep(3.2)
    (bench.folder / "hold").unlink()
    log = bench.run_dir / "log" / "Pipeline.log"
    bench.wait_until(lambda: log.read_text().count("waits for an event") == 2, "the second wait")
    put(bench, 2)
    done = bench.finish(process)
    assert done.code == 0, done.err
    assert visits(bench) == [1, 2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--watch", "nowhere"), "nowhere: No such file or directory"),
        (("--watch", "in", "--pattern", "raw-{visit:z}"), "field 'visit' has the format 'z'"),
        (("--watch", "in", "--topic", "newFrames"), "no stage waits for topic 'newFrames'; topics are"),
        (("--pattern", "x"), "--pattern goes with --watch DIR"),
        (("--idle-timeout", "3"), "--idle-timeout goes with --watch DIR"),
        (("--topic", "newFrame"), "--topic goes with --watch DIR"),
        (("--watch", "in", "--feed", "x"), "expected --feed or --watch, saw both"),
        (("--watch", "in", "--poll", "0"), "--poll: expected more than 0 seconds"),
        (("--watch", "in", "--settle", "-1"), "--settle: expected 0 or more seconds"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_visit(bench, options, words):
    watching(bench)
    done = bench.run(*options)
    assert (done.code, words in done.err) == (2, True), done.err
    assert seen(bench) == []


def test_a_directory_is_published_without_a_run_and_nothing_is_published_twice(bench):
    watching(bench)
    bench.run_dir.mkdir()
    for visit in (1, 2):
        put(bench, visit)
    publish = ("publish", "newFrame", "--watch", str(bench.folder / "in"), "--pattern", PATTERN,
               "--runid", "r1", "--run-dir", str(bench.run_dir))  # fmt: skip
    for _ in range(2):
        told = bench.command_line(*publish, "--idle-timeout", "0")
        assert (told.code, told.err, told.out) == (0, "", "2 files published\n")
    process = bench.start_command(*publish)
    put(bench, 3)
    listen = ("listen", "newFrame", "--run-dir", str(bench.run_dir), "--timeout", "30", "--count", "3")
    heard = [json.loads(line) for line in bench.command_line(*listen).out.splitlines()]
    process.send_signal(signal.SIGINT)
    told = bench.finish(process)
    assert (told.code, told.err, told.out) == (0, "", "3 files published\n")
    assert [one["payload"]["visit"] for one in heard] == [1, 2, 3]
    assert {one["header"]["RUNID"] for one in heard} == {"r1"}
    both = bench.command_line("publish", "t", "a=1", "--watch", "in")
    assert both.code == 2 and "saw several of them" in both.err
