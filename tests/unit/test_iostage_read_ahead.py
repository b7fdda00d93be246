# SPDX-License-Identifier: BSD-3-Clause
"""Reading ahead: files of the next visits come before their time, and nothing else is different."""

import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import harness.exceptions as pex
import pytest
from harness import current
from harness.clipboard import Clipboard
from harness.iostage import InputStage
from harness.iostage.fingerprints import fingerprint
from harness.iostage.reader import THREAD_NAME, process_reader
from harness.log import Log
from harness.policy import Policy, PolicyString
from harness.properties import PropertySet
from harness.runtime.processes.cores import ThreadCheck
from harness.storage import register_storage, registry

TIMEOUT_S = 60


@dataclass
class Somebody:
    rank: int = 0
    visit: int = 1
    stage_number: int = 1


class Spy:
    """A storage of texts that notes who reads what, and can be held up or fail."""

    def __init__(self):
        self.reads = []
        self.gate = threading.Event()
        self.gate.set()
        self.fails_ahead = False

    def read(self, path, request):
        ahead = threading.current_thread().name == THREAD_NAME
        self.reads.append((Path(path).name, "ahead" if ahead else "in time"))
        if ahead:
            assert self.gate.wait(TIMEOUT_S)
            if self.fails_ahead:
                raise MemoryError("the thread has no luck")
        with open(path) as stream:
            return stream.read()

    def write(self, path, obj):
        Path(path).write_text(obj)


@pytest.fixture
def spy(monkeypatch):
    """The storage SpyStorage."""
    found = Spy()
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    register_storage("SpyStorage", lambda: found)
    yield found
    found.gate.set()
    quiet()
    current.work_for(None)
    Log.closeDefaultLog()


@pytest.fixture
def folder(tmp_path):
    """Files visit-1 to visit-6."""
    for number in range(1, 7):
        (tmp_path / f"visit-{number}").write_text(f"text {number}")
    return tmp_path


def quiet():
    """Waits until nothing is being read ahead."""
    deadline = time.monotonic() + TIMEOUT_S
    while process_reader()._thread is not None:
        assert time.monotonic() < deadline, "the reader does not end"
        time.sleep(0.001)


def begun(spy, name):
    """Waits until a file is being read ahead."""
    deadline = time.monotonic() + TIMEOUT_S
    while (name, "ahead") not in spy.reads:
        assert time.monotonic() < deadline, f"{name} is not read ahead"
        time.sleep(0.001)


class Run:
    """The visits of one slice with one input stage."""

    def __init__(self, folder, *lines, ahead=1, name="visitNumber"):
        text = "\n".join([
            "parameters: {",
            f"readAhead: {ahead}",
            *[line for line in lines if line.startswith("additionalData")],
            "inputItems: { frame: {",
            'pythonType: "builtins.str"',
            "timeout: 0",
            *[line for line in lines if not line.startswith("additionalData")],
            "storagePolicy: {",
            "storage: SpyStorage",
            f'location: "{folder}/visit-%({name})"',
            "} } } }",
        ])  # fmt: skip
        self.stage = InputStage(Policy(PolicyString(text))).createParallelProcessing(0)

    def visit(self, number, **entries):
        """What the stage reads in a visit whose clipboard has these entries."""
        current.work_for(Somebody(visit=number))
        clipboard = Clipboard()
        for key, value in entries.items():
            clipboard.put(key, value)
        self.stage.process(clipboard)
        return clipboard.get("frame")


def test_the_next_visit_s_file_is_read_while_others_compute_and_given_at_its_time(folder, spy):
    sut = Run(folder)
    found = []
    for number in (1, 2, 3):
        found.append(sut.visit(number))
        quiet()
    assert found == ["text 1", "text 2", "text 3"]
    assert spy.reads == [(f"visit-{n}", "in time" if n == 1 else "ahead") for n in (1, 2, 3, 4)]


def test_without_the_key_nothing_is_read_ahead(folder, spy):
    sut = Run(folder, ahead=0)
    assert [sut.visit(1), sut.visit(2)] == ["text 1", "text 2"]
    assert spy.reads == [("visit-1", "in time"), ("visit-2", "in time")]


