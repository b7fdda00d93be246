# SPDX-License-Identifier: BSD-3-Clause
"""A policy as a property set: a live view with every call of a property set, in both directions."""

import builtins
import copy
import pickle

import pytest
from harness import exceptions as pex
from harness.policy import (
    BadNameError,
    Dictionary,
    InvalidParameterError,
    Policy,
    PolicyString,
    TypeError,
    ValidationError,
)
from harness.properties import DateTime, PropertyList, PropertySet

TEXT = """
    b: true false
    i: 1 2 3
    x: 0.5
    s: "one" "two"
    p: { a: 1 }
    p: { a: 2
         q: { z: deep } }
    f: @one.paf
    f: @two.paf
"""


@pytest.fixture
def policy():
    return Policy(PolicyString(TEXT))


@pytest.fixture
def view(policy):
    return policy.asPropertySet()


@pytest.fixture
def ordinary():
    """The same data in a property set of its own."""
    ps = PropertySet()
    ps.set("b", [True, False])
    ps.set("i", [1, 2, 3])
    ps.set("x", 0.5)
    ps.set("s", ["one", "two"])
    ps.set("p", [PropertySet.from_mapping({"a": 1}), PropertySet.from_mapping({"a": 2, "q": {"z": "deep"}})])
    ps.set("f", ["one.paf", "two.paf"])
    return ps


def other():
    return PropertySet.from_mapping({"i": 9, "p": {"q": {"y": 7}}, "new": True})


READS = {
    "to_json": [(), (2,)],
    "exists": [("i",), ("p.q.z",), ("no",), ("i.no",), ("",), ("p.",)],
    "valueCount": [("i",), ("p",), ("no",)],
    "isArray": [("i",), ("x",), ("no",)],
    "isPropertySetPtr": [("p",), ("p.q",), ("i",), ("no",)],
    "typeOf": [("b",), ("i",), ("x",), ("s",), ("p",), ("f",), ("no",)],
    "get": [("i",), ("x",), ("x", True), ("p.a",), ("p.q.z",), ("p",), ("no",)],
    "getArray": [("b",), ("i",), ("x",), ("s",), ("p",), ("f",), ("no",)],
    "getScalar": [("b",), ("i",), ("p",), ("no",)],
    "names": [(), (False,)],
    "paramNames": [(), (False,)],
    "propertySetNames": [(), (False,)],
    "nameCount": [(), (False,)],
    "getAsBool": [("b",), ("i",)],
    "getAsString": [("s",), ("i",)],
    "getAsInt": [("b",), ("i",), ("x",)],
    "getAsInt64": [("b",), ("i",), ("x",)],
    "getAsDouble": [("i",), ("x",), ("s",)],
    "getAsPropertySetPtr": [("p",), ("i",)],
    "keys": [()],
    "values": [()],
    "items": [()],
    "toDict": [()],
    "toString": [(), (True,), (False, "> ")],
    "deepCopy": [()],
    "__len__": [()],
    "__str__": [()],
    "__contains__": [("i",), ("p.q",), ("no",), (5,)],
    "__getitem__": [("i",), ("p.q.z",), ("no",)],
}
for kind in "Bool Short Int Long LongLong Float Double String DateTime PropertySet".split():
    READS[f"get{kind}"] = [(name,) for name in "bixspf"] + [("no",), ("no", 5)]
    READS[f"getArray{kind}"] = [(name,) for name in "bixspf"]

