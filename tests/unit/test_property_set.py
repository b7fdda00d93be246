# SPDX-License-Identifier: BSD-3-Clause
"""PropertySet: types, hierarchy, accessors, copying, printing, mapping protocol."""

import copy
import pickle

import lsst.daf.base as shim
import numpy as np
import pytest
from harness.exceptions import InvalidParameterError, NotFoundError
from harness.exceptions import TypeError as PexTypeError
from harness.properties import DateTime, PropertyList, PropertySet

TYPES = "Bool Short Int Long LongLong Float Double String DateTime PropertySet".split()

# One value that setT accepts for each type.
SAMPLES = {
    "Bool": True,
    "Short": -(2**15),
    "Int": 2**31 - 1,
    "Long": 2**40,
    "LongLong": -(2**63),
    "Float": 0.5,
    "Double": 2.718281828459045,
    "String": "bar",
    "DateTime": DateTime(5),
    "PropertySet": PropertySet(),
}


def sample():
    ps = PropertySet()
    ps.set("ps1.pre", 1)
    ps.set("ps1.post", 2)
    ps.set("int", 42)
    ps.set("double", 3.14)
    ps.set("ps2.plus", 10.24)
    ps.set("ps2.minus", -10.24)
    ps.set("ps3.sub.subsub", "foo")
    return ps


def test_shim_exports_the_same_class():
    assert shim.PropertySet is PropertySet


# Types.


@pytest.mark.contract("16.2.set")
@pytest.mark.parametrize(
    "value, kind",
    [
        (True, "Bool"),
        (7, "Int"),
        (2**31 - 1, "Int"),
        (-(2**31), "Int"),
        (2**31, "LongLong"),
        (-(2**31) - 1, "LongLong"),
        (2**63 - 1, "LongLong"),
        (1.5, "Double"),
        ("text", "String"),
        (DateTime(1), "DateTime"),
        (PropertySet(), "PropertySet"),
        (PropertyList(), "PropertySet"),
        ([1, 2], "Int"),
        ((1.0, 2), "Double"),
        ([1, 2**40], "LongLong"),
        (np.int32(3), "Int"),
        (np.uint64(2**40), "LongLong"),
        (np.float32(0.5), "Double"),
        (np.bool_(True), "Bool"),
        (np.str_("text"), "String"),
        (np.array([1.0, 2.0]), "Double"),
    ],
)
def test_set_chooses_the_type_from_the_value(value, kind):
    ps = PropertySet()
    ps.set("x", value)
    assert ps.typeOf("x") is getattr(PropertySet, f"TYPE_{kind}")


def test_numpy_values_are_stored_as_plain_python():
    ps = PropertySet()
    ps.set("x", [np.int64(3)])
    ps.set("b", np.bool_(False))
    ps.set("s", np.str_("text"))
    assert [type(ps.get(name)) for name in ("x", "b", "s")] == [int, bool, str]


@pytest.mark.contract("16.2.set")
@pytest.mark.parametrize(
    "value", [None, object(), {"a": 1}, b"bytes", 2**63, [1, "two"], [True, 1], [None], 1j, np.zeros((2, 2))]
)
def test_values_no_property_can_hold_are_a_type_error(value):
    ps = PropertySet()
    with pytest.raises(PexTypeError, match="cannot store x"):
        ps.set("x.y", value) if isinstance(value, dict) else ps.set("x", value)
    assert ps.names() == []


@pytest.mark.contract("16.2.set")
def test_empty_list_changes_nothing():
    ps = PropertySet()
    ps.set("x", 1)
    ps.set("x", [])
    ps.set("y", [])
    ps.add("y", ())
    ps.setInt("x", [])
    assert ps.toDict() == {"x": 1}


