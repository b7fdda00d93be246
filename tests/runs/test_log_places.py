# SPDX-License-Identifier: BSD-3-Clause
"""Visit and stage of the records of a run: those in which they were sent, and no stage outside of stages."""

from __future__ import annotations

import json
import re

import pytest

STAGES = """
class Serial(SerialProcessing):
    def preprocess(self, clipboard):
        self.log.info("in preprocess")
    def postprocess(self, clipboard):
        self.log.info("in postprocess")
class Slice(ParallelProcessing):
    def process(self, clipboard):
        self.log.info("in process")
"""


def policy(bench, *heads: str, slices: int = 1) -> None:
    """Three stages, the first with an event."""
    bench.module(STAGES)
    blocks = [
        f'appStage: {{\nname: "{name}"\nserialClass: "stages_here.Serial"\n'
        f'parallelClass: "stages_here.Slice"\n{topic}}}'
        for name, topic in (("isr", 'eventTopic: "t"\n'), ("fit", ""), ("out", ""))
    ]
    head = [f"nSlices: {slices}", 'arenaSize: "64 MiB"', 'logFormat: "json"', *heads]
    (bench.folder / "night.paf").write_text("\n".join([*head, *blocks]) + "\n")
    (bench.folder / "night.jsonl").write_text('{"visitId": 1}\n{"visitId": 2}\n')


def places(done, name: str) -> list[tuple[str, int | None, int | None]]:
    """First line, visit and stage of each record."""
    records = [json.loads(line) for line in done.log(name).splitlines()]
    return [(one["message"].partition("\n")[0], one.get("visit"), one.get("stage")) for one in records]


def stages_of(found, text: str) -> list[tuple[int | None, int | None]]:
    """Visit and stage of the records whose first line begins with a text."""
    return [(visit, stage) for message, visit, stage in found if message.startswith(text)]


@pytest.mark.contract("13.8.places")
@pytest.mark.parametrize("in_flight", [1, 2])
def test_records_carry_the_stage_in_which_they_were_sent_and_none_outside_of_stages(bench, in_flight):
    policy(bench, f"visitsInFlight: {in_flight}")
    done = bench.run("--feed", "night.jsonl", "-L", "verb3")
    assert done.code == 0, done.err
    master, of_slice = places(done, "Pipeline"), places(done, "Slice0")
    every = [(visit, stage) for visit in (1, 2) for stage in (1, 2, 3)]
    for text in ("in preprocess", "in postprocess"):
        assert sorted(stages_of(master, text)) == every
    assert sorted(stages_of(of_slice, "in process")) == every
    for text in ("stage 1 waits for an event", "event received"):
        assert [place for place in stages_of(master, text) if place[0] < 3] == [(1, 1), (2, 1)]
    for found in (master, of_slice):
        assert stages_of(found, "Starting visit")[:2] == [(1, None), (2, None)]
        assert stages_of(found, "Ending visit")[:2] == [(1, None), (2, None)]
    for text in ("visit 1: user", "visit 2: user", "memory: "):
        assert {stage for _, stage in stages_of(of_slice, text)} == {None}
    assert [stage for _, stage in stages_of(master, "the loop has ended")] == [None]


def test_records_of_postprocess_carry_its_stage_where_slices_run_several_in_one_go(bench):
    bench.module("""
    class Tell(SerialProcessing):
        def postprocess(self, clipboard):
            self.log.info("in postprocess")
    class Work(ParallelProcessing):
        def process(self, clipboard):
            self.log.info("in process")
    class Fail(ParallelProcessing):
        def process(self, clipboard):
            raise ValueError("no sky")
    """)
    head = 'schedule: "fused"\nlogFormat: "json"'
    bench.policy("one - Work", "two - Fail", "three Tell Work", slices=1, head=head)
    done = bench.run("--visits", "2")
    assert done.code == 0, done.err
    master = places(done, "Pipeline")
    assert stages_of(master, "in postprocess") == [(1, 3), (2, 3)]
    assert stages_of(master, "slice 0 failed in visit") == [(1, 2), (2, 2)]
    assert stages_of(places(done, "Slice0"), "in process") == [(1, 1), (2, 1)]


