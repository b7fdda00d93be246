# SPDX-License-Identifier: BSD-3-Clause
"""Files that appear in a directory, as events: which, when, once, and what is told of others."""

import contextlib
import errno
import fcntl
import os
import shutil
import subprocess
import threading
import time

import harness.exceptions as pex
import pytest
from harness.events import file_states
from harness.events.errors import EventFormatError, SpoolFull
from harness.events.file_states import FileState, is_temporary
from harness.events.watching import FolderWatch, WatchSettings
from harness.log import Log

PATTERN = "raw-{visit:d}-{ccd}.fits"
POLL = {"poll_s": 0.02}


class Sink:
    """What was published: the events, and how many there were in each call; `refused` calls raise."""

    def __init__(self):
        self.events = []
        self.batches = []
        self.refused = set()

    def __call__(self, events):
        self.batches.append(len(events))
        if len(self.batches) in self.refused:
            raise SpoolFull("event spool is full")
        self.events += events

    @property
    def payloads(self):
        return [event.getCustomPropertySet().toDict() for event in self.events]

    @property
    def visits(self):
        return [one["visit"] for one in self.payloads]


class Told(Log):
    """A log that keeps its texts."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def info(self, text, *args):
        self.texts.append(text)

    warn = info


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def log():
    return Told()


@pytest.fixture
def watched(tmp_path, sink, log):
    """Opens a watch on the folder; `serve(condition)` has it work until the condition holds."""
    with contextlib.ExitStack() as stack:

        class Watched:
            def __init__(self, pattern=PATTERN, folder=tmp_path, known=(), **settings):
                self.watch = FolderWatch(WatchSettings(folder, pattern, **settings), sink, log, known)
                stack.callback(self.watch.close)

            def serve(self, until, timeout_s=20.0):
                deadline = time.monotonic() + timeout_s
                never, writer = os.pipe()
                try:
                    self.watch.serve(never, lambda: until() or time.monotonic() > deadline)
                finally:
                    os.close(never)
                    os.close(writer)
                assert until(), f"published {sink.payloads}, told {log.texts}"

            def look(self, times=3):
                """Has it look a few times."""
                for _ in range(times):
                    self.serve(lambda: True)
                    time.sleep(0.03)

        yield Watched


def write(path, text="pixels"):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def require_leases(stream):
    """Skips where the kernel does not tell of a file that is open for writing."""
    with open(stream.name) as other:
        try:
            fcntl.fcntl(other, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return
    pytest.skip("this file system tells nobody who writes")


def require_births(path):
    """Skips where the file system keeps no time of birth."""
    told = subprocess.run(["stat", "--format=%W", path], capture_output=True, text=True, check=True).stdout
    if told.strip() in ("0", "-"):
        pytest.skip("this file system keeps no time of birth")


def raw(tmp_path, visit, ccd="a"):
    return tmp_path / f"raw-{visit}-{ccd}.fits"


@pytest.mark.parametrize("settings", [{}, POLL])
def test_files_that_are_there_and_files_that_come_are_events_with_properties_from_their_names(
    tmp_path, watched, sink, settings
):
    first = write(raw(tmp_path, 1))
    write(tmp_path / "notes.txt")
    watch = watched(**settings)
    watch.serve(lambda: len(sink.events) == 1)
    second = write(raw(tmp_path, 2, "b"), "more pixels")
    watch.serve(lambda: len(sink.events) == 2)
    watch.look()
    assert sink.payloads == [
        {"path": str(first), "size": 6, "visit": 1, "ccd": "a"},
        {"path": str(second), "size": 11, "visit": 2, "ccd": "b"},
    ]


def test_a_file_is_published_when_its_writer_closes_it(tmp_path, watched, sink):
    watch = watched()
    with raw(tmp_path, 1).open("w") as stream:
        for _ in range(3):
            stream.write("some")
            stream.flush()
            watch.look()
        assert sink.events == []
    watch.serve(lambda: sink.events)
    assert sink.payloads[0]["size"] == 12


def test_a_file_that_is_being_written_when_the_watch_begins_is_waited_for(tmp_path, watched, sink):
    with raw(tmp_path, 1).open("w") as stream:
        stream.write("some")
        stream.flush()
        require_leases(stream)
        watch = watched()
        watch.look()
        assert sink.events == [] and watch.watch.quiet_since is None
        stream.write("more")
    watch.serve(lambda: sink.events)
    assert sink.payloads[0]["size"] == 8


def test_a_writer_that_has_not_closed_holds_back_a_file_that_another_closes(tmp_path, watched, sink):
    watch = watched()
    with raw(tmp_path, 1).open("a") as stream:
        require_leases(stream)
        with raw(tmp_path, 1).open("a") as other:
            other.write("header")
        watch.look()
        assert sink.events == []
        stream.write("pixels")
    watch.serve(lambda: sink.events)
    assert [one["size"] for one in sink.payloads] == [12]


def test_a_file_that_is_moved_in_is_published_and_temporary_names_are_not(tmp_path, watched, sink):
    watch = watched("{name}")
    for name in (".raw-1-a.fits.77-ab.tmp", "raw-1-a.fits.part", "raw-1-a.fits~", ".hidden"):
        write(tmp_path / name)
    write(tmp_path / "elsewhere" / "x", "moved")
    os.rename(tmp_path / "elsewhere" / "x", tmp_path / "raw-2-a.fits")
    os.rename(tmp_path / ".raw-1-a.fits.77-ab.tmp", tmp_path / "raw-1-a.fits")
    watch.serve(lambda: len(sink.events) >= 2)
    watch.look()
    assert sorted(one["name"] for one in sink.payloads) == ["raw-1-a.fits", "raw-2-a.fits"]


@pytest.mark.parametrize("settings", [{}, POLL])
def test_a_file_is_published_once_however_often_it_is_opened_and_again_when_it_changes(
    tmp_path, watched, sink, settings
):
    path = write(raw(tmp_path, 1))
    watch = watched(**settings)
    watch.serve(lambda: sink.events)
    path.open("a").close()
    watch.look()
    assert len(sink.events) == 1
    write(path, "pixels, again")
    watch.serve(lambda: len(sink.events) == 2)
    assert sink.events[0].ident != sink.events[1].ident


def test_a_copy_whose_times_are_set_when_it_is_closed_is_the_same_file_to_whoever_looks_later(
    tmp_path, watched, sink
):
    source = write(tmp_path / "source")
    os.utime(source, (1e9, 1e9))
    path = raw(tmp_path, 1)
    watch = watched()
    shutil.copyfile(source, path)
    watch.serve(lambda: sink.events)
    require_births(path)
    shutil.copystat(source, path)
    watch.look()
    watched().serve(lambda: len(sink.events) == 2)
    assert sink.events[0].ident == sink.events[1].ident


def test_a_file_that_is_written_again_in_its_place_is_told_of_and_a_new_one_is_a_new_event(
    tmp_path, watched, sink, log
):
    path = write(raw(tmp_path, 1))
    require_births(path)
    watch = watched()
    watch.serve(lambda: sink.events)
    write(path, "others")
    watch.serve(lambda: log.texts)
    assert "was written again in its place, and is not published again" in log.texts[0]
    assert len(sink.events) == 1
    path.unlink()
    write(path)
    watch.serve(lambda: len(sink.events) == 2)
    assert sink.events[0].ident != sink.events[1].ident and len(log.texts) == 1


def test_without_a_time_of_birth_the_time_of_change_counts(tmp_path, watched, sink, log, monkeypatch):
    monkeypatch.setattr(file_states, "_born_ns", lambda descriptor: None)
    path = write(raw(tmp_path, 1))
    watch = watched()
    watch.serve(lambda: sink.events)
    os.utime(path, (1e9, 1e9))
    path.open("a").close()
    watch.serve(lambda: len(sink.events) == 2)
    assert log.texts == []


def test_a_network_file_system_is_looked_at_again_and_again(tmp_path, watched, sink, log, monkeypatch):
    monkeypatch.setattr("harness.events.watching.is_network_path", lambda path: True)
    monkeypatch.setattr("harness.events.watching.POLL_S", 0.02)
    write(raw(tmp_path, 1))
    watch = watched()
    watch.serve(lambda: sink.events)
    with raw(tmp_path, 2).open("w") as stream:
        require_leases(stream)
        for _ in range(5):
            stream.write("some")
            stream.flush()
            watch.look(1)
    watch.serve(lambda: len(sink.events) >= 2)
    assert "is on a network file system: it is looked at every 0.02 s" in log.texts[0]
    assert [one["size"] for one in sink.payloads] == [6, 20]


def test_the_identity_of_an_event_is_that_of_the_file_whoever_watches(tmp_path, watched, sink):
    write(raw(tmp_path, 1))
    for _ in range(2):
        watched().serve(lambda: sink.events)
    watched(**POLL).serve(lambda: len(sink.events) >= 3)
    assert len({event.ident for event in sink.events}) == 1


def test_files_whose_events_are_known_are_not_published(tmp_path, watched, sink):
    write(raw(tmp_path, 1))
    watched().serve(lambda: sink.events)
    write(raw(tmp_path, 2))
    watched(known={sink.events[0].ident}).serve(lambda: len(sink.events) == 2)
    assert sink.visits == [1, 2]


def test_several_files_are_published_together_the_oldest_first(tmp_path, watched, sink):
    for visit, age in ((3, 30), (1, 20), (2, 10)):
        then = time.time() - age
        os.utime(write(raw(tmp_path, visit)), (then, then))
    watched().serve(lambda: len(sink.events) == 3)
    assert sink.visits == [3, 1, 2] and sink.batches == [3]


def test_a_burst_is_published_whole(tmp_path, watched, sink):
    watch = watched()

    def burst():
        for visit in range(500):
            write(raw(tmp_path, visit))

    writer = threading.Thread(target=burst)
    writer.start()
    watch.serve(lambda: len(sink.events) >= 500)
    writer.join()
    watch.look()
    assert sorted(sink.visits) == list(range(500))


def test_notices_that_the_kernel_dropped_are_made_up_for_by_looking_again(tmp_path, watched, sink, log):
    watch = watched()
    watch.look()
    with open("/proc/sys/fs/inotify/max_queued_events") as stream:
        most = int(stream.read())
    if most > 50_000:
        pytest.skip(f"{most} notices would be needed")
    # Equal notices in a row are one: two files in turn.
    for _ in range(most // 2 + 10):
        for name in ("a", "b"):
            os.close(os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT))
    write(raw(tmp_path, 1))
    watch.serve(lambda: sink.events)
    assert sink.visits == [1]
    assert any("notices of" in text and "were lost" in text for text in log.texts)
    write(raw(tmp_path, 2))
    watch.serve(lambda: len(sink.events) == 2)


def test_files_in_directories_below_are_found_also_in_new_ones(tmp_path, watched, sink):
    write(tmp_path / "n1" / "v1.fits")
    watch = watched("n{night:d}/v{visit:d}.fits")
    watch.serve(lambda: len(sink.events) == 1)
    (tmp_path / "other").mkdir()
    write(tmp_path / "other" / "v9.fits")
    write(tmp_path / "n2" / "v2.fits")
    write(tmp_path / "n1" / "v3.fits")
    watch.serve(lambda: len(sink.events) == 3)
    write(tmp_path / "n2" / "v4.fits")
    watch.serve(lambda: len(sink.events) == 4)
    os.rename(tmp_path / "other", tmp_path / "n7")
    watch.serve(lambda: len(sink.events) == 5)
    found = [(one["night"], one["visit"]) for one in sink.payloads]
    assert sorted(found) == [(1, 1), (1, 3), (2, 2), (2, 4), (7, 9)]


def test_a_file_that_vanishes_is_told_of(tmp_path, watched, sink, log):
    watch = watched(settle_s=0.2)
    path = write(raw(tmp_path, 1))
    watch.look()
    path.unlink()
    watch.serve(lambda: any("vanished" in text for text in log.texts))
    assert log.texts == [f"file {path} has vanished before it could be published"]
    assert sink.events == [] and watch.watch.quiet_since is not None


def test_a_file_that_cannot_be_read_is_told_of_once_and_published_when_it_can(
    tmp_path, watched, sink, log, monkeypatch
):
    real = os.open
    closed = []

    def refuse(path, *arguments, **more):
        if str(path) in closed:
            raise PermissionError(13, "Permission denied", path)
        return real(path, *arguments, **more)

    # The user of this process may read everything, as in a container.
    monkeypatch.setattr(file_states.os, "open", refuse)
    closed.append(str(raw(tmp_path, 1)))
    watch = watched()
    path = write(raw(tmp_path, 1))
    watch.serve(lambda: log.texts)
    assert log.texts == [f"file {path} is not published: it cannot be read: Permission denied"]
    closed.clear()
    path.chmod(0o644)
    watch.serve(lambda: sink.events)
    assert sink.visits == [1]


def test_what_is_no_file_or_gives_no_property_is_told_of(tmp_path, watched, sink, log):
    os.mkfifo(raw(tmp_path, 1))
    (tmp_path / "raw-2-a.fits").mkdir()
    big = write(raw(tmp_path, 10**30))
    odd = os.fsencode(tmp_path) + b"/raw-3-\xff.fits"
    os.close(os.open(odd, os.O_WRONLY | os.O_CREAT))
    good = write(raw(tmp_path, 4))
    watch = watched()
    watch.serve(lambda: len(log.texts) >= 3)
    watch.look()
    assert [one["path"] for one in sink.payloads] == [str(good)]
    texts = " ".join(log.texts)
    assert "raw-1-a.fits is not published: it is no regular file" in texts
    assert f"file {str(big)!r} is not published" in texts
    assert "raw-3-\\udcff.fits' is not published: an event holds text that is no Unicode" in texts
    assert len(log.texts) == 3


def test_a_file_settles_for_as_long_as_asked(tmp_path, watched, sink):
    watch = watched(settle_s=0.5)
    path = write(raw(tmp_path, 1))
    watch.look()
    write(path, "rewritten")
    began = time.monotonic()
    watch.serve(lambda: sink.events)
    assert time.monotonic() - began >= 0.4
    assert [one["size"] for one in sink.payloads] == [9]


def test_events_that_cannot_be_stored_are_published_later(tmp_path, watched, sink, log, monkeypatch):
    monkeypatch.setattr("harness.events.watching.RETRY_S", 0.02)
    sink.refused = {1, 2, 3}
    write(raw(tmp_path, 1))
    watch = watched()
    watch.serve(lambda: sink.events)
    assert sink.visits == [1]
    assert log.texts == ["1 files wait to be published: event spool is full"]


def test_what_was_stored_of_many_files_is_not_published_again_when_the_rest_must_wait(
    tmp_path, watched, sink, log, monkeypatch
):
    monkeypatch.setattr("harness.events.watching.RETRY_S", 0.02)
    monkeypatch.setattr("harness.events.watching.BATCH", 4)
    sink.refused = {2}
    for visit in range(10):
        write(raw(tmp_path, visit))
    watched().serve(lambda: len(sink.events) >= 10)
    assert sorted(sink.visits) == list(range(10))
    assert sink.batches == [4, 4, 4, 2] and log.texts == ["6 files wait to be published: event spool is full"]


def test_a_directory_that_goes_is_waited_for(tmp_path, watched, sink, log):
    folder = tmp_path / "in"
    write(raw(folder, 1))
    watch = watched(folder=folder)
    watch.serve(lambda: len(sink.events) == 1)
    os.rename(folder, tmp_path / "out")
    watch.serve(lambda: any("cannot be watched" in text for text in log.texts))
    assert watch.watch.quiet_since is None
    write(raw(folder, 2))
    watch.serve(lambda: len(sink.events) == 2)
    write(raw(folder, 3))
    watch.serve(lambda: len(sink.events) == 3)
    assert sink.visits == [1, 2, 3]


def test_idleness_counts_from_the_last_file(tmp_path, watched, sink):
    watch = watched().watch
    assert not watch.is_idle(None) and watch.is_idle(0.0) and not watch.is_idle(60.0)


@pytest.mark.parametrize(
    ("pattern", "folder", "error", "words"),
    [
        ("raw-{visit:q}.fits", ".", EventFormatError, "format 'q'"),
        ("{RUNID}.fits", ".", EventFormatError, "'RUNID' is a property"),
        ("{path}.fits", ".", EventFormatError, "'path' is a property that every event may have"),
        (PATTERN, "nowhere", pex.RuntimeError, "watching .*nowhere: No such file or directory"),
        (PATTERN, "file", pex.RuntimeError, "watching .*file: Not a directory"),
    ],
)
def test_what_cannot_be_watched_is_refused_with_the_reason(tmp_path, watched, pattern, folder, error, words):
    (tmp_path / "file").touch()
    with pytest.raises(error, match=words):
        watched(pattern, folder=tmp_path / folder)


def test_states_and_names():
    one = FileState(1, 2, 3)
    assert one.ident("a") == FileState(1, 9, 3).ident("a")
    others = [FileState(2, 2, 3), FileState(1, 2, 4), FileState(1, 2, None), FileState(1, 3, None)]
    assert len({state.ident("a") for state in (one, *others)} | {one.ident("b")}) == 6
    assert [name for name in ("a.fits", ".a", "a.tmp", "a.PART", "a~", "tmp") if is_temporary(name)] == [
        ".a", "a.tmp", "a.PART", "a~",
    ]  # fmt: skip
