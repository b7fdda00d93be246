# SPDX-License-Identifier: BSD-3-Clause
"""Records of one text reach a run's ring without a record object, and say what a record would say."""

from __future__ import annotations

import logging
import re
import threading

import pytest
from harness import _core
from harness._records import seconds_text
from harness.log import BlockTimingLog, Log
from harness.log.forward import forward_to_logging
from harness.log.run_logs import open_run_log, run_files


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
