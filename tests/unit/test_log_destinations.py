# SPDX-License-Identifier: BSD-3-Clause
"""Files, streams and the screen: appending, truncating, losses, threads and forks."""

import gc
import io
import os
import sys
import threading

import pytest
from harness.exceptions import IoError
from harness.exceptions import TypeError as PexTypeError
from harness.log import (
    BriefFormatter,
    FileDestination,
    IndentedFormatter,
    Log,
    LogDestination,
    LogRecord,
    NetLoggerFormatter,
    ScreenDestination,
)

WRITERS = 4
RECORDS = 200


def record(importance=0, text="text"):
    rec = LogRecord(-100, importance)
    rec.addComment(text)
    return rec


# Streams.


def test_write_says_whether_a_record_passed():
    stream = io.StringIO()
    destination = LogDestination(stream, BriefFormatter(), 5)
    assert destination.write(record(4)) is False
    assert destination.write(record(5)) is True
    destination.setThreshold(-10)
    assert destination.getThreshold() == -10
    assert destination.write(record(-10)) is True
    assert destination.write(LogRecord(5, 1)) is False
    assert stream.getvalue() == ": text\n DEBUG: text\n"


def test_a_stream_is_flushed_after_each_record(tmp_path):
    path = tmp_path / "x.log"
    with open(path, "w") as stream:
        LogDestination(stream, BriefFormatter()).write(record())
        assert path.read_text() == ": text\n"


def test_text_the_encoding_lacks_is_escaped(tmp_path):
    path = tmp_path / "x.log"
    with open(path, "w", encoding="ascii") as stream:
        assert LogDestination(stream, BriefFormatter()).write(record(text="5 \N{MICRO SIGN}m"))
    assert path.read_text() == ": 5 \\xb5m\n"


# Files.


@pytest.mark.contract("13.6.file")
def test_file_is_appended_to_unless_truncated(tmp_path):
    path = tmp_path / "x.log"
    for _ in range(2):
        FileDestination(path).write(record(-2))
    assert path.read_text() == "   DEBUG: text\n" * 2
    FileDestination(str(path), truncate=True).write(record())
    assert path.read_text() == ": text\n"


@pytest.mark.contract("13.6.file")
def test_layout_is_indented_verbose_or_a_given_format(tmp_path):
    FileDestination(tmp_path / "v", True).write(record(-1))
    FileDestination(tmp_path / "n", NetLoggerFormatter(), -5, True).write(record(-1))
    FileDestination(tmp_path / "t", False, 0).write(record(-1))
    assert "   LEVEL: -1\n" in (tmp_path / "v").read_text()
    assert "i LEVEL: -1\n" in (tmp_path / "n").read_text()
    assert (tmp_path / "t").read_text() == ""


@pytest.mark.contract("13.2.destinations")
def test_log_takes_a_path(tmp_path):
    root = Log(-10)
    root.addDestination(tmp_path / "a")
    root.addDestination(str(tmp_path / "b"), True, 0)
    root.log(-1, "x")
    root.log(0, "y")
    assert (tmp_path / "a").read_text() == "  DEBUG: x\n: y\n"
    assert "LEVEL: 0" in (tmp_path / "b").read_text() and "x" not in (tmp_path / "b").read_text()


def test_missing_directory_is_an_io_error(tmp_path):
    with pytest.raises(IoError, match="cannot open log file: No such file or directory") as caught:
        FileDestination(tmp_path / "none" / "x.log")
    assert caught.value.filename == str(tmp_path / "none" / "x.log")


def test_descriptor_is_closed_with_the_last_user(tmp_path):
    before = set(os.listdir("/proc/self/fd"))
    destination = FileDestination(tmp_path / "x.log")
    assert len(os.listdir("/proc/self/fd")) == len(before) + 1
    del destination
    gc.collect()
    assert set(os.listdir("/proc/self/fd")) == before


def test_one_record_is_one_write_call(tmp_path, monkeypatch):
    destination = FileDestination(tmp_path / "x.log", True)
    calls = []
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: calls.append(len(data)) or real(fd, data))
    destination.write(record(text="long " * 10000))
    assert len(calls) == 1
    assert (tmp_path / "x.log").stat().st_size == calls[0]


def test_the_rest_follows_when_the_system_takes_less(tmp_path, monkeypatch):
    destination = FileDestination(tmp_path / "x.log")
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:3]))
    assert destination.write(record())
    assert (tmp_path / "x.log").read_text() == ": text\n"


# Losses.


def test_a_full_disk_is_told_once_counted_and_survived(capfd):
    destination = FileDestination("/dev/full")
    assert [destination.write(record()) for _ in range(3)] == [False] * 3
    assert destination.lost == 3
    assert capfd.readouterr().err == (
        "harness.log: cannot write log records to /dev/full: [Errno 28] No space left on device;"
        " going on without\n"
    )