@pytest.mark.contract("16.2.typed", "16.2.questions")
@pytest.mark.parametrize("kind", TYPES)
def test_typed_accessors_agree_with_each_other(kind):
    ps = PropertySet()
    value = SAMPLES[kind]
    getattr(ps, f"set{kind}")("x", value)
    getattr(ps, f"add{kind}")("x", [value])
    getattr(ps, f"add{kind}")("y", value)
    assert ps.typeOf("x") is ps.typeOf("y") is getattr(PropertySet, f"TYPE_{kind}")
    assert getattr(ps, f"get{kind}")("x") == value
    assert getattr(ps, f"getArray{kind}")("x") == [value, value]


@pytest.mark.contract("16.2.typed")
@pytest.mark.parametrize("kind", TYPES)
def test_get_of_another_type_is_a_type_error(kind):
    ps = PropertySet()
    for other in TYPES:
        getattr(ps, f"set{other}")(other, SAMPLES[other])
    for other in set(TYPES) - {kind}:
        with pytest.raises(PexTypeError, match=f"cannot get {other}"):
            getattr(ps, f"get{kind}")(other)
        with pytest.raises(PexTypeError):
            getattr(ps, f"getArray{kind}")(other)


@pytest.mark.parametrize(
    "kind, value",
    [
        ("Bool", 1), ("Short", 2**15), ("Int", 2**31), ("Int", 1.0), ("Int", "1"), ("Long", 2**63),
        ("LongLong", 1.5), ("Float", "x"), ("Float", 1e39), ("Double", "x"), ("Double", 10**400),
        ("String", 1), ("DateTime", 5), ("PropertySet", {}),
    ],
)  # fmt: skip
def test_set_as_a_type_that_does_not_fit_is_a_type_error(kind, value):
    ps = PropertySet()
    with pytest.raises(PexTypeError, match="cannot store x as"):
        getattr(ps, f"set{kind}")("x", value)
    assert not ps.exists("x")


def test_floats_are_rounded_to_single_precision_and_ints_become_doubles():
    ps = PropertySet()
    ps.setFloat("f", 3.14159)
    ps.setDouble("d", 3)
    assert ps.getFloat("f") == float(np.float32(3.14159)) != 3.14159
    assert type(ps.getDouble("d")) is float


def test_typed_get_takes_a_default_for_absent_names_only():
    ps = PropertySet()
    ps.setInt("int", 42)
    assert ps.getInt("int", 2008) == 42
    assert ps.getInt("foo", 2008) == 2008
    with pytest.raises(PexTypeError):
        ps.getDouble("int", 1.0)


# Arrays.


@pytest.mark.contract("16.2.get", "16.2.questions")
def test_get_returns_scalar_or_list():
    ps = PropertySet()
    ps.set("one", 5)
    ps.set("many", [10, 9, 8])
    assert ps.get("one") == 5
    assert ps.get("one", True) == ps.getArray("one") == [5]
    assert ps.get("many") == ps.get("many", asArray=True) == ps.getArray("many") == [10, 9, 8]
    assert ps.getScalar("many") == ps.getInt("many") == 8
    assert (ps.valueCount("one"), ps.valueCount("many"), ps.valueCount("none")) == (1, 3, 0)
    assert (ps.isArray("one"), ps.isArray("many"), ps.isArray("none")) == (False, True, False)


def test_returned_lists_are_copies():
    ps = PropertySet()
    ps.set("many", [1, 2])
    ps.get("many").append(3)
    ps.getArrayInt("many").append(3)
    assert ps.get("many") == [1, 2]


@pytest.mark.contract("16.2.add")
def test_add_appends_and_creates():
    ps = PropertySet()
    ps.setInt("ints", [42, 2008, 1])
    ps.addInt("ints", -999)
    ps.add("ints", [13, 14])
    ps.add("other", "foo")
    assert ps.get("ints") == [42, 2008, 1, -999, 13, 14]
    assert ps.get("other") == "foo"


@pytest.mark.contract("16.2.add")
@pytest.mark.parametrize("value", [4.2, [3.14, 2.7], "x", True, 2**31, DateTime(1), PropertySet()])
def test_add_of_another_type_is_a_type_error(value):
    ps = PropertySet()
    ps.set("int", 42)
    with pytest.raises(PexTypeError, match="int"):
        ps.add("int", value)
    assert ps.getArrayInt("int") == [42]


