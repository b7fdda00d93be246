# SPDX-License-Identifier: BSD-3-Clause
"""Policies as Python objects: values they take, sharing, mapping protocol, dicts, pickling, errors."""

import builtins
import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from harness import exceptions as pex
from harness.policy import (
    Definition,
    Dictionary,
    InvalidParameterError,
    Policy,
    PolicyFile,
    PolicyString,
    RuntimeError,
    ValidationError,
)
from harness.properties import PropertySet

TEXT = """
b: true false
i: 1 2 3
x: 0.5
s: "one" 'two'
p: { y: 1 }
p: { y: 2
     q: { z: "deep" } }
f: @one.paf
f: @two.paf
last: 7
"""


@pytest.fixture
def policy():
    return Policy(PolicyString(TEXT))


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (True, Policy.BOOL),
        (1, Policy.INT),
        (1.0, Policy.DOUBLE),
        ("1", Policy.STRING),
        (np.bool_(True), Policy.BOOL),
        (np.int64(3), Policy.INT),
        (np.float32(0.5), Policy.DOUBLE),
        (np.arange(3), Policy.INT),
        (Policy(), Policy.POLICY),
        ({"a": 1}, Policy.POLICY),
        (PolicyFile("x"), Policy.FILE),
    ],
)
def test_python_values_find_their_type(value, type_):
    policy = Policy()
    policy.set("v", value)
    assert policy.getValueType("v") == type_


@pytest.mark.contract("10.3.sharing")
def test_sub_policies_share_their_data(policy):
    first, again = policy.getPolicy("p"), policy.getPolicy("p")
    first.set("y", 42)
    assert again.getInt("y") == 42 and policy.getInt("p.y") == 42
    inner = Policy()
    policy.set("inner", inner)
    inner.set("x", 1)
    assert policy.getInt("inner.x") == 1


def test_copies(policy):
    shallow, deep = Policy(policy), Policy(policy, True)
    policy.set("i", 9)
    policy.set("p.y", 9)
    assert shallow.getInt("i") == 9 and shallow.getInt("p.y") == 9
    assert deep.getInt("i") == 3 and deep.getInt("p.y") == 2
    one_level = copy.copy(policy)
    policy.set("i", 8)
    policy.set("p.y", 8)
    assert one_level.getInt("i") == 9 and one_level.getInt("p.y") == 8
    assert copy.deepcopy(policy) == policy


def test_policy_inside_itself_is_refused(policy):
    with pytest.raises(InvalidParameterError):
        policy.set("me", policy)
    with pytest.raises(InvalidParameterError):
        policy.getPolicy("p").set("up", policy)
    with pytest.raises(InvalidParameterError):
        policy.add("p.q", policy)
    assert policy == Policy(PolicyString(TEXT))


class TestMapping:
    def test_items_are_values_or_lists(self, policy):
        assert policy["last"] == 7 and policy["i"] == [1, 2, 3] and policy["p.q.z"] == "deep"
        assert [element["y"] for element in policy["p"]] == [1, 2]
        with pytest.raises(KeyError, match="there is no parameter"):
            policy["none"]

    def test_protocol(self, policy):
        assert "p.q" in policy and "none" not in policy and 3 not in policy
        assert list(policy) == policy.keys() == policy.names(True)
        assert len(policy) == 7 and bool(Policy()) and len(Policy()) == 0
        assert dict(policy.items())["x"] == 0.5 and policy.values()[2] == 0.5
        policy["last"] = 8
        del policy["x"]
        assert policy.getInt("last") == 8 and not policy.exists("x")
        with pytest.raises(KeyError):
            del policy["x"]

    def test_dicts_both_ways(self, policy):
        tree = policy.toDict()
        assert tree["p"] == [{"y": 1}, {"y": 2, "q": {"z": "deep"}}]
        assert Policy.fromDict(tree) == policy
        assert Policy.fromDict({"a.b": 1, "c": {}}).toDict() == {"a": {"b": 1}, "c": {}}
        with pytest.raises(RuntimeError, match='"a.b" cannot be None'):
            Policy.fromDict({"a": {"b": None}})
        with pytest.raises(builtins.TypeError):
            Policy.fromDict({1: 2})
        with pytest.raises(builtins.TypeError, match="made of a mapping"):
            Policy.fromDict(3)

    def test_equality_ignores_order_and_sees_types(self):
        parse = lambda text: Policy(PolicyString(text))  # noqa: E731
        assert parse("a: 1\nb: 2") == parse("b: 2\na: 1")
        assert (
            parse("a: 1") != parse("a: 1.0")
            and parse("a: 1") != parse("a: 1 1")
            and parse("a: 1") != {"a": 1}
        )
        assert parse("a: {b: 1}") != parse("a: {b: 2}") and parse("a: @x") == parse("a: @x")
        with pytest.raises(builtins.TypeError, match="unhashable"):
            hash(Policy())


