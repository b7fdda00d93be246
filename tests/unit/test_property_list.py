# SPDX-License-Identifier: BSD-3-Clause
"""PropertyList: order, comments, flat names, copies, printing."""

import copy
import pickle

import lsst.daf.base as shim
import pytest
from harness.exceptions import NotFoundError
from harness.exceptions import TypeError as PexTypeError
from harness.properties import PropertyList, PropertySet


def header():
    pl = PropertyList()
    pl.set("SIMPLE", True)
    pl.set("NAXIS", 2, "number of axes")
    pl.set("COMMENT", "line 1")
    pl.add("COMMENT", "line 2")
    pl.set("RA", 3.14159, "decimal degrees")
    pl.set("DEC", 2.71828, "decimal radians")
    return pl


HEADER = [
    ("SIMPLE", True, ""),
    ("NAXIS", 2, "number of axes"),
    ("COMMENT", "line 1", ""),
    ("COMMENT", "line 2", ""),
    ("RA", 3.14159, "decimal degrees"),
    ("DEC", 2.71828, "decimal radians"),
]


def test_shim_exports_the_same_class():
    assert shim.PropertyList is PropertyList


@pytest.mark.contract("16.3.list")
def test_to_list_keeps_order_and_repeats_names():
    assert header().toList() == HEADER
    assert header().getOrderedNames() == ["SIMPLE", "NAXIS", "COMMENT", "RA", "DEC"]


@pytest.mark.contract("16.3.list")
def test_replacing_keeps_place_and_comment():
    pl = header()
    pl.set("NAXIS", 3)
    assert pl.toList()[1] == ("NAXIS", 3, "number of axes")
    pl.set("NAXIS", 4, "")
    assert pl.toList()[1] == ("NAXIS", 4, "")
    pl.add("COMMENT", "line 3", "free text")
    assert pl.toList()[4] == ("COMMENT", "line 3", "free text")
    assert pl.getComment("COMMENT") == "free text"


def test_typed_setters_take_a_comment():
    pl = PropertyList()
    pl.setShort("BITPIX", -32, "bits per pixel")
    pl.addShort("BITPIX", 16)
    assert pl.getArrayShort("BITPIX") == [-32, 16]
    assert pl.getComment("BITPIX") == "bits per pixel"


def test_comment_must_be_text_of_an_existing_name():
    pl = PropertyList()
    with pytest.raises(PexTypeError, match="cannot comment NAXIS"):
        pl.set("NAXIS", 2, 7)
    with pytest.raises(NotFoundError, match="no property GAIN"):
        pl.getComment("GAIN")
    pl.set("EMPTY", [], "nothing is stored")
    assert pl.getOrderedNames() == ["NAXIS"]


@pytest.mark.contract("16.3.list")
def test_dots_are_part_of_the_name():
    pl = PropertyList()
    pl.set("CURRENT", 49.5)
    pl.set("CURRENT.foo", -32)
    pl.set("CURRENT.bar", 2)
    assert pl.get("CURRENT") == 49.5 and pl.get("CURRENT.foo") == -32
    assert pl.names() == pl.names(False) == pl.paramNames() == ["CURRENT", "CURRENT.foo", "CURRENT.bar"]
    assert pl.propertySetNames() == []
    assert "CURRENT.foo" in pl
    pl.remove("CURRENT")
    assert pl.names() == ["CURRENT.foo", "CURRENT.bar"]


@pytest.mark.contract("16.3.list")
def test_storing_a_set_stores_its_leaves():
    ps = PropertySet()
    ps.set("bottom", "x")
    ps.set("deep.sibling", [42, 43])
    pl = PropertyList()
    pl.set("top", ps)
    assert pl.toDict() == {"top.bottom": "x", "top.deep.sibling": [42, 43]}
    assert not pl.exists("top")
    pl.set("top", ps)
    assert pl.get("top.bottom") == "x"
    pl.add("top", ps)
    assert pl.get("top.bottom") == ["x", "x"]


def test_list_inside_a_set_keeps_flat_names():
    outer = PropertySet()
    outer.set("header", header())
    outer.set("header.TELESCOP.FOCUS", 1.5)
    assert outer.get("header").toList()[-1] == ("TELESCOP.FOCUS", 1.5, "")
    assert outer.get("header.TELESCOP.FOCUS") == 1.5
    inner = PropertySet()
    inner.set("a", 1)
    outer.add("header.sub", inner)
    outer.add("header.sub", inner)
    assert outer.get("header.sub.a") == [1, 1]


def test_copy_and_combine_bring_comments():
    pl = PropertyList()
    pl.copy("MYRA", header(), "RA")
    assert pl.toList() == [("MYRA", 3.14159, "decimal degrees")]
    pl.combine(header())
    assert pl.getOrderedNames() == ["MYRA", *header().getOrderedNames()]
    assert pl.getComment("DEC") == "decimal radians"
    plain = PropertySet()
    plain.set("a.b", 1)
    pl.combine(plain)
    assert pl.toList()[-1] == ("a.b", 1, "")


@pytest.mark.parametrize(
    "clone", [PropertyList.deepCopy, copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_copies_are_independent_and_keep_order_and_comments(clone):
    pl = header()
    twin = clone(pl)
    assert type(twin) is PropertyList and twin == pl and twin.toList() == HEADER
    twin.set("NAXIS", 3, "changed")
    twin.add("COMMENT", "line 3")
    assert pl.toList() == HEADER and twin != pl


def test_equality_sees_order_comments_and_types():
    pl = header()
    pl.set("SIMPLE", True, "")
    assert pl == header()
    pl.set("SIMPLE", True, "conforms")
    assert pl != header()
    first, second = PropertyList(), PropertyList()
    first.update({"a": 1, "b": 2})
    second.update({"b": 2, "a": 1})
    assert first != second and first != PropertySet.from_mapping({"a": 1, "b": 2})


@pytest.mark.contract("16.3.list")
def test_to_string_is_in_order_with_comment_lines():
    assert (
        header().toString()
        == str(header())
        == (
            "SIMPLE = 1\n"
            "NAXIS = 2\n"
            "// number of axes\n"
            'COMMENT = [ "line 1", "line 2" ]\n'
            "RA = 3.1415900000000\n"
            "// decimal degrees\n"
            "DEC = 2.7182800000000\n"
            "// decimal radians\n"
        )
    )


def test_mapping_protocol_removes_comments_too():
    pl = header()
    assert pl.pop("RA") == 3.14159
    del pl["DEC"]
    pl.set("RA", 1.0)
    assert pl.toList()[-1] == ("RA", 1.0, "")
    assert PropertyList.from_mapping({"a": {"b": 1}}).toDict() == {"a.b": 1}
