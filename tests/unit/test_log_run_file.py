# SPDX-License-Identifier: BSD-3-Clause
"""The parts of a run's logs: appending, floods, rings, JSON lines, records of other libraries."""

import json
import logging
import os
import warnings

import pytest
from harness import _core
from harness.log import JsonFormatter, Log, LogRec, LogRecord, set_default_log
from harness.log.append import AppendFile
from harness.log.context import RecordContext
from harness.log.flood import FloodGuard
from harness.log.foreign import ForeignRecords
from harness.log.formats import BriefFormatter
from harness.log.forward import importance_of, level_of
from harness.log.run_file import CONSOLE, EVENT, RunFile
from harness.properties import DateTime, PropertySet


@pytest.fixture
def run():
    return _core.Run(16 << 20, 1, 1, 1)


@pytest.fixture
def sent(tmp_path, run):
    """A log whose records go through ring 1, and what there is to know about them."""
    file = RunFile(tmp_path / "Slice0.log", 0, BriefFormatter())
    wakes = []
    file.use_ring(run.log_ring(1), lambda: wakes.append(1))
    log = Log(-10, "x")
    log.addDestination(file)
    return log, file, run.log_ring(1), wakes, tmp_path / "Slice0.log"


def frames(ring):
    found, position, broken = ring.peek()
    ring.commit(position)
    assert not broken
    return found


# Appending.


@pytest.mark.parametrize("there", [0, 1, 5, 9, 14])
def test_what_a_dead_writer_had_not_written_is_appended_once(tmp_path, there):
    batch = b"one\n\ntwo\n\nsix\n"
    (tmp_path / "x").write_bytes(b"old\n\n" + batch[:there])
    AppendFile(tmp_path / "x").append_missing(batch)
    assert (tmp_path / "x").read_bytes() == b"old\n\n" + batch


def test_a_record_that_a_full_disk_has_cut_does_not_run_into_the_next(tmp_path, monkeypatch, capfd):
    file = AppendFile(tmp_path / "x")
    real, calls = os.write, []

    def write(descriptor, data):
        if data.startswith(b"harness.log: cannot"):
            return real(descriptor, data)
        calls.append(data)
        if len(calls) == 1:
            return real(descriptor, data[:4])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.log.append.os.write", write)
    assert not file.append(b"a long record\n", 1)
    assert not file.append(b"another\n", 2)
    monkeypatch.undo()
    assert file.append(b"after\n", 1)
    note = "harness.log: 3 records before this one could not be written"
    assert (tmp_path / "x").read_text() == f"a lo\n{note}\nafter\n"
    assert capfd.readouterr().err.count("No space left on device; going on without") == 1


# Floods.


def test_a_bound_holds_for_each_visit_and_kind():
    context = RecordContext()
    guard = FloodGuard(2, context)
    context.set("LOOPNUM", 1)
    assert [guard.judge(0)[0] for _ in range(5)] == [True, True, False, False, False]
    assert [guard.judge(10)[0] for _ in range(3)] == [True, True, False]
    assert [guard.judge(20)[0] for _ in range(2)] == [True, True]
    context.set("LOOPNUM", 2)
    assert guard.judge(0) == (True, "4 records in visit 1 were not written: more than logFlood, 2")
    assert guard.end() == ""


def test_a_bound_holds_for_each_of_several_visits_in_flight():
    context = RecordContext()
    guard = FloodGuard(2, context, in_flight=2)
    for visit in (1, 2, 1, 2, 1):
        context.set("LOOPNUM", visit)
        passed = guard.judge(0)[0]
    assert not passed
    context.set("LOOPNUM", 3)
    assert guard.judge(0) == (True, "1 records in visit 1 were not written: more than logFlood, 2")
    context.set("LOOPNUM", 2)
    assert guard.judge(0)[0] is False
    assert guard.end() == "1 records in visit 2 were not written: more than logFlood, 2"


def test_the_first_record_over_the_bound_says_so_once():
    guard = FloodGuard(1, RecordContext())
    notices = [guard.judge(0)[1] for _ in range(4)]
    assert notices[1].startswith("more than 1 records below WARN before the first visit")
    assert [bool(notice) for notice in notices] == [False, True, False, False]


def test_no_bound_is_no_bound():
    guard = FloodGuard(0, RecordContext())
    assert all(guard.judge(0) == (True, "") for _ in range(10)) and guard.end() == ""


# Rings.


