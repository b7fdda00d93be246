# SPDX-License-Identifier: BSD-3-Clause
"""The layouts of records, compared literally."""

import io
import re

import pytest
from harness.log import (
    BlockTimingLog,
    BriefFormatter,
    IndentedFormatter,
    Log,
    LogRecord,
    NetLoggerFormatter,
    PrependedFormatter,
)
from harness.properties import DateTime, PropertySet

# The examples of the contract: three records, the last one twice.
INDENTED_EXAMPLES = """\
harness.pipeline: threshold set
harness.slice.visit WARNING: slow disk
   harness.slice.visit.stage DEBUG: entering
   harness.slice.visit.stage DEBUG: entering
     STATUS: start
     LEVEL: -3
"""


def without_time(text):
    return re.sub(r"(?m)^.*\b(DATE|TIMESTAMP): .*\n", "", text)


def record(importance=0, name="tester", comments=("This is a test",), **properties):
    preamble = PropertySet()
    preamble.set("LOG", name)
    rec = LogRecord(-100, importance, preamble)
    for comment in comments:
        rec.addComment(comment)
    for key, value in properties.items():
        rec.addProperty(key, value)
    return rec


@pytest.mark.contract("13.6.formats")
def test_indented_examples_of_the_contract():
    quiet, verbose = io.StringIO(), io.StringIO()
    root = Log(Log.DEBUG)
    root.addDestination(quiet)
    Log(root, "harness.pipeline").log(Log.INFO, "threshold set")
    Log(root, "harness.slice.visit").log(Log.WARN, "slow disk")
    stage = Log(root, "harness.slice.visit.stage")
    stage.addDestination(verbose, formatter=IndentedFormatter(True))
    properties = PropertySet()
    properties.set(BlockTimingLog.STATUS, BlockTimingLog.START)
    stage.log(BlockTimingLog.INSTRUM, "entering", properties)
    assert quiet.getvalue() + without_time(verbose.getvalue()) == INDENTED_EXAMPLES + "\n"


@pytest.mark.parametrize(
    "importance, word",
    [(25, " FATAL"), (20, " FATAL"), (19, " WARNING"), (10, " WARNING"), (9, ""), (0, ""), (-1, " DEBUG")],
)
def test_level_word_follows_the_importance(importance, word):
    assert BriefFormatter().format(record(importance)) == f"tester{word}: This is a test\n"


@pytest.mark.contract("13.6.formats")
def test_brief_writes_one_line_per_comment():
    text = BriefFormatter().format(record(10, comments=("first", "second")))
    assert text == "tester WARNING: first\ntester WARNING: second\n"
    assert BriefFormatter().format(record(comments=())) == ""


@pytest.mark.parametrize("by_formatter", [True, False])
def test_verbose_brief_lists_values_in_order_of_insertion(by_formatter):
    rec = record(5, ok=True, n=[1, 2], f={"rms": 0.03, "big": 2**40}, text="a b")
    rec.setShowAll(not by_formatter)
    assert without_time(BriefFormatter(by_formatter).format(rec)) == (
        "tester: This is a test\n"
        "  ok: true\n"
        "  n: 1\n"
        "  n: 2\n"
        "  f.rms: 0.03\n"
        "  f.big: 1099511627776\n"
        "  text: a b\n"
        "  LEVEL: 5\n"
        "\n"
    )


@pytest.mark.contract("13.3.standard")
def test_times_are_tai_nanoseconds_and_utc_text():
    rec = record(0)
    rec.getProperties().setDateTime("TIMESTAMP", DateTime("2010-05-04T12:34:56.000456Z"))
    rec.setDate()
    text = BriefFormatter(True).format(rec)
    assert "  TIMESTAMP: 1272976530000456000\n  DATE: 2010-05-04T12:34:56.000456\n" in text


@pytest.mark.parametrize("importance, blanks", [(-1, 1), (-3, 3), (-10, 10), (0, 0), (10, 0)])
def test_indented_precedes_lines_by_negative_importance(importance, blanks):
    rec = record(importance, comments=("one", "two"), x=1)
    plain = BriefFormatter(True).format(rec)
    expected = "".join(f"{' ' * blanks if line else ''}{line}\n" for line in plain.splitlines())
    assert IndentedFormatter(True).format(rec) == expected


@pytest.mark.contract("13.6.formats")
def test_prepended_starts_with_date_and_label():
    rec = record(-3, x=1)
    rec.addPropertyString("LABEL", "ccd-12")
    rec.getProperties().setString("DATE", "2010-05-04T12:34:56.123456")
    assert PrependedFormatter().format(rec) == (
        "2010-05-04T12:34:56.123456: ccd-12: tester DEBUG: This is a test\n"
    )
    verbose = PrependedFormatter(True).format(rec)
    assert "  DATE: 2010-05-04T12:34:56.123456\n" in verbose and "LABEL" not in verbose
    assert verbose.endswith("\n\n")
    unlabelled = PrependedFormatter().format(record(10))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}: tester WARNING: This is a test\n", unlabelled
    )


def netlogger_record():
    rec = record(3, i=7, L=2**40, d=0.5, b=False, s="text")
    rec.addPropertyLong("l", 8)
    rec.addPropertyFloat("f", 0.1)
    rec.getProperties().setShort("short", 2)
    rec.getProperties().setDateTime("TIMESTAMP", DateTime("2010-05-04T12:34:56Z"))
    rec.setDate()
    return rec


NETLOGGER = """\
s LOG: tester
s COMMENT: This is a test
i i: 7
L L: 1099511627776
d d: 0.5
b b: false
s s: text
l l: 8
f f: 0.1
i LEVEL: 3
L TIMESTAMP: 1272976530000000000
t DATE: 2010-05-04T12:34:56.000000
? short: 2

"""


@pytest.mark.contract("13.6.formats")
def test_netlogger_names_the_type_of_every_value():
    assert NetLoggerFormatter().format(netlogger_record()) == NETLOGGER


def test_netlogger_separator_is_an_argument():
    assert NetLoggerFormatter("=").format(netlogger_record()) == NETLOGGER.replace(": ", "=")


def test_write_puts_the_text_on_a_stream():
    stream = io.StringIO()
    BriefFormatter().write(stream, record())
    assert stream.getvalue() == "tester: This is a test\n"


@pytest.mark.parametrize("formatter", [BriefFormatter(True), NetLoggerFormatter(), PrependedFormatter(True)])
def test_a_record_below_its_threshold_has_no_text(formatter):
    rec = LogRecord(5, 1)
    rec.addComment("lost")
    assert formatter.format(rec) == ""


def test_verbosity_of_a_format_can_change():
    formatter = BriefFormatter()
    formatter.setVerbose(True)
    assert formatter.isVerbose() and "LEVEL: 0" in formatter.format(record())


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a\n\nb", "a\n \nb"),
        ("a\n", "a\n "),
        ("\n\n", "\n \n "),
        ("a\r\nb", "a\r\nb"),
        ("a\r\n\r\nb", "a\r\n \r\nb"),
        ("a\r\rb\n\r", "a\r \rb\n \r "),
    ],
)
def test_netlogger_writes_a_blank_for_an_empty_line_within_a_value(text, written):
    whole = NetLoggerFormatter().format(record(comments=(text,), words=text))
    assert f"s COMMENT: {written}\ns words: {written}\ni LEVEL: 0\n" in whole
    lines = whole.replace("\r\n", "\n").replace("\r", "\n")
    assert lines.index("\n\n") == len(lines) - 2