CHANGES = {
    "set": [("i", 7), ("i", "text"), ("n.m.k", [1.5, 2.5]), ("p.a", 5), ("i", []), ("i", None), ("i.x", 1)],
    "add": [
        ("i", 7),
        ("i", [7, 8]),
        ("p.a", 5),
        ("n.m", "x"),
        ("i", []),
        ("i", "x"),
        ("i", 2**40),
        ("b.x", 1),
    ],
    "remove": [("i",), ("p.q.z",), ("p",), ("no",), ("i.no",)],
    "copy": [("c", other(), "i"), ("i", other(), "p"), ("c", other(), "no")],
    "combine": [(other(),), (PropertySet.from_mapping({"new": 1, "i": "x"}),)],
    "update": [({"i": 1, "n": {}},), ([("k", 1)],), (other(),)],
    "pop": [("i",), ("x",), ("no",), ("no", 5)],
    "__setitem__": [("i", 5), ("p.k", True)],
    "__delitem__": [("i",), ("no",)],
}
VALUES = {"Bool": True, "Int": 5, "Double": 2.5, "String": "x", "PropertySet": other()}
for kind, value in VALUES.items():
    CHANGES[f"set{kind}"] = [("i", value), ("i", [value, value]), ("n.m", value)]
    CHANGES[f"add{kind}"] = [("i", value), ("x", value), ("p", value), ("n.m", value)]
ABROAD = {"Short": 5, "Long": 5, "LongLong": 5, "Float": 0.5, "DateTime": DateTime(5)}


def happens(ps, method, arguments):
    """What a call returns, or the builtin exceptions that what it raises can be caught as."""
    try:
        return getattr(ps, method)(*copy.deepcopy(arguments))
    except Exception as error:
        return {
            cls
            for cls in (LookupError, builtins.TypeError, pex.InvalidParameterError)
            if isinstance(error, cls)
        }


def cases(table):
    return [pytest.param(m, a, id=f"{m}-{i}") for m, calls in table.items() for i, a in enumerate(calls)]


def test_the_tables_here_name_every_method():
    methods = {name for name in dir(PropertySet) if not name.startswith(("_", "TYPE_"))}
    abroad = {f"{verb}{kind}" for verb in ("set", "add") for kind in ABROAD}
    assert methods - {"from_mapping", "from_json"} == ({*READS, *CHANGES} | abroad) - {
        name for name in READS.keys() | CHANGES.keys() if name.startswith("_")
    }


@pytest.mark.parametrize(("method", "arguments"), cases(READS))
def test_reads_give_what_a_property_set_with_the_same_data_gives(view, ordinary, method, arguments):
    assert happens(view, method, arguments) == happens(ordinary, method, arguments)


@pytest.mark.parametrize(("method", "arguments"), cases(CHANGES))
def test_changes_do_to_the_policy_what_they_do_to_a_property_set(policy, view, ordinary, method, arguments):
    assert happens(view, method, arguments) == happens(ordinary, method, arguments)
    assert view == ordinary and view.names(False) == ordinary.names(False)
    assert policy.asPropertySet() == ordinary


@pytest.mark.parametrize("kind", ABROAD)
def test_types_that_no_policy_holds_are_a_type_error_and_change_nothing(policy, view, kind):
    for call in (f"set{kind}", f"add{kind}"):
        for name in ("i", "n"):
            with pytest.raises(TypeError):
                getattr(view, call)(name, ABROAD[kind])
    assert policy == Policy(PolicyString(TEXT))


def test_an_integer_beyond_32_bits_is_a_type_error_of_the_policy(policy, view):
    with pytest.raises(TypeError, match="32 bits"):
        view.set("i", 2**31)
    assert policy.getIntArray("i") == [1, 2, 3]


# --- alive in both directions


def test_later_changes_of_the_policy_show(policy, view):
    below = view.getPropertySet("p")
    policy.set("i", 5)
    policy.set("p.a", 7)
    policy.add("fresh.name", "x")
    policy.remove("x")
    assert view.getInt("i") == 5 and below.getInt("a") == view.getInt("p.a") == 7
    assert view.getString("fresh.name") == "x" and not view.exists("x")
    assert view.names() == policy.names(True)


def test_changes_of_the_view_are_changes_of_the_policy(policy, view):
    view.set("i", [4, 5])
    view.getPropertySet("p").add("a", 3)
    view["fresh.name"] = True
    view.getArrayPropertySet("p")[0].remove("a")
    del view["x"]
    assert policy.getIntArray("i") == [4, 5] and policy.getIntArray("p.a") == [2, 3]
    assert policy.getBool("fresh.name") is True and not policy.exists("x")
    assert policy.getPolicyArray("p")[0].nameCount() == 0


