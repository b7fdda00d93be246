# SPDX-License-Identifier: BSD-3-Clause
"""Property sets as JSON and PAF, tables as ECSV and Parquet."""

import os

import harness.exceptions as pex
import numpy
import pytest
from harness.policy import Policy, PolicyString
from harness.properties import DateTime, PropertyList, PropertySet
from harness.storage import ReadRequest, storage_named

TABLES = ["EcsvStorage", "ParquetStorage"]


def request(kind=""):
    return ReadRequest("catalogue", kind)


def error_of(name, path, kind=""):
    with pytest.raises(pex.IoError) as caught:
        storage_named(name).read(str(path), request(kind))
    assert "item 'catalogue'" in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def properties():
    found = PropertySet()
    found.set("exposure.time", 15.5)
    found.set("visit", 85)
    found.set("good", True)
    found.set("filters", ["g", "r"])
    return found


@pytest.mark.parametrize("name", ["JsonStorage", "PafStorage"])
def test_a_property_set_comes_back_equal(name, tmp_path):
    sut = storage_named(name)
    sut.write(str(tmp_path / "a"), properties())
    found = sut.read(str(tmp_path / "a"), request())
    assert type(found) is PropertySet and found.toString() == properties().toString()
    assert found.typeOf("visit") == properties().typeOf("visit")


def test_json_keeps_long_integers_dates_and_property_lists_with_comments(tmp_path):
    header = PropertyList()
    header.set("BIG", 2**40, "more than 32 bits")
    header.set("WHEN", DateTime(10**18), "of the exposure")
    storage_named("JsonStorage").write(str(tmp_path / "a"), header)
    found = storage_named("JsonStorage").read(str(tmp_path / "a"), request("PropertyList"))
    assert type(found) is PropertyList and found.toList() == header.toList()


def test_a_dict_is_plain_json(tmp_path):
    sut = storage_named("JsonStorage")
    sut.write(str(tmp_path / "a"), {"a": [1, {"b": None}], "c": "ü"})
    assert sut.read(str(tmp_path / "a"), request("dict")) == {"a": [1, {"b": None}], "c": "ü"}


def test_a_policy_is_written_and_read_as_paf(tmp_path):
    policy = Policy(PolicyString("threshold: 5.0\nfilters: g r\nsub: { n: 3 }\n"))
    sut = storage_named("PafStorage")
    sut.write(str(tmp_path / "a"), policy)
    found = sut.read(str(tmp_path / "a"), request("Policy"))
    assert type(found) is Policy and found.toString() == policy.toString()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("JsonStorage", 3),
        ("JsonStorage", {1: 2}),
        ("PafStorage", PropertyList()),
        ("PafStorage", numpy.zeros(3)),
    ],
)
def test_other_objects_are_type_errors_and_leave_no_file(name, wrong, tmp_path):
    with pytest.raises(TypeError, match=f"{name} "):
        storage_named(name).write(str(tmp_path / "a"), wrong)
    assert list(tmp_path.iterdir()) == []


def test_what_paf_cannot_hold_is_refused(tmp_path):
    too_long = PropertySet()
    too_long.set("big", 2**40)
    with pytest.raises(TypeError):
        storage_named("PafStorage").write(str(tmp_path / "a"), too_long)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("JsonStorage", b'{"a": 1', "damaged or no such JSON"),
        ("JsonStorage", b"[1]", "damaged or no such JSON"),
        ("JsonStorage", b"\xff", "no UTF-8"),
        ("PafStorage", b"a: {\n b: 1\n", "damaged or no PAF"),
        ("PafStorage", b"a 1", "damaged or no PAF"),
    ],
)
def test_damaged_texts_are_told(name, content, why, tmp_path):
    (tmp_path / "a").write_bytes(content)
    assert why in error_of(name, tmp_path / "a")


@pytest.mark.parametrize("name", ["JsonStorage", "PafStorage", *TABLES])
def test_missing_files_are_io_errors(name, tmp_path):
    pytest.importorskip("pyarrow" if name == "ParquetStorage" else "astropy")
    assert "No such file" in error_of(name, tmp_path / "missing")


# --- tables


def table():
    units = pytest.importorskip("astropy.units")
    from astropy.table import MaskedColumn, Table

    pytest.importorskip("pyarrow")
    found = Table(
        {"id": numpy.arange(50), "flux": numpy.linspace(0, 1, 50) * units.Jy, "name": ["a", "b"] * 25}
    )
    found["seen"] = MaskedColumn(numpy.arange(50, dtype="i2"), mask=numpy.arange(50) % 2 == 0)
    found["flux"].description = "of the source"
    found.meta["survey"] = "imsim"
    return found


@pytest.mark.parametrize("name", TABLES)
def test_a_table_keeps_columns_units_descriptions_masks_and_metadata(name, tmp_path):
    sut, written = storage_named(name) if table() else None, table()
    sut.write(str(tmp_path / "a"), written)
    found = sut.read(str(tmp_path / "a"), request("Table"))
    assert found.colnames == written.colnames
    assert numpy.array_equal(found["flux"], written["flux"]) and str(found["flux"].unit) == "Jy"
    assert found["flux"].description == "of the source" and found.meta["survey"] == "imsim"
    assert found["name"].tolist() == written["name"].tolist()
    assert found["seen"].tolist() == written["seen"].tolist()
    assert all(found[name].dtype.isnative for name in found.colnames)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_can_come_with_quantities(name, tmp_path):
    sut, written = storage_named(name) if table() else None, table()
    sut.write(str(tmp_path / "a"), written)
    found = sut.read(str(tmp_path / "a"), request("QTable"))
    assert type(found).__name__ == "QTable" and found["flux"].unit.to_string() == "Jy"


@pytest.mark.parametrize("name", TABLES)
def test_something_that_is_no_table_is_refused(name, tmp_path):
    table()
    with pytest.raises(TypeError, match=f"{name} cannot write numpy.ndarray"):
        storage_named(name).write(str(tmp_path / "a"), numpy.zeros(3))
    with pytest.raises(TypeError, match=f"{name} makes no ndarray"):
        storage_named(name).read(str(tmp_path / "a"), request("ndarray"))


@pytest.mark.parametrize("name", TABLES)
def test_damaged_tables_are_told(name, tmp_path):
    sut = storage_named(name) if table() else None
    sut.write(str(tmp_path / "a"), table())
    os.truncate(tmp_path / "a", (tmp_path / "a").stat().st_size - 3)
    assert "cannot be read as" in error_of(name, tmp_path / "a")
    (tmp_path / "b").write_bytes(b"something else")
    assert "cannot be read as" in error_of(name, tmp_path / "b")
    (tmp_path / "c").touch()
    assert "the file is empty" in error_of(name, tmp_path / "c")
