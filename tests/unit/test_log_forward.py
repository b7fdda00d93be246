# SPDX-License-Identifier: BSD-3-Clause
"""Forwarding to the standard library's logging."""

import logging

import pytest
from harness.log import Log, LogRec, forward_to_logging
from harness.properties import DateTime


@pytest.fixture
def log():
    root = Log(-10)
    root.setPreambleProperty("RUNID", "run7")
    return root


@pytest.mark.parametrize(
    "importance, level",
    [
        (20, "CRITICAL"),
        (19, "WARNING"),
        (10, "WARNING"),
        (9, "INFO"),
        (0, "INFO"),
        (-1, "DEBUG"),
        (-10, "DEBUG"),
    ],
)
def test_importance_becomes_a_level(log, caplog, importance, level):
    forward_to_logging(log)
    with caplog.at_level("DEBUG"):
        log.log(importance, "text")
    assert [(r.levelname, r.getMessage(), r.name) for r in caplog.records] == [(level, "text", "harness")]


def test_name_comments_and_properties_come_along(log, caplog):
    forward_to_logging(log)
    child = Log(log, "harness.slice")
    with caplog.at_level("DEBUG"):
        record = (
            LogRec(child, 0) << "100 % done" << "really" << {"rms": 0.5, "fit": {"n": [1, 2]}, "args": "mine"}
        )
        created = record.getProperties().getDateTime("TIMESTAMP").nsecs(DateTime.UTC)
        record << LogRec.endr
    (forwarded,) = caplog.records
    assert forwarded.name == "harness.slice"
    assert forwarded.getMessage() == "100 % done\nreally"
    assert (forwarded.RUNID, forwarded.rms, forwarded.fit) == ("run7", 0.5, {"n": [1, 2]})
    assert forwarded.args == () and forwarded.properties["args"] == "mine"
    assert forwarded.created == pytest.approx(created / 1e9)
    assert forwarded.msecs == int(created // 1_000_000 % 1000)


def test_nothing_is_forwarded_unless_asked(log, caplog):
    with caplog.at_level("DEBUG"):
        log.log(20, "text")
    assert caplog.records == []


def test_thresholds_of_both_sides_count(log, caplog):
    destination = forward_to_logging(log, 5)
    with caplog.at_level("WARNING", logger="harness"):
        log.log(0, "below the destination's")
        log.log(5, "below the logger's")
        log.log(10, "shown")
    assert [r.getMessage() for r in caplog.records] == ["shown"]
    assert destination.getThreshold() == 5


def test_a_filter_of_the_logger_is_honoured(log, caplog):
    forward_to_logging(log)
    logger = logging.getLogger("harness")
    logger.addFilter(refuse := lambda record: False)
    try:
        log.log(20, "text")
    finally:
        logger.removeFilter(refuse)
    assert caplog.records == []