@pytest.mark.contract("5.9.wait", "13.8.blocks", "13.8.handleEvents")
def test_the_wait_for_an_event_is_a_block_of_its_stage_with_start_and_end(bench):
    bench.module(STAGES)
    blocks = [
        f'appStage: {{\nname: "{name}"\nserialClass: "stages_here.Serial"\n'
        f'parallelClass: "stages_here.Slice"\neventTopic: "{topic}"\n}}'
        for name, topic in (("isr", "None"), ("fit", "t"))
    ]
    head = ["nSlices: 1", 'arenaSize: "64 MiB"']
    (bench.folder / "night.paf").write_text("\n".join([*head, *blocks]) + "\n")
    (bench.folder / "night.jsonl").write_text('{"visitId": 7}\n')
    done = bench.run("--feed", "night.jsonl", "-L", "verb2")
    assert done.code == 0, done.err
    told = [line.strip() for line in re.findall(r"(?m)^ *harness\.pipeline.*$", done.log())]
    begin = told.index("harness.pipeline.visit DEBUG: Starting visit 1")
    end = told.index("harness.pipeline.visit DEBUG: Ending visit 2")
    stage = [line.replace("harness.pipeline", "") for line in told[begin : end + 1]]
    of_isr = [
        ".visit.stage DEBUG: Starting stage 1 isr",
        ".visit.stage.preprocess DEBUG: Starting isr.preprocess",
        ": in preprocess",
        ".visit.stage.preprocess DEBUG: Ending isr.preprocess",
        ".visit.stage.postprocess DEBUG: Starting isr.postprocess",
        ": in postprocess",
        ".visit.stage.postprocess DEBUG: Ending isr.postprocess",
        ".visit.stage DEBUG: Ending stage 1 isr",
    ]
    wait = [
        ".visit.stage DEBUG: Starting stage 2 fit",
        ".visit.stage.handleEvents DEBUG: Starting fit.handleEvents",
        " DEBUG: stage 2 waits for an event of topic 't'",
    ]
    assert stage == [
        ".visit DEBUG: Starting visit 1",
        *of_isr,
        *wait,
        " DEBUG: event received, topic 't':",
        ".visit.stage.handleEvents DEBUG: Ending fit.handleEvents",
        ".visit.stage.preprocess DEBUG: Starting fit.preprocess",
        ": in preprocess",
        ".visit.stage.preprocess DEBUG: Ending fit.preprocess",
        " DEBUG: the event of topic 't' goes to the slices",
        ".visit.stage.postprocess DEBUG: Starting fit.postprocess",
        ": in postprocess",
        ".visit.stage.postprocess DEBUG: Ending fit.postprocess",
        ".visit.stage DEBUG: Ending stage 2 fit",
        ".visit DEBUG: Ending visit 1",
        ".visit DEBUG: Starting visit 2",
        *of_isr,
        *wait,
        ": no event of topic 't' is left",
        ".visit.stage.handleEvents DEBUG: Ending fit.handleEvents",
        ".visit.stage DEBUG: Ending stage 2 fit",
        ".visit DEBUG: Ending visit 2",
    ]
    marks = [one for one in done.log().split("\n\n") if ".visit.stage.handleEvents" in one]
    assert [re.search(r"STATUS: (\w+)\n", one)[1] for one in marks] == ["start", "end"] * 2
    assert all(f"\n   {name}: " in one for one in marks for name in ("usertime", "LOOPNUM", "STAGEID"))
    assert "visitId" in done.log().split("event received, topic 't':")[1].partition("\n\n")[0]


def test_a_wait_that_is_stopped_ends_its_blocks(bench):
    policy(bench, slices=0)
    process = bench.start("-L", "verb2")
    log = bench.run_dir / "log" / "Pipeline.log"
    bench.wait_until(lambda: log.exists() and "waits for an event" in log.read_text(), "the wait")
    assert bench.command_line("stop", str(bench.run_dir)).code == 0
    done = bench.finish(process)
    assert done.code == 0, done.err
    marks = [
        (one["message"], one.get("stage"))
        for one in map(json.loads, done.log().splitlines())
        if "STATUS" in one.get("properties", {})
    ]
    assert marks == [
        ("Starting visit 1", None),
        ("Starting stage 1 isr", 1),
        ("Starting isr.handleEvents", 1),
        ("Ending isr.handleEvents", 1),
        ("Ending stage 1 isr", 1),
        ("Ending visit 1", None),
    ]