def test_a_record_is_in_shared_memory_and_in_no_file_when_the_call_returns(sent):
    log, _file, ring, wakes, path = sent
    log.info("text")
    assert path.read_text() == "" and wakes == []
    assert frames(ring) == [(0, 0, 0, b"x: text\n")]


def test_warnings_wake_the_drain_and_go_to_the_console_if_asked(sent):
    log, file, ring, wakes, _path = sent
    file.show_on_console(10)
    log.context.set("LOOPNUM", 4)
    log.warn("first\nsecond")
    text, line = frames(ring)
    assert text == (0, 10, 0, b"x WARNING: first\nsecond\n")
    assert line == (0, 10, CONSOLE, b"slice 0, visit 4: first") and wakes == [1]


def test_a_record_that_finds_the_ring_full_for_long_goes_to_the_file(sent, monkeypatch):
    log, _file, ring, wakes, path = sent
    monkeypatch.setattr("harness.log.run_file.FULL_TIMEOUT_S", 0.01)
    for _ in range(5):
        log.info("y" * 30_000)
    assert len(frames(ring)) == 4 and wakes
    assert path.read_text() == f"x: {'y' * 30_000}\n"


def test_a_long_record_goes_to_the_file_when_those_before_it_have(sent, monkeypatch):
    log, _file, ring, wakes, path = sent
    monkeypatch.setattr("harness.log.run_file.time.sleep", lambda seconds: frames(ring))
    log.info("before")
    log.info("z" * 50_000)
    assert path.read_text() == f"x: {'z' * 50_000}\n" and ring.waiting() == 0 and wakes == [1]


def test_a_process_that_was_forked_writes_to_the_file(sent):
    log, _file, ring, _wakes, path = sent
    child = os.fork()
    if child == 0:
        log.info("of the child")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert ring.waiting() == 0 and path.read_text() == "x: of the child\n"


# JSON lines.


def json_line(properties, comments=("text",), importance=0, preamble=None):
    record = LogRecord(-100, importance, preamble)
    for comment in comments:
        record.addComment(comment)
    record.addProperties(properties)
    text = JsonFormatter().format(record)
    assert text.endswith("\n") and text.count("\n") == 1
    return json.loads(text)


def test_values_of_all_kinds_become_json():
    stamp = DateTime(1_000_000_000_000_000_000)
    line = json_line({"a": {"b": [1, 2]}, "t": stamp, "inf": float("inf"), "yes": True, "s": 'q"\x01\u20ac'})
    assert line["properties"] == {
        "a": {"b": [1, 2]}, "t": 1_000_000_000_000_000_000, "inf": "inf", "yes": True, "s": 'q"\x01\u20ac',
    }  # fmt: skip


def test_several_texts_are_one_message():
    assert json_line({}, ("one", "two\nlines"))["message"] == "one\ntwo\nlines"
    assert json_line({}, ())["message"] == ""


@pytest.mark.parametrize("importance, level", [(-1, "DEBUG"), (0, "INFO"), (10, "WARNING"), (25, "FATAL")])
def test_the_level_is_a_word_and_the_importance_a_number(importance, level):
    line = json_line({}, importance=importance)
    assert (line["level"], line["importance"]) == (level, importance)


class Lines:
    """Keeps the text of each record as a format gives it, in the quick and in the general way."""

    def __init__(self, formatter):
        self.formatter = formatter
        self.pairs = []

    def write(self, record):
        quick = self.formatter.format(record)
        record.getProperties()
        assert record.plain() is None
        self.pairs.append((quick, self.formatter.format(record)))


@pytest.mark.parametrize("formatter", [JsonFormatter(), BriefFormatter(True)])
def test_the_quick_way_of_a_format_gives_the_text_of_the_general_one(formatter, monkeypatch):
    lines = Lines(formatter)
    log = Log(-10, "x.y")
    log.replace_destinations([lines])
    for name, value in (("RUNID", "r1"), ("SLICEID", 3), ("more", [1.5, 2.5]), ("sub.name", True)):
        log.setPreambleProperty(name, value)
    log.context.set("LOOPNUM", 7)
    log.context.set("other", -1)
    log.log(-3, "text\n\u20ac\"")
    log.log(0, "", {"STATUS": "start", "rms": 0.1, "n": 5, "yes": False, "nan": float("nan")})
    log.log(0, "twice", {"SLICEID": 4, "n": 2**40, "d": {"e": 1}})
    LogRec(log, 10) << {"n": 1} << "after" << {"n": 2} << LogRec.endr
    log.context.set("text", "no number")
    log.log(0, "with more context")
    assert len(lines.pairs) == 5
    assert all(quick == general and quick for quick, general in lines.pairs)


