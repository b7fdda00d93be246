# SPDX-License-Identifier: BSD-3-Clause
"""What stages log in the real slices of a test comes to the log of the test, at the level it asks for."""

from __future__ import annotations

import logging
import os
import signal

import pytest
from harness.locations import LogicalLocation
from harness.log import (
    Debug,
    Log,
    LogDestination,
    PrependedFormatter,
    getDefaultLog,
    set_default_log,
)
from harness.properties import PropertySet
from harness.stage import ParallelProcessing, SerialProcessing, Stage
from harness.tester import SimpleStageTester


class Telling(Stage):
    class serialClass(SerialProcessing):
        def preprocess(self, clipboard):
            self.log.info("master begins")

        def postprocess(self, clipboard):
            self.log.warn("master ends")

    class parallelClass(ParallelProcessing):
        def setup(self):
            self.log.log(-3, f"slice {self.rank} is set up")

        def process(self, clipboard):
            self.log.info(f"slice {self.rank} works", {"width": 2.5})
            Log(self.log, "fit").logdebug(f"slice {self.rank} fits")
            logging.getLogger("library").warning("library of slice %d", self.rank)
            what = clipboard.get("what")
            if what == "raise":
                raise ValueError(f"bad pixel in {self.rank}")
            if what == "die":
                os.kill(os.getpid(), signal.SIGKILL)


class Kept(LogDestination):
    """A destination that keeps what it gets."""

    def __init__(self) -> None:
        super().__init__(None, PrependedFormatter())
        self.records = []

    def write(self, record):
        self.records.append(record)
        return True

    def texts(self) -> list[str]:
        return [record.getProperties().getString("COMMENT") for record in self.records]


@pytest.fixture
def kept():
    """What comes to the default log of the test."""
    destination = Kept()
    log = Log(Log.INFO)
    log.addDestination(destination)
    set_default_log(log)
    yield destination
    set_default_log(None)


@pytest.mark.contract("9.slices")
def test_what_stages_log_comes_to_the_log_of_the_test_in_order_of_time(kept):
    SimpleStageTester(Telling(), runID="r9").runSlices({}, 2)
    texts = kept.texts()
    assert texts[0] == "master begins" and texts[-1] == "master ends"
    assert sorted(texts[1:-1]) == [
        "library of slice 0", "library of slice 1", "slice 0 works", "slice 1 works",
    ]  # fmt: skip
    record = kept.records[texts.index("slice 1 works")]
    found = record.getProperties()
    assert record.getImportance() == Log.INFO and found.getString("LOG") == "SimpleStageTester"
    assert (found.getInt("SLICEID"), found.getInt("LOOPNUM"), found.getInt("STAGEID")) == (1, 1, 1)
    assert found.getString("RUNID") == "r9" and found.getDouble("width") == 2.5


def test_the_threshold_of_the_tester_says_how_much_comes(kept):
    sut = SimpleStageTester(Telling())
    sut.setLogThreshold(Log.WARN)
    sut.runSlices({}, 1)
    assert kept.texts() == ["library of slice 0", "master ends"]
    kept.records.clear()
    sut.setDebugVerbosity(10)
    sut.runSlices({}, 1)
    assert {"slice 0 is set up", "slice 0 fits", "slice 0 works"} <= set(kept.texts())


def test_what_was_logged_before_a_stage_raised_comes_and_the_exception_is_told_once(kept):
    with pytest.raises(ValueError, match="bad pixel in 0"):
        SimpleStageTester(Telling()).runSlices({"what": "raise"}, 1)
    assert "slice 0 works" in kept.texts()
    assert not any("bad pixel" in text for text in kept.texts())


def test_what_a_slice_logged_before_it_was_killed_comes(kept):
    with pytest.raises(Exception, match="SIGKILL"):
        SimpleStageTester(Telling()).runSlices({"what": "die"}, 1)
    assert "slice 0 works" in kept.texts()


def test_caplog_gets_records_once_at_the_level_that_both_let_pass(caplog, stage_tester):
    caplog.set_level(logging.INFO)
    stage_tester(Telling()).runSlices({}, 1)
    found = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    assert found == [
        ("SimpleStageTester", "INFO", "master begins"),
        ("SimpleStageTester", "INFO", "slice 0 works"),
        ("library", "WARNING", "library of slice 0"),
        ("SimpleStageTester", "WARNING", "master ends"),
    ]
    assert caplog.records[1].properties["SLICEID"] == 0


def test_handlers_of_the_test_are_not_called_in_slices(stage_tester, capfd):
    handler = logging.StreamHandler()
    logging.getLogger("library").addHandler(handler)
    try:
        stage_tester(Telling()).runSlices({}, 1)
    finally:
        logging.getLogger("library").removeHandler(handler)
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if line == "library of slice 0"] == ["library of slice 0"]


class InBothWays(Stage):
    class serialClass(SerialProcessing):
        def preprocess(self, clipboard):
            self.log.debug(3, "in verbosity")
            self.log.timeBlock("warp").done()

    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            self.log.debug(3, "in verbosity")
            self.log.timeBlock("warp").done()


@pytest.mark.contract("9.new", "13.4.debug", "13.5.blocks")
@pytest.mark.parametrize(
    ("run", "times"),
    [
        (lambda tester: tester.runWorker({}), 1),
        (lambda tester: tester.runMaster({}), 1),
        (lambda tester: tester.runSlices({}, 1), 2),
    ],
)
def test_the_log_of_a_stage_has_debug_and_blocks_wherever_it_runs(kept, run, times):
    sut = SimpleStageTester(InBothWays())
    sut.setDebugVerbosity(3)
    run(sut)
    texts = [text for text in kept.texts() if text.endswith(("verbosity", "warp"))]
    assert texts == ["in verbosity", "Starting warp", "Ending warp"] * times
    ends = [record for record in kept.records if record.getProperties().getString("COMMENT") == "Ending warp"]
    assert all(end.getProperties().exists("usertime") for end in ends)
    assert {end.getProperties().getString("LOG") for end in ends} == {"SimpleStageTester.warp"}
    kept.records.clear()
    sut.setDebugVerbosity(2)
    run(sut)
    assert not any("verbosity" in text for text in kept.texts())


def test_the_default_verbosity_of_debug_logs_is_that_of_the_tester(kept, monkeypatch):
    monkeypatch.setattr(Debug, "default_max_debug", 3)
    SimpleStageTester(InBothWays()).runWorker({})
    assert "in verbosity" in kept.texts()


class Threshold(Stage):
    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("threshold", self.log.getThreshold())
            getDefaultLog().info("of the default log")


def test_the_default_log_of_a_slice_has_the_threshold_of_the_tester(kept):
    out = SimpleStageTester(Threshold()).runSlices({}, 1)
    assert out[0].get("threshold") == Log.INFO and kept.texts() == ["of the default log"]


class Located(Stage):
    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("place", LogicalLocation("%(input)/frame").locString())


def test_locations_that_the_test_has_set_hold_in_slices():
    places = PropertySet()
    places.set("input", "/data/night7")
    LogicalLocation.setLocationMap(places)
    try:
        out = SimpleStageTester(Located()).runSlices({}, 1)
    finally:
        LogicalLocation.setLocationMap(PropertySet())
    assert out[0].get("place") == "/data/night7/frame"


class Looks(Stage):
    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("files", sorted(os.listdir(clipboard.get("folder"))))


def test_a_test_in_slices_needs_no_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    out = SimpleStageTester(Looks()).runSlices({"folder": str(tmp_path)}, 1)
    assert out[0].get("files") == [] and os.listdir(tmp_path) == []
