# SPDX-License-Identifier: BSD-3-Clause
"""ScreenLog, DualLog and the default log."""

import pytest
from harness.log import DualLog, Log, ScreenLog, getDefaultLog, set_default_log, threshold
from harness.properties import PropertySet


@pytest.fixture(autouse=True)
def no_default_log():
    set_default_log(None)
    yield
    set_default_log(None)


def preamble():
    properties = PropertySet()
    properties.set("RUNID", "r1")
    return properties


@pytest.mark.contract("13.6.screen")
def test_screen_log_is_indented_at_info(capfd):
    log = ScreenLog()
    Log(log, "a", -3).log(-3, "below")
    log.log(-1, "hidden")
    log.log(0, "shown")
    assert capfd.readouterr().err == "   a DEBUG: below\n: shown\n"


def test_screen_log_with_preamble_and_verbose(capfd):
    ScreenLog(preamble(), True, 5).log(5, "x")
    text = capfd.readouterr().err
    assert text.startswith(": x\n  RUNID: r1\n  LEVEL: 5\n")
    assert ScreenLog(threshold=5, verbose=True, preamble=preamble()).getThreshold() == 5


def test_screen_settings():
    log = ScreenLog(False, 3)
    assert log.getScreenThreshold() == 3 and not log.isScreenVerbose()
    log.setScreenVerbose(True)
    assert log.isScreenVerbose()
    log.setScreenThreshold(8)
    assert log.getScreenThreshold() == 8 and log.getThreshold() == 3
    log.setScreenThreshold(-5)
    assert log.getScreenThreshold() == log.getThreshold() == -5


@pytest.mark.contract("17.61")
@pytest.mark.parametrize("file, screen", [(-5, 0), (0, -5), (-5, 5), (5, 5)])
def test_dual_log_destinations_filter_for_themselves(tmp_path, capfd, file, screen):
    log = DualLog(str(tmp_path / "x.log"), file, screen)
    assert log.getThreshold() == min(file, screen)
    assert (log.getFileThreshold(), log.getScreenThreshold()) == (file, screen)
    for importance in (-5, 0, 5):
        log.log(importance, f"<{importance}>")
    on_screen, in_file = capfd.readouterr().err, (tmp_path / "x.log").read_text()
    for importance in (-5, 0, 5):
        assert (f": <{importance}>\n" in on_screen) == (importance >= screen)
        assert (f"s COMMENT: <{importance}>\n" in in_file) == (importance >= file)


@pytest.mark.contract("13.6.screen")
def test_dual_log_appends_in_the_netlogger_format(tmp_path, capfd):
    path = tmp_path / "x.log"
    for number in range(2):
        DualLog(preamble(), path, screenVerbose=True).log(0, f"run {number}")
    text = path.read_text()
    assert text.startswith("s LOG: \ns RUNID: r1\ns COMMENT: run 0\ni LEVEL: 0\n")
    assert "s COMMENT: run 1\n" in text
    assert "  RUNID: r1\n" in capfd.readouterr().err


def test_file_threshold_can_change(tmp_path, capfd):
    log = DualLog(tmp_path / "x.log")
    log.setFileThreshold(-3)
    log.log(-3, "x")
    assert "COMMENT: x" in (tmp_path / "x.log").read_text()
    assert capfd.readouterr().err == ""
    log.setFileThreshold(7)
    assert log.getFileThreshold() == 7


# The default log.


@pytest.mark.contract("13.2.default")
def test_default_log_is_made_on_first_use_and_kept():
    first = getDefaultLog()
    assert type(first) is ScreenLog and first.getThreshold() == Log.INFO
    assert Log.getDefaultLog() is first
    Log.closeDefaultLog()
    assert getDefaultLog() is not first


def test_screen_log_becomes_the_default(capfd):
    ScreenLog.createDefaultLog(preamble(), True, 5)
    log = getDefaultLog()
    assert type(log) is ScreenLog and log.isScreenVerbose() and log.getThreshold() == 5
    assert log.getPreamble().get("RUNID") == "r1"


def test_dual_log_becomes_the_default_and_its_file_takes_everything(tmp_path, capfd):
    DualLog.createDefaultLog(tmp_path / "x.log")
    log = getDefaultLog()
    assert type(log) is DualLog
    assert (log.getFileThreshold(), log.getScreenThreshold()) == (threshold.PASS_ALL, 0)
    log.log(-500, "whisper")
    assert "COMMENT: whisper" in (tmp_path / "x.log").read_text()
    assert capfd.readouterr().err == ""
    DualLog.createDefaultLog(preamble(), tmp_path / "y.log", 3)
    assert getDefaultLog().getFileThreshold() == 3


def test_another_log_can_be_the_default():
    mine = Log()
    set_default_log(mine)
    assert getDefaultLog() is mine