# Other libraries.


@pytest.fixture
def foreign(tmp_path):
    """What comes to the default log, as texts, while records of others are brought there."""
    told = []

    class Kept:
        def write(self, record):
            told.append(record.getProperties().toDict())

    root = Log(-10)
    root.replace_destinations([Kept()])
    set_default_log(root)
    seen = set()

    def first_at(place):
        new = place not in seen
        seen.add(place)
        return new

    records = ForeignRecords(first_at)
    records.install()
    yield told, records
    records.uninstall()
    set_default_log(None)


@pytest.mark.parametrize(
    ("level", "importance"),
    [(60, 20), (50, 20), (40, 15), (35, 10), (30, 10), (20, 0), (15, -10), (10, -10), (7, -13)],
)
def test_levels_of_logging_have_an_importance(level, importance):
    assert importance_of(level) == importance


def test_importances_and_levels_agree_on_the_named_ones():
    assert [importance_of(level_of(importance)) for importance in (-10, 0, 10, 20)] == [-10, 0, 10, 20]


def test_a_record_of_a_library_keeps_name_message_extras_and_traceback(foreign):
    try:
        raise KeyError("gain")
    except KeyError:
        logging.getLogger("somelib").exception("no %s", "gain", extra={"ccd": 3, "path": ["a"], "LEVEL": 5})
    ((told,), _) = foreign
    assert told["LOG"] == "somelib" and told["LEVEL"] == 15 and told["ccd"] == 3 and told["path"] == "['a']"
    assert told["COMMENT"].startswith("no gain\nTraceback") and "KeyError: 'gain'" in told["COMMENT"]


def test_a_record_that_cannot_be_formatted_is_told_and_raises_nothing(foreign, capfd):
    told, records = foreign
    logger = logging.getLogger("clumsy")
    # The test's own handlers raise what they cannot format.
    logger.propagate = False
    records.follow()
    logger.warning("%d", "no number")
    assert told == [] and "Logging error" in capfd.readouterr().err


def test_a_warning_comes_once_per_location_whatever_the_filters(foreign):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        for _ in range(3):
            warnings.warn("odd", UserWarning, stacklevel=1)
    assert [told["COMMENT"].rpartition(": ")[2] for told in foreign[0]] == ["odd"]
    assert foreign[0][0]["LOG"] == "warnings" and foreign[0][0]["category"] == "UserWarning"


def test_properties_reach_a_record_like_those_of_a_set():
    properties = PropertySet.from_mapping({"a": 1})
    assert json_line(properties)["properties"] == {"a": 1}


# Records that become events.


def test_a_record_becomes_an_event_in_the_ring_beside_its_text(sent):
    log, file, ring, _wakes, path = sent
    file.publish(lambda record: b"event" if record.getImportance() >= 0 else None)
    log.info("text")
    log.logdebug("not this one")
    assert [(flags, data) for _, _, flags, data in frames(ring)] == [
        (EVENT, b"event"), (0, b"x: text\n"), (0, b"x DEBUG: not this one\n")
    ]  # fmt: skip
    assert path.read_text() == ""


def test_events_leave_room_for_the_file_and_what_finds_none_is_counted(sent, monkeypatch):
    log, file, ring, wakes, path = sent
    monkeypatch.setattr("harness.log.run_file.time.sleep", lambda seconds: pytest.fail("a record has waited"))
    file.publish(lambda record: record.getProperties().getString("COMMENT").encode().ljust(1000))
    for number in range(200):
        log.info(f"{number}")
    found = frames(ring)
    events = [data for _, _, flags, data in found if flags & EVENT]
    assert len([data for _, _, flags, data in found if not flags]) == 200 and path.read_text() == ""
    assert 30 < len(events) < 70 and wakes
    log.info("after")
    notice, event, text = frames(ring)
    assert notice[3].strip() == f"{200 - len(events)} records before this one were not published".encode()
    assert event[3].strip() == b"after" and text[3] == b"x: after\n"


def test_before_there_is_a_ring_events_are_handed_over(tmp_path):
    file, handed = RunFile(tmp_path / "Pipeline.log", -1, BriefFormatter()), []
    file.publish(lambda record: b"event", handed.extend)
    log = Log(-10, "x")
    log.addDestination(file)
    log.info("text")
    assert handed == [b"event"] and (tmp_path / "Pipeline.log").read_text() == "x: text\n"
