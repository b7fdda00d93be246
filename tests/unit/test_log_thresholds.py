# SPDX-License-Identifier: BSD-3-Clause
"""Log names, thresholds remembered by name, show-all, preambles, copies."""

import copy
import io
import pickle
import subprocess
import sys

import harness.log as logs
import lsst.pex.logging as shim
import pytest
from harness.exceptions import TypeError as PexTypeError
from harness.log import BriefFormatter, Log, LogRec, LogRecord, threshold
from harness.properties import PropertySet


def root_to_text(level=Log.INFO, verbose=False):
    stream = io.StringIO()
    root = Log(level)
    root.addDestination(stream, formatter=BriefFormatter(verbose))
    return root, stream


def test_shim_exports_the_same_objects():
    names = """Log LogRec Rec Prop endr LogRecord Debug BlockTimingLog ScreenLog DualLog Trace
        FileDestination getDefaultLog LogDestination threshold""".split()
    assert all(getattr(shim, name) is getattr(logs, name) for name in names)


@pytest.mark.contract("13.1.constants")
def test_constants():
    assert (Log.DEBUG, Log.INFO, Log.WARN, Log.FATAL) == (-10, 0, 10, 20)
    assert Log.INHERIT_THRESHOLD == threshold.PASS_ALL == -9999


def test_import_stays_light():
    heavy = {"numpy", "astropy", "matplotlib", "rich", "logging"}
    code = f"import harness.log, harness.properties, sys; print({heavy} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


# Names.


@pytest.mark.contract("13.2.children")
def test_child_names_are_dotted_except_below_a_nameless_root():
    root = Log()
    child = Log(root, "harness.slice")
    assert (root.getName(), child.getName()) == ("", "harness.slice")
    assert child.createChildLog("visit.stage").getName() == "harness.slice.visit.stage"
    assert Log(Log(Log.INFO, "app"), "part").getName() == "app.part"
    assert Log(parent=child, childName="x", threshold=5).getThreshold() == 5


# Thresholds.


def test_default_threshold_is_info_and_decides_what_is_sent():
    root, stream = root_to_text()
    assert root.getThreshold() == Log.INFO and root.sends(0) and not root.sends(-1)
    root.log(-1, "hidden")
    root.log(0, "shown")
    assert stream.getvalue() == ": shown\n"


@pytest.mark.contract("13.2.thresholds")
def test_root_threshold_reaches_every_log_that_inherits():
    root = Log()
    child = Log(root, "a.b")
    grandchild = Log(child, "c")
    own = Log(root, "a.own", 7)
    root.setThreshold(-4)
    assert [log.getThreshold() for log in (child, grandchild, own)] == [-4, -4, 7]


@pytest.mark.contract("13.2.thresholds")
def test_nearest_ancestor_by_name_decides_even_without_a_log_object():
    root = Log()
    leaf = Log(root, "a.b.c")
    root.setThresholdFor("a", 3)
    assert leaf.getThreshold() == 3
    root.setThresholdFor("a.b", -3)
    assert leaf.getThreshold() == -3
    root.setThresholdFor("a.b", Log.INHERIT_THRESHOLD)
    assert leaf.getThreshold() == 3
    assert Log(root, "ab").getThreshold() == Log.INFO


@pytest.mark.contract("13.2.thresholds")
def test_threshold_outlives_the_log_that_set_it():
    root = Log()
    Log(root, "a").setThreshold(-5)
    assert Log(root, "a").getThreshold() == -5
    assert Log(root, "a").createChildLog("b").getThreshold() == -5
    assert root.getThresholdFor("a.b") == -5


def test_threshold_for_is_relative_to_the_log():
    root = Log()
    child = Log(root, "a")
    child.setThresholdFor("b.c", 4)
    assert child.getThresholdFor("b.c") == root.getThresholdFor("a.b.c") == 4
    assert child.getThresholdFor("") == child.getThreshold()


def test_reset_threshold_inherits_and_a_root_returns_to_its_first():
    root = Log(5)
    child = Log(root, "a", -1)
    child.resetThreshold()
    assert child.getThreshold() == 5
    root.setThreshold(9)
    root.resetThreshold()
    assert root.getThreshold() == child.getThreshold() == 5


def test_a_root_made_with_pass_all_passes_everything():
    assert Log(threshold.PASS_ALL).sends(-5000)


def test_separate_roots_are_independent():
    first, second = Log(), Log()
    first.setThresholdFor("a", 8)
    assert second.getThresholdFor("a") == Log.INFO