def test_no_more_visits_are_read_ahead_than_were_asked_for(folder, spy):
    sut = Run(folder, ahead=3)
    sut.visit(1)
    quiet()
    assert spy.reads == [("visit-1", "in time")] + [(f"visit-{n}", "ahead") for n in (2, 3, 4)]
    sut.visit(2)
    quiet()
    assert spy.reads[4:] == [("visit-5", "ahead")]


def test_a_file_that_changes_after_it_was_read_is_read_again(folder, spy):
    sut = Run(folder)
    sut.visit(1)
    quiet()
    (folder / "new").write_text("another text")
    os.replace(folder / "new", folder / "visit-2")
    assert sut.visit(2) == "another text"
    assert spy.reads[:3] == [("visit-1", "in time"), ("visit-2", "ahead"), ("visit-2", "in time")]


def test_a_file_deep_in_a_directory_that_changes_after_it_was_read_is_noticed(tmp_path):
    (tmp_path / "a" / "deep").mkdir(parents=True)
    chunk = tmp_path / "a" / "deep" / "chunk"
    chunk.write_text("1")
    before = fingerprint(str(tmp_path / "a"))
    assert before == fingerprint(str(tmp_path / "a")) and before.size == 1
    chunk.write_text("12")
    assert fingerprint(str(tmp_path / "a")) != before
    assert fingerprint(str(tmp_path / "missing")) is None


def test_a_file_that_vanishes_after_it_was_read_is_missing(folder, spy):
    sut = Run(folder)
    sut.visit(1)
    quiet()
    (folder / "visit-2").unlink()
    with pytest.raises(pex.IoError, match=f"input item 'frame': {folder}/visit-2 does not exist"):
        sut.visit(2)


def test_what_fails_ahead_is_done_again_at_its_time_and_fails_then_with_name_and_path(folder, spy):
    spy.fails_ahead = True
    sut = Run(folder)
    sut.visit(1)
    quiet()
    assert sut.visit(2) == "text 2"
    assert spy.reads[:3] == [("visit-1", "in time"), ("visit-2", "ahead"), ("visit-2", "in time")]
    quiet()
    (folder / "visit-3").unlink()
    (folder / "visit-3").mkdir()
    with pytest.raises(OSError, match="visit-3"):
        sut.visit(3)


def test_a_file_that_is_not_there_yet_is_not_waited_for_ahead(folder, spy):
    (folder / "visit-2").unlink()
    sut = Run(folder)
    sut.visit(1)
    quiet()
    assert spy.reads == [("visit-1", "in time")]
    (folder / "visit-2").write_text("late")
    assert sut.visit(2) == "late"


def test_a_read_in_progress_is_waited_for_and_not_begun_again(folder, spy):
    spy.gate.clear()
    sut = Run(folder)
    sut.visit(1)
    begun(spy, "visit-2")
    timer = threading.Timer(0.2, spy.gate.set)
    timer.start()
    assert sut.visit(2) == "text 2"
    timer.join()
    assert ("visit-2", "in time") not in spy.reads


def test_a_file_whose_turn_has_not_come_is_read_by_the_stage(folder, spy):
    """Two items: the first is being read, the second waits behind it."""
    sut = Run(folder, ahead=2)
    spy.gate.clear()
    sut.visit(1)
    assert sut.visit(3) == "text 3"
    assert ("visit-3", "in time") in spy.reads
    spy.gate.set()


def test_the_clipboard_tells_what_the_next_visits_will_hold(folder, spy):
    sut = Run(folder, 'additionalData: "number=exposure.n"', ahead=2, name="number")
    exposure = PropertySet()
    exposure.set("n", 5)
    coming = [{"exposure": {"n": 4}}, {"exposure": exposure}]
    assert sut.visit(1, exposure={"n": 2}, upcomingVisits=coming) == "text 2"
    quiet()
    assert spy.reads == [("visit-2", "in time"), ("visit-4", "ahead"), ("visit-5", "ahead")]
    assert sut.visit(2, exposure={"n": 4}, upcomingVisits={"exposure": {"n": 5}}) == "text 4"
    assert sut.visit(3, exposure={"n": 6}) == "text 6"
    assert spy.reads[3:] == [("visit-6", "in time")]