def test_untyped_integers_join_the_integer_type_already_there():
    ps = PropertySet()
    ps.setLongLong("wide", 2**40)
    ps.add("wide", 5)
    ps.setShort("narrow", 1)
    ps.add("narrow", 2)
    assert ps.getArrayLongLong("wide") == [2**40, 5]
    assert ps.getArrayShort("narrow") == [1, 2]
    with pytest.raises(PexTypeError, match="16 bits"):
        ps.add("narrow", 40000)


# Conversions.

ACCEPTED = {
    "getAsBool": {"Bool"},
    "getAsString": {"String"},
    "getAsInt": {"Bool", "Short", "Int"},
    "getAsInt64": {"Bool", "Short", "Int", "Long", "LongLong"},
    "getAsDouble": {"Bool", "Short", "Int", "Long", "LongLong", "Float", "Double"},
    "getAsPropertySetPtr": {"PropertySet"},
}


@pytest.mark.contract("16.2.getAs")
@pytest.mark.parametrize("getter", ACCEPTED)
def test_converting_getters_accept_narrower_types_only(getter):
    ps = PropertySet()
    for kind in TYPES:
        getattr(ps, f"set{kind}")(kind, SAMPLES[kind])
    for kind in TYPES:
        if kind in ACCEPTED[getter]:
            assert getattr(ps, getter)(kind) == SAMPLES[kind]
        else:
            with pytest.raises(PexTypeError):
                getattr(ps, getter)(kind)


@pytest.mark.contract("16.2.getAs")
def test_converting_getters_return_their_type():
    ps = PropertySet()
    ps.set("b", True)
    assert [type(v) for v in (ps.getAsInt("b"), ps.getAsInt64("b"), ps.getAsDouble("b"))] == [int, int, float]


# Hierarchy.


@pytest.mark.contract("16.1.names")
def test_dotted_names_reach_into_sub_sets():
    ps = sample()
    assert ps.get("ps3.sub.subsub") == "foo"
    assert ps.exists("ps3.sub") and not ps.exists("ps3.none") and not ps.exists("none.sub")
    assert ps.isPropertySetPtr("ps3.sub") and not ps.isPropertySetPtr("int")
    assert ps.getPropertySet("ps1") is ps.getAsPropertySetPtr("ps1") is ps.get("ps1")
    assert ps.names() == ["ps1", "int", "double", "ps2", "ps3"]


@pytest.mark.contract("16.2.live")
def test_stored_set_is_live():
    outer, inner = PropertySet(), PropertySet()
    outer.set("in", inner)
    inner.set("late", 1)
    outer.set("in.later", 2)
    assert outer.get("in.late") == 1
    assert inner.get("later") == 2


@pytest.mark.contract("16.1.names")
def test_intermediate_name_uses_the_last_element():
    ps, first, last = PropertySet(), PropertySet(), PropertySet()
    ps.set("a", [first, last])
    ps.set("a.x", 1)
    assert last.get("x") == 1 and not first.exists("x")
    assert ps.names(False) == ["a", "a.x"]


@pytest.mark.contract("16.2.errors")
def test_name_below_a_plain_value():
    ps = PropertySet()
    ps.set("int", 42)
    for store in (ps.set, ps.add):
        with pytest.raises(InvalidParameterError, match="int holds int"):
            store("int.sub", "foo")
    assert not ps.exists("int.sub")
    ps.remove("int.sub")
    with pytest.raises(NotFoundError):
        ps.get("int.sub")


@pytest.mark.contract("16.2.errors")
def test_absent_name_is_a_not_found_error():
    ps = sample()
    for call in (ps.get, ps.getArray, ps.getScalar, ps.typeOf, ps.getInt, ps.getArrayInt, ps.getAsDouble):
        with pytest.raises(NotFoundError, match="no property ps1.none; the top-level names are ps1, int"):
            call("ps1.none")
    with pytest.raises(LookupError):
        ps.get("none")