@pytest.mark.contract("13.2.memory")
def test_print_and_reset_thresholds():
    root = Log(2)
    root.setThreshold(1)
    Log(root, "harness.slice", -3)
    root.setThresholdFor("a", 12)
    stream = io.StringIO()
    root.printThresholds(stream)
    assert stream.getvalue() == (
        "(root)                 1\na                     12\nharness.slice         -3\n"
    )
    root.reset()
    assert (root.getThreshold(), root.getThresholdFor("harness.slice")) == (2, 2)


def test_suppressed_calls_build_no_record(monkeypatch):
    class Unprintable:
        def __str__(self):
            raise AssertionError("formatted although suppressed")

    root, _ = root_to_text()
    monkeypatch.setattr(LogRecord, "__init__", None)
    root.log(-1, Unprintable(), {"x": object()})
    root.format(-1, "%s", Unprintable())
    root.debugf("%s", Unprintable())
    root.logdebug(Unprintable())


# Sending.


@pytest.mark.contract("13.2.sending")
@pytest.mark.parametrize(
    "method, importance",
    [("logdebug", -10), ("info", 0), ("warn", 10), ("fatal", 20), ("loginfo", 0), ("logwarn", 10),
     ("logfatal", 20)],
)  # fmt: skip
def test_shortcuts_send_at_their_level(method, importance):
    root, stream = root_to_text(-10, verbose=True)
    properties = PropertySet()
    properties.set("x", 1)
    getattr(root, method)("text", properties)
    assert f"  x: 1\n  LEVEL: {importance}\n" in stream.getvalue()


@pytest.mark.contract("13.2.sending")
@pytest.mark.parametrize(
    "method, word", [("debugf", " DEBUG"), ("infof", ""), ("warnf", " WARNING"), ("fatalf", " FATAL")]
)
def test_printf_style(method, word):
    root, stream = root_to_text(-10)
    getattr(root, method)("%d of %s", 3, "five")
    assert stream.getvalue() == f"{word}: 3 of five\n"


@pytest.mark.contract("13.2.sending")
def test_send_delivers_a_ready_record_if_it_passes():
    root, stream = root_to_text(5)
    for importance in (4, 5):
        record = LogRecord(-10, importance, root.getPreamble())
        record.addComment(f"importance {importance}")
        root.send(record)
    below = LogRecord(30, 20)
    below.addComment("below its own threshold")
    root.send(below)
    assert stream.getvalue() == ": importance 5\n"


# Preamble.


@pytest.mark.contract("13.2.children")
def test_preamble_goes_with_every_record_and_is_copied_to_children():
    root, stream = root_to_text(verbose=True)
    root.setPreambleProperty("RUNID", "r1")
    child = Log(root, "a")
    root.setPreambleProperty("RUNID", "r2")
    root.addPreambleProperty("RUNID", "r3")
    child.log(0, "text")
    assert stream.getvalue().startswith("a: text\n  RUNID: r1\n  LEVEL: 0\n")
    assert root.getPreamble().get("RUNID") == ["r2", "r3"]
    assert child.getPreamble().get("LOG") == "a"


@pytest.mark.contract("13.2.preamble")
@pytest.mark.parametrize(
    "kind, value",
    [
        ("Int", 1),
        ("Long", 2),
        ("LongLong", 3),
        ("Float", 0.5),
        ("Double", 2.5),
        ("Bool", True),
        ("String", "x"),
    ],
)
def test_typed_preamble_properties(kind, value):
    log = Log()
    getattr(log, f"setPreambleProperty{kind}")("x", value)
    getattr(log, f"addPreambleProperty{kind}")("x", value)
    assert log.getPreamble().typeOf("x") is getattr(PropertySet, f"TYPE_{kind}")
    assert log.getPreamble().get("x") == [value, value]


@pytest.mark.contract("13.2.preamble")
def test_label_is_a_preamble_property():
    log = Log()
    log.addLabel("ccd-12")
    assert log.getPreamble().getString("LABEL") == "ccd-12"


def test_get_preamble_is_a_copy():
    log = Log()
    log.getPreamble().set("LOG", "other")
    assert log.getPreamble().get("LOG") == ""


# Destinations.


@pytest.mark.contract("13.2.children")
def test_children_copy_the_destinations_of_that_moment():
    root = Log()
    child = Log(root, "a")
    stream = io.StringIO()
    root.addDestination(stream)
    child.log(0, "nowhere")
    Log(root, "b").log(0, "somewhere")
    assert stream.getvalue() == "b: somewhere\n"