def test_the_count_of_lost_records_comes_with_the_next_one(tmp_path, monkeypatch, capfd):
    destination = FileDestination(tmp_path / "x.log")

    def refuse(descriptor, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.log.destinations.os.write", refuse)
    destination.write(record(text="lost"))
    destination.write(record(text="lost"))
    monkeypatch.undo()
    assert destination.write(record(text="back")) and destination.lost == 0
    assert (tmp_path / "x.log").read_text() == (
        "harness.log: 2 records before this one could not be written\n: back\n"
    )


def test_closed_files_and_streams_lose_records_without_raising(tmp_path, capfd):
    file = FileDestination(tmp_path / "x.log")
    file.close()
    stream = io.StringIO()
    stream.close()
    root = Log()
    root.addDestination(file)
    root.addDestination(stream)
    good = io.StringIO()
    root.addDestination(good)
    root.log(0, "text")
    assert good.getvalue() == ": text\n"
    told = capfd.readouterr().err
    assert f"to {tmp_path}/x.log: the file was closed" in told and "to the stream" in told


# The screen.


def test_screen_is_the_standard_error_of_the_moment(capfd, monkeypatch):
    destination = ScreenDestination(BriefFormatter())
    destination.write(record(text="to the descriptor"))
    assert capfd.readouterr().err == ": to the descriptor\n"
    replaced = io.StringIO()
    monkeypatch.setattr(sys, "stderr", replaced)
    destination.write(record(text="to the object"))
    assert replaced.getvalue() == ": to the object\n"
    monkeypatch.setattr(sys, "stderr", None)
    assert destination.write(record()) is False


# Threads and forks.


def lines_of(writer):
    return [f" WARNING: writer {writer} record {number} " + "x" * 200 for number in range(RECORDS)]


def send_all(log, writer):
    for line in lines_of(writer):
        log.log(10, line.removeprefix(" WARNING: "))


def assert_whole(path):
    lines = path.read_text().splitlines()
    assert sorted(lines) == sorted(line for writer in range(WRITERS) for line in lines_of(writer))
    for writer in range(WRITERS):
        own = [line for line in lines if f"writer {writer} " in line]
        assert own == lines_of(writer)


@pytest.mark.contract("17.65")
def test_records_of_threads_never_interleave(tmp_path):
    root = Log()
    root.addDestination(tmp_path / "x.log")
    threads = [threading.Thread(target=send_all, args=(root, writer)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_whole(tmp_path / "x.log")


@pytest.mark.contract("17.65")
@pytest.mark.parametrize("inherited", [True, False])
def test_records_of_processes_never_interleave(tmp_path, inherited):
    path = tmp_path / "x.log"
    root = Log()
    root.addDestination(path)
    children = []
    for writer in range(WRITERS):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                log = root if inherited else Log()
                if not inherited:
                    log.addDestination(FileDestination(path, IndentedFormatter()))
                send_all(log, writer)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * WRITERS
    assert_whole(path)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_forked_while_threads_log_can_log(tmp_path):
    path = tmp_path / "x.log"
    root = Log()
    root.addDestination(path)
    stop = threading.Event()

    def chatter():
        while not stop.is_set():
            root.log(0, "chatter")

    threads = [threading.Thread(target=chatter) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(20):
            child = os.fork()
            if child == 0:
                root.log(10, f"child {number}")
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    seen = [line for line in path.read_text().splitlines() if "child" in line]
    assert seen == [f" WARNING: child {number}" for number in range(20)]


# Names of parameters.


@pytest.mark.contract("13.6.file")
def test_the_parameters_of_files_have_names(tmp_path):
    path = tmp_path / "n.log"
    netlogger = FileDestination(path=path, formatter=NetLoggerFormatter(), threshold=0, truncate=True)
    assert netlogger.write(record(3)) and "i LEVEL: 3\n" in path.read_text()
    verbose = FileDestination(tmp_path / "v.log", verbose=True)
    assert verbose.write(record(3)) and "  LEVEL: 3\n" in (tmp_path / "v.log").read_text()
    with pytest.raises(PexTypeError, match="verbose or a formatter, saw both"):
        FileDestination(tmp_path / "b.log", True, formatter=NetLoggerFormatter())
    assert not (tmp_path / "b.log").exists()


@pytest.mark.contract("13.2.destinations")
def test_the_parameters_of_add_destination_have_names(tmp_path):
    log, stream, other = Log(), io.StringIO(), io.StringIO()
    log.addDestination(filepath=tmp_path / "f.log", verbose=True, threshold=5)
    log.addDestination(stream=stream, threshold=5, formatter=NetLoggerFormatter())
    log.addDestination(destination=LogDestination(other, BriefFormatter(), 5))
    log.log(6, "six")
    log.log(4, "four")
    text = (tmp_path / "f.log").read_text()
    assert "LEVEL: 6" in text and "four" not in text
    assert "s COMMENT: six\n" in stream.getvalue() and "four" not in stream.getvalue()
    assert other.getvalue() == ": six\n"
    for wrong in ({}, {"filepath": "a", "stream": stream}):
        with pytest.raises(PexTypeError, match="cannot add a log destination: expected"):
            log.addDestination(**wrong)