@pytest.mark.contract("16.2.errors")
def test_set_inside_itself_is_refused():
    outer, middle, inner = PropertySet(), PropertySet(), PropertySet()
    outer.set("m", middle)
    middle.set("i", inner)
    for store in (inner.set, inner.add, inner.setPropertySet):
        for value in (inner, middle, outer, [PropertySet(), outer]):
            with pytest.raises(InvalidParameterError, match="contain itself"):
                store("x", value)
    with pytest.raises(InvalidParameterError):
        outer.set("m.i.fresh.x", outer)
    with pytest.raises(InvalidParameterError):
        outer.copy("m.i.x", outer, "m")
    assert outer.names(False) == ["m", "m.i"]


def test_one_set_may_be_stored_twice():
    ps, shared = PropertySet(), PropertySet()
    ps.set("a", shared)
    ps.set("b", [shared, shared])
    assert ps.valueCount("b") == 2


@pytest.mark.contract("16.2.lists")
def test_name_lists():
    ps = sample()
    assert ps.names(False) == [
        "ps1", "ps1.pre", "ps1.post", "int", "double", "ps2", "ps2.plus", "ps2.minus",
        "ps3", "ps3.sub", "ps3.sub.subsub",
    ]  # fmt: skip
    assert ps.paramNames() == ["int", "double"]
    assert ps.paramNames(False) == [
        "ps1.pre", "ps1.post", "int", "double", "ps2.plus", "ps2.minus", "ps3.sub.subsub"
    ]  # fmt: skip
    assert ps.propertySetNames() == ["ps1", "ps2", "ps3"]
    assert ps.propertySetNames(False) == ["ps1", "ps2", "ps3", "ps3.sub"]
    assert (ps.nameCount(), ps.nameCount(False)) == (5, 11)


def test_storing_and_finding_deep_names_does_not_recurse():
    ps = PropertySet()
    name = ".".join(["n"] * 5000)
    ps.set(name, 1)
    assert ps.get(name) == 1
    assert ps.names(False)[-1] == name


@pytest.mark.contract("16.2.remove")
def test_remove_forgets_at_every_level():
    ps = sample()
    for name in ("int", "ps1.pre", "ps2", "absent", "absent.sub"):
        ps.remove(name)
    assert ps.names(False) == ["ps1", "ps1.post", "double", "ps3", "ps3.sub", "ps3.sub.subsub"]


# Copying.


@pytest.mark.contract("16.2.copy")
def test_copy_replaces_with_all_values_and_their_type():
    source, ps = PropertySet(), PropertySet()
    source.setShort("a.b", [1, 2])
    ps.set("x", "old")
    ps.copy("x", source, "a.b")
    source.addShort("a.b", 3)
    assert ps.getArrayShort("x") == [1, 2]
    with pytest.raises(InvalidParameterError, match="cannot copy none to x"):
        ps.copy("x", source, "none")


@pytest.mark.contract("16.2.combine")
def test_combine_appends_leaf_by_leaf():
    ps, other = sample(), PropertySet()
    other.set("ps1.pre", [3, 4])
    other.set("int", 2008)
    other.set("ps2.foo", "bar")
    other.set("ps4.top", "bottom")
    inner = ps.get("ps1")
    ps.combine(other)
    assert ps.get("ps1.pre") == [1, 3, 4] and ps.get("ps1") is inner
    assert ps.get("int") == [42, 2008]
    assert (ps.get("ps2.foo"), ps.get("ps4.top")) == ("bar", "bottom")
    assert other.get("ps1.pre") == [3, 4]


@pytest.mark.contract("16.2.combine")
def test_combine_with_another_type_changes_nothing():
    ps, other = sample(), PropertySet()
    other.set("ps1.pre", 3)
    other.set("int", 3.14)
    before = str(ps)
    with pytest.raises(PexTypeError, match="double to int"):
        ps.combine(other)
    assert str(ps) == before


