# SPDX-License-Identifier: BSD-3-Clause
"""The logs of a Pipeline and its Slices: names, preamble, files, screen, context."""

import re

import pytest
from harness.exceptions import IoError
from harness.log import BlockTimingLog, Log, LogRec, open_run_log

SLICE = {
    "kind": "slice", "rank": 3, "run_id": "run7", "pipeline_name": "night", "workerid": "-1",
    "threshold": -3, "logdir": None, "screen_threshold": None,
}  # fmt: skip
PIPELINE = SLICE | {"kind": "pipeline", "rank": -1}

SLICE_FILE = """\
harness.slice: ready
  PIPELINE: night
  workerid: -1
  RUNID: run7
  SLICEID: 3
  LEVEL: 0

   harness.slice.visit DEBUG: Starting visit
     PIPELINE: night
     workerid: -1
     RUNID: run7
     SLICEID: 3
     LOOPNUM: 1
     STATUS: start
     LEVEL: -3

"""


def without_measures(text):
    return re.sub(r"(?m)^ +(DATE|TIMESTAMP|usertime|systemtime|minflt|majflt): .*\n", "", text)


@pytest.mark.contract("13.8.files")
def test_slice_file_is_indented_and_verbose(tmp_path, capfd):
    log = open_run_log(**SLICE | {"logdir": tmp_path})
    log.log(Log.INFO, "ready")
    log.context.set("LOOPNUM", 1)
    log.timeBlock("visit")
    text = (tmp_path / "Slice3.log").read_text()
    assert without_measures(text) == SLICE_FILE
    assert all(f"     {name}: " in text for name in ("usertime", "systemtime", "minflt", "majflt"))
    assert capfd.readouterr().err == ""


@pytest.mark.contract("13.8.preamble")
def test_names_of_log_and_file(tmp_path):
    log = open_run_log(**PIPELINE | {"logdir": str(tmp_path)})
    assert isinstance(log, BlockTimingLog) and log.getName() == "harness.pipeline"
    assert log.getPreamble().getInt("SLICEID") == -1
    assert [path.name for path in tmp_path.iterdir()] == ["Pipeline.log"]
    assert open_run_log(**SLICE).getName() == "harness.slice"


@pytest.mark.contract("13.8.files")
def test_file_is_truncated_at_start_unless_a_slice_is_taken_over(tmp_path):
    settings = SLICE | {"logdir": tmp_path}
    for text, truncate in (("old", True), ("first", True), ("second", False)):
        open_run_log(**settings, truncate=truncate).log(0, text)
    comments = re.findall(r"harness.slice: (\w+)", (tmp_path / "Slice3.log").read_text())
    assert comments == ["first", "second"]


def test_file_takes_records_from_debug_on(tmp_path):
    log = open_run_log(**SLICE | {"logdir": tmp_path, "threshold": -20})
    log.log(-11, "below")
    log.log(-10, "debug")
    assert re.findall(r"DEBUG: (\w+)", (tmp_path / "Slice3.log").read_text()) == ["debug"]


def test_threshold_is_the_root_s_and_reaches_stage_logs():
    log = open_run_log(**SLICE | {"threshold": 5})
    assert Log(log, "mystage").getThreshold() == 5


def test_missing_directory_is_an_error_that_names_the_file(tmp_path):
    with pytest.raises(IoError, match="cannot open log file.*none/Slice3.log"):
        open_run_log(**SLICE | {"logdir": tmp_path / "none"})


def test_screen_is_indented_with_its_own_threshold(capfd):
    log = open_run_log(**SLICE | {"screen_threshold": -1})
    log.log(-2, "hidden")
    log.log(-1, "shown")
    assert capfd.readouterr().err == " harness.slice DEBUG: shown\n"


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="expected 'pipeline' or 'slice'"):
        open_run_log(**SLICE | {"kind": "master"})


def test_context_follows_the_loop_in_logs_that_stages_made(tmp_path):
    log = open_run_log(**SLICE | {"logdir": tmp_path})
    of_stage = Log(log, "mystage")
    for visit in (1, 2):
        log.context.set("LOOPNUM", visit)
        for stage in (1, 2):
            log.context.set("STAGEID", stage)
            LogRec(of_stage, 0) << f"v{visit}s{stage}" << LogRec.endr
    log.context.remove("STAGEID")
    log.log(0, "end")
    text = (tmp_path / "Slice3.log").read_text()
    assert re.findall(r"mystage: (\w+)\n(?:  .*\n)*?  LOOPNUM: (\d)\n  STAGEID: (\d)", text) == [
        ("v1s1", "1", "1"), ("v1s2", "1", "2"), ("v2s1", "2", "1"), ("v2s2", "2", "2"),
    ]  # fmt: skip
    assert "STAGEID" not in text.split("harness.slice: end")[1]


@pytest.mark.contract("17.31")
def test_slices_of_one_process_keep_their_records_apart(tmp_path):
    first = open_run_log(**SLICE | {"logdir": tmp_path, "rank": 0})
    second = open_run_log(**SLICE | {"logdir": tmp_path, "rank": 1})
    first.context.set("LOOPNUM", 1)
    first.log(0, "one")
    second.log(0, "two")
    assert "two" not in (tmp_path / "Slice0.log").read_text()
    text = (tmp_path / "Slice1.log").read_text()
    assert "one" not in text and "LOOPNUM" not in text