@pytest.mark.contract("13.2.destinations")
def test_destination_threshold_filters_for_itself():
    root = Log(-10)
    quiet, loud = io.StringIO(), io.StringIO()
    root.addDestination(quiet, 10)
    root.addDestination(loud, threshold.PASS_ALL)
    for importance in (-5, 0, 10):
        root.log(importance, str(importance))
    assert quiet.getvalue() == " WARNING: 10\n"
    assert loud.getvalue() == "      DEBUG: -5\n: 0\n WARNING: 10\n"


def test_something_else_is_no_destination():
    with pytest.raises(PexTypeError, match="expected a LogDestination, a path or a text stream, got int"):
        Log().addDestination(3)


# Show-all.


@pytest.mark.contract("13.2.showAll")
def test_show_all_is_inherited_from_the_root():
    root, stream = root_to_text()
    child = Log(root, "a")
    assert not child.willShowAll()
    root.setShowAll(True)
    assert child.willShowAll()
    child.setShowAll(False)
    assert root.willShowAll() and not child.willShowAll()
    assert Log(root, "a").willShowAll()
    child.resetShowAll()
    assert child.willShowAll()
    root.resetShowAll()
    assert not root.willShowAll() and not child.willShowAll()
    assert stream.getvalue() == ""


@pytest.mark.contract("17.62")
def test_log_rec_honours_show_all():
    root, stream = root_to_text()
    root.setShowAll(True)
    LogRec(root, 0) << "text" << LogRec.endr
    root.log(0, "text")
    assert stream.getvalue().count("  LEVEL: 0\n") == 2


# Copies.


@pytest.mark.parametrize("clone", [Log, copy.copy, copy.deepcopy])
def test_a_copy_has_its_own_destinations_and_preamble(clone):
    root, stream = root_to_text()
    log = Log(root, "a", 5)
    log.setShowAll(True)
    twin = clone(log)
    assert (twin.getName(), twin.getThreshold(), twin.willShowAll()) == ("a", 5, True)
    twin.setPreambleProperty("x", 1)
    twin.addDestination(io.StringIO())
    assert not log.getPreamble().exists("x")
    log.log(5, "once")
    assert stream.getvalue().count("once") == 1
    log.setThreshold(-1)
    assert twin.getThreshold() == -1


def test_a_log_cannot_be_pickled_and_says_why():
    with pytest.raises(TypeError, match="cannot pickle the log a: its destinations belong to this process"):
        pickle.dumps(Log(Log(), "a"))


# Context.


def test_context_reaches_logs_made_earlier_and_later():
    root, stream = root_to_text(verbose=True)
    log = Log(root, "a")
    made_by_stage = Log(log, "b")
    log.context.set("LOOPNUM", 1)
    made_by_stage.log(0, "x")
    log.context.set("LOOPNUM", 2)
    LogRec(made_by_stage, 0) << "y" << LogRec.endr
    Log(root, "c").log(0, "z")
    assert [line for line in stream.getvalue().splitlines() if "LOOPNUM" in line] == [
        "  LOOPNUM: 1", "  LOOPNUM: 2", "  LOOPNUM: 2",
    ]  # fmt: skip
    log.context.remove("LOOPNUM")
    assert not made_by_stage.getPreamble().exists("LOOPNUM")


def test_context_wins_over_the_preamble_and_separate_trees_do_not_share_it():
    log, other = Log(), Log()
    log.setPreambleProperty("STAGEID", -1)
    log.context.set("STAGEID", 3)
    assert log.getPreamble().get("STAGEID") == 3
    assert not other.getPreamble().exists("STAGEID")
    with pytest.raises(PexTypeError):
        log.context.set("x", object())


def test_numbers_of_the_context_change_kind_and_go_like_other_properties():
    log = Log()
    for value in (1, 2, "two", 3, True, 2**40, 4):
        log.context.set("STAGEID", value)
        found = log.getPreamble().get("STAGEID")
        assert found == value and type(found) is type(value)
    log.context.set("STAGEID", [])
    assert log.getPreamble().get("STAGEID") == 4
    log.context.set("LOOPNUM", 7)
    with pytest.raises(PexTypeError):
        log.context.set("STAGEID", object())
    assert log.getPreamble().get("STAGEID") == 4
    log.context.remove("STAGEID")
    assert not log.getPreamble().exists("STAGEID") and log.getPreamble().get("LOOPNUM") == 7
