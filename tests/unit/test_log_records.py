# SPDX-License-Identifier: BSD-3-Clause
"""LogRecord and LogRec: properties and their types, time, sending."""

import gc
import io
import os
import re

import pytest
from harness.exceptions import TypeError as PexTypeError
from harness.log import BriefFormatter, Log, LogRec, LogRecord, Prop, Rec, endr
from harness.properties import DateTime, PropertySet


def root_to_text(level=Log.INFO):
    stream = io.StringIO()
    root = Log(level)
    root.addDestination(stream, formatter=BriefFormatter(True))
    return root, stream


def body(stream):
    return re.sub(r"(?m)^  (DATE|TIMESTAMP): .*\n", "", stream.getvalue())


# Properties.


@pytest.mark.contract("13.3.record", "17.64")
@pytest.mark.parametrize(
    "value, kind",
    [
        (True, "Bool"), (False, "Bool"), (3, "Int"), (2**31 - 1, "Int"), (-(2**31), "Int"),
        (2**31, "LongLong"), (-(2**31) - 1, "LongLong"), (0.5, "Double"), ("text", "String"),
        ([1, 2], "Int"), (["a"], "String"), (DateTime(1), "DateTime"),
    ],
)  # fmt: skip
def test_add_property_chooses_the_type(value, kind):
    record = LogRecord(0, 0)
    record.addProperty("x", value)
    assert record.getProperties().typeOf("x") is getattr(PropertySet, f"TYPE_{kind}")
    assert record.getProperties().getArray("x") == (value if isinstance(value, list) else [value])


def test_add_property_appends_and_flattens_dicts():
    record = LogRecord(0, 0)
    record.addProperty("n", 1)
    record.addProperty("n", [2, 3])
    record.addProperty("fit", {"rms": 0.03, "deep": {"k": "v"}})
    properties = record.getProperties()
    assert properties.get("n") == [1, 2, 3]
    assert (properties.get("fit.rms"), properties.get("fit.deep.k")) == (0.03, "v")


@pytest.mark.parametrize("value", [None, object(), {1, 2}, 2**64, b"x", [None]])
def test_other_values_are_a_type_error(value):
    with pytest.raises(PexTypeError, match="cannot store x"):
        LogRecord(0, 0).addProperty("x", value)


@pytest.mark.parametrize(
    "kind, value",
    [
        ("Bool", True),
        ("Int", 1),
        ("Long", 2),
        ("LongLong", 3),
        ("Float", 0.5),
        ("Double", 2.5),
        ("String", "x"),
    ],
)
def test_typed_add_property(kind, value):
    record = LogRecord(0, 0)
    getattr(record, f"addProperty{kind}")("x", value)
    assert record.getProperties().typeOf("x") is getattr(PropertySet, f"TYPE_{kind}")


@pytest.mark.contract("13.3.record")
@pytest.mark.parametrize("form", [lambda ps: ps, PropertySet.toDict])
def test_add_properties_leaves_reserved_names_alone(form):
    properties = PropertySet.from_mapping(
        {"LEVEL": 99, "LABEL": "no", "LOG": "no", "TIMESTAMP": 1, "DATE": "no", "a": {"b": [1, 2]}, "c": "d"}
    )
    before = properties.deepCopy()
    record = LogRecord(0, 5)
    record.addProperties(form(properties))
    kept = record.getProperties()
    assert kept.names(False) == ["a", "a.b", "c", "LEVEL", "TIMESTAMP", "DATE"]
    assert kept.getInt("LEVEL") == 5 and kept.get("a.b") == [1, 2]
    assert properties == before


def test_comments_are_an_array_of_texts():
    record = LogRecord(0, 0)
    record.addComment("one")
    record.addComment(ValueError("two"))
    assert record.getProperties().getArrayString("COMMENT") == ["one", "two"]


def test_preamble_is_copied():
    preamble = PropertySet()
    preamble.set("RUNID", "r1")
    record = LogRecord(0, 0, preamble)
    record.addProperty("RUNID", "r2")
    assert record.getProperties().get("RUNID") == ["r1", "r2"]
    assert preamble.get("RUNID") == "r1"


@pytest.mark.contract("13.3.record")
def test_a_record_below_its_threshold_stores_nothing():
    preamble = PropertySet()
    preamble.set("RUNID", "r1")
    record = LogRecord(5, 1, preamble)
    record.addComment("x")
    record.addProperty("x", object())
    record.addPropertyInt("x", 1)
    record.addProperties(preamble)
    record.setTimestamp()
    record.setDate()
    assert not record.willRecord() and record.getImportance() == 1
    assert len(record.getProperties()) == 0


@pytest.mark.parametrize(
    "arguments, shown", [((0, 0), False), ((0, 0, True), True), ((0, 0, PropertySet(), True), True)]
)
def test_show_all_of_a_record(arguments, shown):
    record = LogRecord(*arguments)
    assert record.willShowAll() is shown
    record.setShowAll(not shown)
    assert record.willShowAll() is not shown


# Time.


@pytest.mark.contract("17.63")
def test_time_of_creation_is_kept_and_printed_with_six_digits(monkeypatch):
    start = DateTime("2010-05-04T12:34:56.000456789Z")
    monkeypatch.setattr("harness.log.record.time.time_ns", lambda: start.nsecs(DateTime.UTC))
    record = LogRecord(0, 0)
    monkeypatch.undo()
    properties = record.getProperties()
    assert properties.getDateTime("TIMESTAMP") == start
    assert properties.getString("DATE") == "2010-05-04T12:34:56.000456"
    record.setTimestamp()
    assert record.getProperties().getDateTime("TIMESTAMP") > start
    assert not record.getProperties().getString("DATE").startswith("2010")


# LogRec.


@pytest.mark.contract("13.3.stream")
def test_stream_style_collects_texts_and_properties():
    root, stream = root_to_text()
    more = PropertySet()
    more.set("k", "v")
    (
        LogRec(root, Log.INFO)
        << "fit done"
        << "really"
        << Prop("iterations", 12)
        << {"rms": 0.03}
        << more
        << endr
    )
    assert body(stream) == (": fit done\n: really\n  iterations: 12\n  rms: 0.03\n  k: v\n  LEVEL: 0\n\n")


@pytest.mark.contract("13.3.stream")
def test_endr_sends_once():
    root, stream = root_to_text()
    record = Rec(root, 10)
    record << "x" << Rec.endr << LogRec.endr
    del record
    gc.collect()
    assert stream.getvalue().count(" WARNING: x") == 1


@pytest.mark.contract("13.3.stream")
def test_an_unsent_record_is_sent_when_dropped():
    root, stream = root_to_text()
    record = LogRec(root, 0) << "late"
    assert stream.getvalue() == ""
    del record
    gc.collect()
    assert stream.getvalue().startswith(": late\n")


def test_an_unsent_record_is_not_sent_again_by_a_forked_child(tmp_path):
    path = tmp_path / "x.log"
    root = Log()
    root.addDestination(path)
    record = LogRec(root, 0) << "late"
    child = os.fork()
    if child == 0:
        del record
        gc.collect()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert path.read_text() == ""
    del record
    gc.collect()
    assert path.read_text() == ": late\n"


def test_suppressed_stream_style_takes_anything_and_sends_nothing():
    root, stream = root_to_text()
    LogRec(root, -1) << "x" << object() << endr
    assert stream.getvalue() == ""


def test_shifting_something_else_is_a_type_error():
    root, _ = root_to_text()
    record = LogRec(root, 0)
    with pytest.raises(PexTypeError, match="cannot log int 3 with <<"):
        record << 3
    record << "done" << endr