def test_pickling_keeps_everything_but_places(policy):
    dictionary = Dictionary(PolicyString("definitions: { childDefinition: { minOccurs: 0 } }"))
    policy.setDictionary(dictionary)
    back = pickle.loads(pickle.dumps(policy))
    assert back == policy and back.names() == policy.names()
    assert isinstance(back.getDictionary(), Dictionary) and back.getDictionary() == dictionary


def test_deep_policies_pickle_copy_compare_and_die_quietly():
    policy = Policy(PolicyString("a: {" * 9000 + "x: 1" + "}" * 9000))
    assert pickle.loads(pickle.dumps(policy)) == copy.deepcopy(policy) == policy
    assert Policy.fromDict(policy.toDict()) == policy


@pytest.mark.contract("10.3.sharing")
def test_as_property_set(policy):
    properties = policy.asPropertySet()
    assert isinstance(properties, PropertySet)
    assert properties.getArray("i") == [1, 2, 3] and properties.getAsBool("b") is False
    assert properties.getArrayString("s") == ["one", "two"] and properties.getDouble("x") == 0.5
    assert properties.getString("p.q.z") == "deep" and properties.valueCount("p") == 2
    assert properties.getArray("f") == ["one.paf", "two.paf"]


def _raised(call, *args):
    try:
        call(*args)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def _errors():
    parse = lambda text: Policy(PolicyString(text))  # noqa: E731
    policy = parse("a: 1")
    dictionary = Dictionary(parse("definitions: { b: { type: int } }"))
    return [
        _raised(policy.get, "b"),
        _raised(policy.getDouble, "a"),
        _raised(policy.get, ".b"),
        _raised(policy.set, "a.b", 1),
        _raised(policy.set, "a", None),
        _raised(policy.validate),
        _raised(parse, "a: 3 x"),
        _raised(parse, 'a: "'),
        _raised(parse, "a: 99999999999"),
        _raised(Policy, "/no/such/file.paf"),
        _raised(Policy, "urn:eupspkg:no_such_product:x.paf"),
        _raised(dictionary.validate, policy),
        _raised(dictionary.getSubDictionary, "b"),
        _raised(Dictionary, policy),
    ]


@pytest.mark.parametrize("error", _errors(), ids=lambda error: type(error).__name__)
def test_errors_pickle_and_show_their_message(error):
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error) and str(back) == str(error) and back.args == error.args
    for name in (
        "problem",
        "file",
        "line",
        "column",
        "source_line",
        "breadcrumb",
        "expected",
        "seen",
        "suggestion",
    ):
        assert getattr(back, name) == getattr(error, name)
    assert getattr(back, "errno", None) == getattr(error, "errno", None)
    assert error.cpp is error and error.what() == str(error)
    if isinstance(error, ValidationError):
        assert back.describe() == error.describe() and back.getErrors("a") == error.getErrors("a") == 128


@pytest.mark.contract("10.6.exceptions")
def test_every_error_is_of_the_general_tree():
    assert all(isinstance(error, pex.Exception) for error in _errors())


def test_none_where_a_policy_is_wanted_is_a_type_error(policy):
    for call in (
        lambda: Policy(None),
        lambda: Policy(True, None),
        lambda: Dictionary(None),
        lambda: policy.mergeDefaults(None),
        lambda: Definition("a").setData(None),
    ):
        with pytest.raises(builtins.TypeError):
            call()


def test_star_import_leaves_builtins_alone():
    names: dict[str, object] = {}
    exec("from harness.policy import *\nfrom lsst.pex.policy import *", names)
    assert not {"TypeError", "RuntimeError", "SyntaxError", "EOFError", "NotFoundError"} & set(names)
    assert names["Policy"] is Policy


def test_dc3b_import_path_has_every_name_of_the_contract():
    import lsst.pex.policy as path

    for name in (
        "Policy Dictionary Definition PolicyFile DefaultPolicyFile UrnPolicyFile PolicyString"
        " PolicyStringDestination PAFWriter SupportedFormats NameNotFound TypeError BadNameError"
        " DictionaryError ValidationError ParserError EOFError SyntaxError FormatSyntaxError"
        " UnsupportedSyntax"
    ).split():
        assert hasattr(path, name)


def test_importing_policies_stays_light():
    code = "import sys, harness.policy; print([m for m in ('numpy', 'astropy', 'rich') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("make", [Policy.fromDict, lambda loop: Policy().set("a", [loop])])
def test_mapping_that_holds_itself_is_refused(make):
    loop = {"x": 1}
    loop["loop"] = loop
    with pytest.raises(InvalidParameterError, match="does it hold itself"):
        make(loop)