def test_where_the_next_visit_is_not_known_nothing_is_read_ahead_and_that_is_told_once(folder, spy, capfd):
    sut = Run(folder, 'additionalData: "number=exposure.n"', name="number")
    sut.visit(1, exposure={"n": 2})
    sut.visit(2, exposure={"n": 3})
    quiet()
    assert spy.reads == [("visit-2", "in time"), ("visit-3", "in time")]
    told = capfd.readouterr().err
    assert told.count("no file is read ahead where the next visit is not known") == 1
    assert "the clipboard has no value under 'exposure'" in told


@pytest.mark.parametrize("wrong", [3, ["visit"], "visit"])
def test_what_is_no_list_of_dicts_is_told_and_does_no_harm(folder, spy, wrong, capfd):
    sut = Run(folder)
    assert sut.visit(1, upcomingVisits=wrong) == "text 1"
    assert "'upcomingVisits' on the clipboard must" in capfd.readouterr().err


def test_nothing_is_read_ahead_where_the_shared_memory_would_be_more_than_half_full(folder, spy, monkeypatch):
    sut = Run(folder)
    monkeypatch.setattr("harness.arrays.room", lambda: (59, 100))
    sut.visit(1)
    quiet()
    assert spy.reads == [("visit-1", "in time")]
    monkeypatch.setattr("harness.arrays.room", lambda: (1000, 1000))
    assert sut.visit(2) == "text 2"
    quiet()
    assert spy.reads == [("visit-1", "in time"), ("visit-2", "in time"), ("visit-3", "ahead")]


def test_the_working_directory_of_the_stage_counts(folder, spy, monkeypatch):
    monkeypatch.chdir(folder)
    sut = Run(".")
    sut.visit(1)
    monkeypatch.chdir("/")
    quiet()
    monkeypatch.chdir(folder)
    assert sut.visit(2) == "text 2"
    assert spy.reads[:2] == [("visit-1", "in time"), ("visit-2", "ahead")]


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_waits_for_the_file_that_is_being_read_and_its_child_starts_afresh(folder, spy):
    spy.gate.clear()
    sut = Run(folder, ahead=3)
    sut.visit(1)
    while len(spy.reads) < 2:
        time.sleep(0.001)
    timer = threading.Timer(0.2, spy.gate.set)
    timer.start()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            # What the parent was going to read is read here in time: there is no thread to wait for.
            code = 0 if sut.visit(4) == "text 4" and process_reader()._busy.acquire(timeout=30) else 2
        finally:
            os._exit(code)
    assert spy.gate.is_set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    timer.join()
    assert sut.visit(2) == "text 2"
    assert ("visit-2", "in time") not in spy.reads


def test_the_thread_does_not_count_among_those_that_stages_start(folder, spy, capfd):
    def counted():
        ThreadCheck(0)(Log())
        found = re.search(r"has (\d+) threads", capfd.readouterr().err)
        return int(found[1]) if found else 1

    stage_thread = threading.Thread(target=spy.gate.wait)
    spy.gate.clear()
    stage_thread.start()
    before = counted()
    Run(folder).visit(1)
    assert any(thread.name == THREAD_NAME for thread in threading.enumerate())
    assert counted() == before
    spy.gate.set()
    stage_thread.join()


def test_what_was_read_ahead_is_let_go_of_at_shutdown(folder, spy, capfd):
    sut = Run(folder)
    sut.visit(1)
    quiet()
    sut.stage.shutdown()
    assert "read ahead: 0 files came in time, 1 were not wanted" in capfd.readouterr().err
    assert sut.visit(2) == "text 2"
    assert spy.reads[:3] == [("visit-1", "in time"), ("visit-2", "ahead"), ("visit-2", "in time")]


def test_a_negative_or_immoderate_number_of_visits_is_refused(folder, spy):
    for wrong in (-1, 17):
        with pytest.raises(ValueError, match="readAhead"):
            Run(folder, ahead=wrong)