def test_a_view_stored_elsewhere_stays_alive_and_a_set_stored_here_is_copied(policy, view):
    outer = PropertySet()
    outer.set("policy", view)
    outer.set("policy.i", 9)
    outer.set("policy.n.m", 1)
    assert policy.getInt("i") == 9 and policy.getInt("n.m") == 1
    mine = PropertySet.from_mapping({"a": {"b": 1}})
    view.set("mine", mine)
    mine.set("a.b", 2)
    assert policy.getInt("mine.a.b") == 1
    sub = Policy()
    view.set("shared", sub.asPropertySet())
    sub.set("x", 1)
    assert view.getInt("shared.x") == policy.getInt("shared.x") == 1


def test_an_unresolved_file_shows_its_path_and_may_be_replaced(policy, view):
    assert view.getArrayString("f") == ["one.paf", "two.paf"]
    with pytest.raises(TypeError):
        view.add("f", "three.paf")
    view.set("f", "three.paf")
    assert policy.getString("f") == "three.paf"


# --- the rules are those of the policy


def test_an_attached_dictionary_is_asked(policy):
    rules = Dictionary(PolicyString("definitions: { i: { type: int\n maxOccurs: 3 } }"))
    policy = Policy(PolicyString("i: 1"))
    policy.setDictionary(rules)
    view = policy.asPropertySet()
    for call, arguments in (("set", ("i", "x")), ("set", ("no", 1)), ("add", ("i", [1, 2, 3]))):
        with pytest.raises(ValidationError):
            getattr(view, call)(*arguments)
    view.add("i", 2)
    assert policy.getIntArray("i") == [1, 2]


def test_a_policy_never_holds_itself_and_names_are_those_of_policies(policy, view):
    with pytest.raises(InvalidParameterError):
        view.set("p.me", view)
    with pytest.raises(pex.InvalidParameterError):
        view.set("i.below", 1)
    with pytest.raises(BadNameError):
        view.set("a..b", 1)
    with pytest.raises(pex.NotFoundError):
        view.get("no")
    assert policy == Policy(PolicyString(TEXT))


# --- copies are property sets


@pytest.mark.parametrize(
    "clone",
    [copy.deepcopy, lambda ps: ps.deepCopy(), lambda ps: pickle.loads(pickle.dumps(ps))],
    ids=["deepcopy", "deepCopy", "pickle"],
)
def test_deep_copies_and_pickles_are_ordinary_and_independent(policy, view, ordinary, clone):
    twin = clone(view)
    assert type(twin) is PropertySet and twin == ordinary == view
    assert type(twin.getPropertySet("p")) is PropertySet
    policy.set("p.a", 9)
    twin.set("i", 5)
    assert twin.getInt("p.a") == 2 and policy.getIntArray("i") == [1, 2, 3]


def test_a_shallow_copy_shares_the_sub_sets_only(policy, view):
    twin = copy.copy(view)
    assert type(twin) is PropertySet and twin == view
    twin.set("i", 5)
    twin.set("p.a", 6)
    assert policy.getIntArray("i") == [1, 2, 3] and policy.getInt("p.a") == 6


def test_equality_is_that_of_the_data(view, ordinary):
    assert view == ordinary and ordinary == view and view == view.deepCopy()
    ordinary.set("x", 0.25)
    assert view != ordinary and view != 5 and view != PropertyList()


def test_made_from_a_mapping_it_is_a_set_of_its_own(view):
    made = type(view).from_mapping({"a": {"b": 1}})
    assert type(made) is PropertySet and made.getInt("a.b") == 1


def test_a_deep_policy_is_viewed_and_copied():
    policy = Policy(PolicyString("a: {" * 3000 + "x: 1" + "}" * 3000))
    view = policy.asPropertySet()
    assert len(view.names(False)) == 3001
    assert view.getInt(".".join("a" * 3000) + ".x") == 1
