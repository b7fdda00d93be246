# SPDX-License-Identifier: BSD-3-Clause
"""Records of one text reach a run's ring without a record object, and say what a record would say."""

from __future__ import annotations

import copy
import ctypes
import logging
import os
import random
import re
import threading

import pytest
from harness import _core
from harness._records import seconds_text
from harness.log import BlockTimingLog, Log, LogDestination
from harness.log.formats import IndentedFormatter
from harness.log.forward import forward_to_logging
from harness.log.run_logs import off_console, open_run_log, run_files
from harness.runtime.halves.blocks import STAGE, Blocks


@pytest.fixture
def ring():
    """The ring of a run's master."""
    run = _core.Run(64 << 20, 1, 1, 1, [])
    run.attach_master()
    yield run.log_ring(0)


def opened(folder, ring, **options) -> Log:
    """A slice's log as a run has it."""
    log = open_run_log(
        kind="slice", rank=3, run_id="r1", pipeline_name="night", threshold=-10, logdir=folder,
        screen_threshold=None, **options,
    )  # fmt: skip
    for file in run_files(log):
        file.use_ring(ring, lambda: None)
    return log


def taken(ring) -> list[str]:
    """The texts that wait in a ring, without what differs from record to record."""
    frames, position, broken = ring.peek()
    ring.commit(position)
    assert not broken
    varying = r"(?m)^( +(?:DATE|TIMESTAMP|\w+time|m..flt|maxrss|nswap|blocks\w+)): .*$"
    return [re.sub(varying, r"\1", text.decode()) for *_, text in frames]


class Long(BlockTimingLog):
    """A log that has no short way."""

    def send(self, record) -> None:
        super().send(record)


def both_ways(log: Log, ring, importance: int, text: str, properties=(), usage: int = 0) -> tuple[str, str]:
    """A record by the short way and by the long one."""
    assert log.send_plain(importance, text, properties, usage)
    long = Long(log)
    long.setUsageFlags(usage)
    assert not long.send_plain(importance, text, properties, usage)
    record = long.new_record(importance)
    record.addComment(text)
    for name, value in properties:
        record.addProperty(name, value)
    long.addUsageProps(record)
    long.send(record)
    short, other = taken(ring)
    return short, other


@pytest.mark.parametrize("importance", [-10, -3, -1, 0, 5, 9])
@pytest.mark.parametrize("text", ["", "plain", "two\nlines", "Wörter \U0001f52d", "lone \udc80", "%s {x}"])
def test_texts_are_those_of_records(tmp_path, ring, importance, text):
    log = opened(tmp_path, ring)
    log.context.set("LOOPNUM", 7)
    log.context.set("STAGEID", 2)
    short, long = both_ways(log, ring, importance, text, [("STATUS", "start"), ("count", 3), ("ratio", 0.1)])
    assert short == long and "LOOPNUM: 7" in short and short.endswith("  DATE\n\n")


def test_all_figures_of_usage_are_there(tmp_path, ring):
    short, long = both_ways(opened(tmp_path, ring), ring, 0, "done", (), BlockTimingLog.ALLUDATA)
    assert short == long and "blocksout" in short


@pytest.mark.parametrize(
    ("seconds", "micros"),
    [(0, 0), (0, 1), (0, 9), (0, 10), (0, 11), (0, 99), (0, 100), (0, 101), (0, 999999), (1, 0), (1, 500000),
     (12, 1), (86400, 120000), (1000000, 3)],
)  # fmt: skip
def test_times_are_written_as_python_prints_them(seconds, micros):
    assert seconds_text(seconds, micros) == repr(round(seconds + micros / 1e6, 6))


def test_any_time_is_written_as_python_prints_it():
    draw = random.Random(7)
    for digits in (0, 1, 3, 6, 9):
        for _ in range(400):
            seconds, micros = draw.randrange(10**digits), draw.randrange(10 ** draw.randrange(1, 7))
            assert seconds_text(seconds, micros) == repr(round(seconds + micros / 1e6, 6))