@pytest.mark.contract("16.2.deepCopy")
@pytest.mark.parametrize(
    "clone", [PropertySet.deepCopy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_deep_copies_are_independent(clone):
    ps = sample()
    ps.set("array", [PropertySet(), PropertySet()])
    ps.setDateTime("t", DateTime(7))
    twin = clone(ps)
    assert twin == ps and type(twin) is PropertySet
    twin.set("ps1.pre", 9)
    twin.add("int", 9)
    twin.set("array.x", 1)
    assert (ps.get("ps1.pre"), ps.get("int"), ps.exists("array.x")) == (1, 42, False)


def test_shallow_copy_shares_sub_sets_only():
    ps = sample()
    twin = copy.copy(ps)
    twin.add("int", 1)
    assert ps.get("int") == 42
    assert twin.get("ps1") is ps.get("ps1")


def test_equality_compares_types_and_values():
    assert sample() == sample()
    other = sample()
    other.set("ps3.sub.subsub", "bar")
    assert sample() != other
    narrow, wide = PropertySet(), PropertySet()
    narrow.setInt("x", 1)
    wide.setLong("x", 1)
    assert narrow != wide and narrow != 1


# Printing.

PRINTED = """\
bool = 1
date = 2009-04-02T07:26:39.314159265Z
double = 2.7182818284590
float = 3.141590
int = 2008
long = 280297596632815
ps1 = {
..post = 2
..pre = 1
}
ps3 = {
..sub = {
....subsub = "foo"
..}
}
sets = [ {
..a = 1
}, {
} ]
v = [ 10, 9, 8 ]
"""


def printed():
    ps = PropertySet()
    ps.set("v", [10, 9, 8])
    ps.set("bool", True)
    ps.set("int", 2008)
    ps.set("long", 0xFEEDDEADBEEF)
    ps.setFloat("float", 3.14159)
    ps.set("double", 2.718281828459045)
    ps.set("date", DateTime("20090402T072639.314159265Z"))
    ps.set("ps1.pre", 1)
    ps.set("ps1.post", 2)
    ps.set("ps3.sub.subsub", "foo")
    first = PropertySet()
    first.set("a", 1)
    ps.set("sets", [first, PropertySet()])
    return ps


@pytest.mark.contract("16.2.toString")
def test_to_string_sorts_names_and_nests_with_dots():
    assert printed().toString() == str(printed()) == PRINTED


def test_to_string_of_the_top_level():
    ps = sample()
    assert ps.toString(True, "# ") == (
        "# double = 3.1400000000000\n# int = 42\n# ps1 = { ... }\n# ps2 = { ... }\n# ps3 = { ... }\n"
    )


# Mapping protocol.


@pytest.mark.contract("16.2.mapping")
def test_mapping_protocol_covers_the_top_level():
    ps = sample()
    assert ps["int"] == 42 and ps["ps1.pre"] == 1
    assert "ps1" in ps and "ps1.pre" not in ps and 3 not in ps
    assert len(ps) == 5 and list(ps) == ps.keys() == ps.names()
    assert dict(ps.items())["double"] == 3.14 and ps.values()[1] == 42
    ps["new.name"] = [1, 2]
    assert ps["new.name"] == [1, 2]
    del ps["new"]
    assert "new" not in ps


@pytest.mark.parametrize("catch", [KeyError, NotFoundError])
def test_absent_key_is_both_kinds_of_error(catch):
    ps = sample()
    for call in (lambda: ps["none"], lambda: ps.pop("none"), lambda: ps.__delitem__("none")):
        with pytest.raises(catch, match="^no property none; the names are ps1"):
            call()


@pytest.mark.contract("16.2.mapping")
def test_update_pop_and_conversion():
    ps = PropertySet()
    ps.update({"a": 1, "b.c": [1, 2]}, d="x")
    ps.update([("e", 2.5)])
    other = PropertySet()
    other.update(ps)
    assert other.toDict() == {"a": 1, "b": {"c": [1, 2]}, "d": "x", "e": 2.5}
    assert ps.pop("a") == 1 and ps.pop("a", None) is None
    back = PropertySet.from_mapping(other.toDict())
    assert back.toDict() == other.toDict() and back.typeOf("b.c") is PropertySet.TYPE_Int