@pytest.mark.parametrize("length", [0, 3000, 4096, 5000, 32 * 1024 - 4500])
def test_texts_of_any_length_are_those_of_records(tmp_path, ring, length):
    log = opened(tmp_path, ring)
    log.context.set("LOOPNUM", 7)
    short, long = both_ways(log, ring, -3, "ä" * (length // 2), [("STATUS", "x" * min(length, 4000))])
    assert short == long


def test_a_text_that_is_too_long_for_the_ring_goes_to_the_file(tmp_path, ring):
    log = opened(tmp_path, ring)
    log.info("x" * 40_000)
    assert taken(ring) == []
    text = (tmp_path / "Slice3.log").read_text()
    assert text.startswith(f"harness.slice: {'x' * 40_000}\n  PIPELINE: night\n") and text.endswith("\n\n")


@pytest.mark.parametrize("number", [0, -1, 10, -(2**31), 2**31 - 1, 2**31, True, 0.5])
def test_numbers_of_the_context_are_written_as_records_write_them(tmp_path, ring, number):
    log = opened(tmp_path, ring)
    log.context.set("STAGEID", 1)
    log.info("before")
    log.context.note("STAGEID", number)
    log.context.set("another", -7)
    log.info("short")
    Long(log).info("short")
    before, short, long = taken(ring)
    assert short == long and "STAGEID: 1\n  LEVEL" in before
    text = "true" if number is True else str(number)
    assert f"  STAGEID: {text}\n" in short and "  another: -7\n" in short


@pytest.mark.parametrize("name", ["SLICEID", "größe", "usertime"])
def test_a_context_with_an_odd_name_is_written_as_records_write_it(tmp_path, ring, name):
    log = opened(tmp_path, ring)
    log.context.set(name, 5)
    log.info("text")
    Long(log).info("text")
    short, long = taken(ring)
    assert short == long and f"  {name}" in short
    assert log.send_plain(0, "text") == (name == "usertime")
    assert not log.send_plain(0, "text", (), BlockTimingLog.UTIME)


@pytest.mark.parametrize("importance", [True, 0.5, 2**40])
def test_odd_importances_take_the_long_way(tmp_path, ring, importance):
    log = opened(tmp_path, ring)
    assert not log.send_plain(importance, "text")
    assert taken(ring) == []


def test_the_time_of_a_record_is_now(tmp_path, ring):
    log = opened(tmp_path, ring)
    log.info("first")
    first = dict(re.findall(r"  (\w+): (.*)\n", ring.peek()[0][0][3].decode()))
    record = Long(log).new_record(0)
    properties = record.getProperties()
    elapsed_ns = properties.getDateTime("TIMESTAMP").nsecs() - int(first["TIMESTAMP"])
    assert 0 <= elapsed_ns < 60e9 and first["DATE"] <= properties.getString("DATE")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}", first["DATE"])


def test_what_changes_in_the_context_and_the_preamble_is_in_the_next_record(tmp_path, ring):
    log = opened(tmp_path, ring)
    log.context.note("STAGEID", 1)
    log.info("one")
    log.context.note("STAGEID", 2)
    log.info("two")
    log.setPreamblePropertyString("WHERE", "here")
    log.info("three")
    log.context.set("EXTRA", "text")
    log.info("four")
    log.context.remove("EXTRA")
    log.info("five")
    one, two, three, four, five = taken(ring)
    assert "STAGEID: 1" in one and "STAGEID: 2" in two and "WHERE" not in two
    assert "WHERE: here" in three and "EXTRA" not in three and "EXTRA: text" in four and "EXTRA" not in five


def test_names_that_clash_take_the_long_way(tmp_path, ring):
    log = opened(tmp_path, ring)
    assert not log.send_plain(0, "text", [("SLICEID", 1)])
    assert not log.send_plain(0, "text", [("COMMENT", "x")])
    log.setPreamblePropertyString("usertime", "x")
    assert log.send_plain(0, "text") and not log.send_plain(0, "text", (), BlockTimingLog.UTIME)


def test_whoever_else_listens_gets_a_record(tmp_path, ring):
    log = opened(tmp_path, ring)
    forward_to_logging(log)
    log.info("nobody listens")
    heard: list[str] = []

    class Listens(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    logger = logging.getLogger("harness.slice")
    handler, level = Listens(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        log.info("somebody listens")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    log.info("nobody again")
    assert heard == ["somebody listens"]
    assert [text.partition("\n")[0] for text in taken(ring)] == [
        f"harness.slice: {who}" for who in ("nobody listens", "somebody listens", "nobody again")
    ]


class Takes(LogDestination):
    """Keeps the first lines of what it gets."""

    def __init__(self) -> None:
        super().__init__(None, IndentedFormatter(), -10)
        self.got: list[str] = []

    def write(self, record) -> bool:
        self.got.append(record.getProperties().getArrayString("COMMENT")[0])
        return True


def raise_file_threshold(log, monkeypatch) -> None:
    run_files(log)[0].setThreshold(5)


def add_destination(log, monkeypatch) -> None:
    log.addDestination(Takes())


def replace_destinations(log, monkeypatch) -> None:
    log.replace_destinations([Takes(), *log.destinations])


def take_all_destinations(log, monkeypatch) -> None:
    log.replace_destinations([])


def show_on_console(log, monkeypatch) -> None:
    run_files(log)[0].show_on_console(0)


def publish(log, monkeypatch) -> None:
    run_files(log)[0].publish(lambda record: None)


def leave_the_ring(log, monkeypatch) -> None:
    run_files(log)[0].use_ring(None)


def change_the_class(log, monkeypatch) -> None:
    monkeypatch.setattr(BlockTimingLog, "send", lambda self, record: None, raising=False)


def change_every_log(log, monkeypatch) -> None:
    monkeypatch.setattr(Log, "new_record", lambda self, importance: None)


@pytest.mark.parametrize(
    "change",
    [raise_file_threshold, add_destination, replace_destinations, take_all_destinations, show_on_console,
     publish, leave_the_ring, change_the_class, change_every_log],
)  # fmt: skip
def test_whatever_changes_is_seen_by_the_next_record(tmp_path, ring, monkeypatch, change):
    log = opened(tmp_path, ring)
    assert log.send_plain(0, "before")
    change(log, monkeypatch)
    assert not log.send_plain(0, "after")
    assert len(taken(ring)) == 1


class EndsTheRun(Takes):
    """Takes the ring from the file between the look at it and the record, as another thread may."""

    def __init__(self, file) -> None:
        super().__init__()
        self.file = file

    def wants_none(self, name, importance) -> bool:
        self.file.use_ring(None)
        return True


def test_a_record_whose_ring_goes_meanwhile_is_in_the_file(tmp_path, ring):
    log = opened(tmp_path, ring)
    log.addDestination(EndsTheRun(run_files(log)[0]))
    log.info("late")
    assert not taken(ring)
    assert "harness.slice: late\n" in (tmp_path / "Slice3.log").read_text()


def test_a_line_for_the_console_goes_with_records_that_are_plain_otherwise(tmp_path, ring):
    log = opened(tmp_path, ring)
    run_files(log)[0].show_on_console(0)
    log.info("told")
    whole, line = taken(ring)
    assert whole.startswith("harness.slice: told\n") and line == "slice 3: told"
    off_console(log).info("not told")
    assert len(taken(ring)) == 1


def test_copies_go_their_own_ways(tmp_path, ring):
    log = opened(tmp_path, ring)
    twin = copy.copy(log)
    twin.setPreamblePropertyString("WHERE", "there")
    twin.addDestination(Takes())
    log.info("one")
    assert not twin.send_plain(0, "two")
    twin.info("two")
    one, two = taken(ring)
    assert "WHERE" not in one and "WHERE: there" in two
    assert twin.destinations[-1].got == ["two"]


def forked(fork) -> int:
    """Forks; in the parent, waits for the child and returns its number."""
    child = fork()
    if child:
        os.waitpid(child, 0)
    return child


@pytest.mark.parametrize("fork", [os.fork, ctypes.PyDLL(None).fork], ids=["python", "C"])
def test_a_forked_process_leaves_the_ring_alone(tmp_path, ring, fork):
    log = opened(tmp_path, ring)
    log.info("parent")
    if not forked(fork):
        log.info("child")
        os._exit(0)
    assert len(taken(ring)) == 1
    assert "harness.slice: child\n" in (tmp_path / "Slice3.log").read_text()


def test_a_ring_that_fills_up_is_asked_to_be_emptied_once(tmp_path, ring):
    log, wakes = opened(tmp_path, ring), []
    for file in run_files(log):
        file.use_ring(ring, lambda: wakes.append(ring.waiting()))
    for _ in range(2):
        while ring.waiting() < 100 * 1024:
            log.info("x" * 500)
        taken(ring)
    assert len(wakes) == 2 and all(64 * 1024 <= waiting < 66 * 1024 for waiting in wakes)


def test_marks_of_blocks_are_those_of_records(tmp_path, ring):
    log = opened(tmp_path, ring)
    log.context.set("LOOPNUM", 7)
    blocks = Blocks(log)
    blocks.mark(STAGE, "start", -1, "stage s", "s")
    log.setPreamblePropertyString("exposure", "17")
    blocks.mark(STAGE, "end", -3, "stage s")
    log.setPreamblePropertyString("STATUS", "odd")
    blocks.mark(STAGE, "end", -3, "stage s")
    start, end, odd = taken(ring)
    assert start.startswith(" harness.slice.visit.stage DEBUG: Starting stage s\n   PIPELINE: night\n")
    assert start.endswith(
        "   LOOPNUM: 7\n   STATUS: start\n   stagename: s\n   usertime\n   systemtime\n   minflt\n   majflt\n"
        "   LEVEL: -1\n   TIMESTAMP\n   DATE\n\n"
    )
    assert "exposure" not in start and "     exposure: 17\n" in end and "stagename" not in end
    assert "     STATUS: odd\n" in odd and "     STATUS: end\n" in odd


@pytest.mark.parametrize("layout", ["brief", "prepended", "netlogger", "json"])
def test_other_layouts_take_the_long_way(tmp_path, ring, layout):
    log = opened(tmp_path, ring, layout=layout)
    assert not log.send_plain(0, "text")
    log.info("text")
    assert len(taken(ring)) == 1


def test_warnings_take_the_long_way(tmp_path, ring):
    log = opened(tmp_path, ring)
    assert not log.send_plain(10, "text") and not log.send_plain(-25, "text")


def test_a_flood_is_bounded_on_the_short_way(tmp_path, ring):
    log = opened(tmp_path, ring, flood=2)
    for number in range(5):
        log.info(f"text {number}")
    texts = taken(ring)
    assert len(texts) == 3 and "more than 2 records" in texts[2]


def test_floods_are_bounded_alike_on_both_ways(tmp_path, ring):
    told = []
    for kind in (BlockTimingLog, Long):
        folder = tmp_path / kind.__name__
        folder.mkdir()
        log = kind(opened(folder, ring, flood=2, in_flight=2))
        log.info("before the first visit")
        for visit in (1, 2, 1, 1, 2, 3, 3, 3, 3, 3, 4):
            log.context.set("LOOPNUM", visit)
            for number in range(2):
                log.info(f"{visit}, {number}")
        for file in run_files(log):
            file.close()
        told.append(taken(ring))
    assert told[0] == told[1]
    heads = [text.partition("\n")[0] for text in told[0]]
    assert sum("more than 2 records" in head for head in heads) == 3
    assert any("8 records in visit 3 were not written" in head for head in heads)


def test_threads_that_log_beside_a_changing_context_see_one_of_its_states(tmp_path, ring):
    log = opened(tmp_path, ring)
    log.context.set("STAGEID", 0)
    states = []

    def look() -> None:
        for _ in range(2000):
            states.append(log.context.state[1]["STAGEID"])

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(2000):
        log.context.note("STAGEID", number)
    for thread in threads:
        thread.join()
    assert len(states) == 6000 and log.context.state[1]["STAGEID"] == 1999


def test_a_number_that_is_forgotten_is_in_no_record_until_it_is_noted_again(tmp_path, ring):
    log = opened(tmp_path, ring)
    log.context.set("LOOPNUM", 7)
    log.context.set("STAGEID", 2)
    assert "STAGEID: 2" in both_ways(log, ring, 0, "two")[0]
    log.context.forget("STAGEID")
    log.context.forget("unknown")
    short, long = both_ways(log, ring, 0, "none")
    assert short == long and "STAGEID" not in short and "  LOOPNUM: 7\n  LEVEL" in short
    log.context.note("STAGEID", 3)
    short, long = both_ways(log, ring, 0, "three")
    assert short == long and "  LOOPNUM: 7\n  STAGEID: 3\n" in short


@pytest.mark.parametrize("change", [
    lambda context: context.set("STAGEID", 9),
    lambda context: context.note("STAGEID", 9),
    lambda context: context.set("other", "text") or context.note("STAGEID", 9),
    lambda context: context.set("other", 5) or context.note("STAGEID", 9),
    lambda context: context.remove("STAGEID") or context.note("STAGEID", 9),
])  # fmt: skip
def test_whatever_happens_to_a_forgotten_number_it_can_come_back(tmp_path, ring, change):
    log = opened(tmp_path, ring)
    log.context.set("STAGEID", 2)
    log.info("before")
    log.context.forget("STAGEID")
    assert log.context.number("STAGEID") is None and not log.getPreamble().exists("STAGEID")
    change(log.context)
    assert log.context.number("STAGEID") == 9
    log.info("short")
    Long(log).info("short")
    _, short, long = taken(ring)
    assert short == long and "  STAGEID: 9\n" in short


def test_a_forgotten_number_is_not_twice_in_a_record_when_it_comes_back(tmp_path, ring):
    log = opened(tmp_path, ring)
    log.context.set("STAGEID", 2)
    log.context.forget("STAGEID")
    assert not log.send_plain(0, "text", [("STAGEID", 5)])
    log.setPreamblePropertyInt("STAGEID", 4)
    assert not log.send_plain(0, "text")
    log.info("first")
    log.context.note("STAGEID", 3)
    log.info("second")
    first, second = taken(ring)
    assert first.count("STAGEID") == second.count("STAGEID") == 1
    assert "STAGEID: 4" in first and "STAGEID: 3" in second
