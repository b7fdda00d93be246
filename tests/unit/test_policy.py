# SPDX-License-Identifier: BSD-3-Clause
"""The Policy class: reading, changing, sharing, and what makes it a Python object."""

import builtins
import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
from harness import exceptions as pex
from harness.policy import (
    BadNameError,
    Definition,
    Dictionary,
    InvalidParameterError,
    NameNotFound,
    Policy,
    PolicyFile,
    PolicyString,
    RuntimeError,
    TypeError,
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


def test_scalar_reading_gives_the_last_value(policy):
    assert policy.getBool("b") is False
    assert policy.getInt("i") == 3
    assert policy.getDouble("x") == 0.5
    assert policy.getString("s") == "two"
    assert policy.getPolicy("p").getInt("y") == 2
    assert policy.getFile("f").getPath() == "two.paf"
    assert policy.getString("p.q.z") == "deep"
    assert [policy.get(name) for name in ("b", "i", "x", "s", "p.y")] == [False, 3, 0.5, "two", 2]


def test_array_reading_gives_all_values(policy):
    assert policy.getBoolArray("b") == [True, False]
    assert policy.getIntArray("i") == [1, 2, 3]
    assert policy.getDoubleArray("x") == [0.5]
    assert policy.getStringArray("s") == ["one", "two"]
    assert [element.getInt("y") for element in policy.getPolicyArray("p")] == [1, 2]
    assert policy.getFileArray("f") == [PolicyFile("one.paf"), PolicyFile("two.paf")]
    assert policy.getArray("i") == [1, 2, 3] and policy.getArray("b") == [True, False]


def test_questions(policy):
    assert policy.exists("p.q.z") and not policy.exists("p.q.w") and not policy.exists("i.x")
    assert [policy.valueCount(name) for name in ("i", "x", "p", "none")] == [3, 1, 2, 0]
    assert policy.isArray("i") and not policy.isArray("x") and not policy.isArray("none")
    kinds = {"b": "Bool", "i": "Int", "x": "Double", "s": "String", "p": "Policy", "f": "File"}
    for name in (*kinds, "none"):
        found = [kind for kind in kinds.values() if getattr(policy, f"is{kind}")(name)]
        assert found == ([kinds[name]] if name in kinds else [])
    assert not policy.isDictionary()


@pytest.mark.parametrize(
    ("name", "number", "type_name"),
    [
        ("none", 0, "undefined"),
        ("b", 1, "bool"),
        ("i", 2, "int"),
        ("x", 3, "double"),
        ("s", 4, "string"),
        ("p", 5, "Policy"),
        ("f", 6, "PolicyFile"),
    ],
)
def test_types_by_number_and_name(policy, name, number, type_name):
    assert policy.getValueType(name) == number
    assert policy.getTypeName(name) == type_name
    assert Policy.getTypeByName(type_name) == number
    if name == "none":
        with pytest.raises(NameNotFound):
            policy.getTypeInfo(name)
    else:
        assert policy.getTypeInfo(name) == number


def test_type_constants():
    expected = {
        "UNDETERMINED": -1,
        "UNDEF": 0,
        "BOOL": 1,
        "INT": 2,
        "DOUBLE": 3,
        "STRING": 4,
        "POLICY": 5,
        "FILE": 6,
    }
    assert {name: int(getattr(Policy, name)) for name in expected} == expected
    for alias in ("undef", "boolean", "integer", "policy", "policyfile", "file"):
        Policy.getTypeByName(alias)
    with pytest.raises(BadNameError, match='did you mean "double"'):
        Policy.getTypeByName("doubel")


@pytest.mark.parametrize(
    "call",
    [
        "get",
        "getArray",
        "getBool",
        "getInt",
        "getDouble",
        "getString",
        "getPolicy",
        "getFile",
        "getTypeInfo",
        "getBoolArray",
        "getIntArray",
        "getDoubleArray",
        "getStringArray",
        "getPolicyArray",
        "getFileArray",
    ],
)
def test_absent_name_is_not_found_and_a_near_one_suggested(policy, call):
    with pytest.raises(NameNotFound) as caught:
        getattr(policy, call)("p.q.zz")
    error = caught.value
    assert isinstance(error, KeyError) and isinstance(error, pex.NotFoundError)
    assert error.suggestion == "p.q.z"
    assert error.breadcrumb == "p.q"


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("getBool", "i"),
        ("getInt", "x"),
        ("getInt", "b"),
        ("getDouble", "i"),
        ("getString", "i"),
        ("getPolicy", "i"),
        ("getFile", "s"),
        ("getBoolArray", "i"),
        ("getIntArray", "x"),
        ("getDoubleArray", "i"),
        ("getStringArray", "p"),
        ("getPolicyArray", "f"),
        ("getFileArray", "p"),
    ],
)
def test_wrong_type_is_a_type_error_with_its_place(policy, call, name):
    with pytest.raises(TypeError) as caught:
        getattr(policy, call)(name)
    error = caught.value
    assert isinstance(error, pex.DomainError)
    assert error.file == "<string>" and error.line is not None and error.expected and error.seen


@pytest.mark.parametrize("name", ["", ".a", "a.", "a..b", "."])
def test_empty_fields_are_bad_names(policy, name):
    for call in (policy.exists, policy.get, policy.remove, lambda name: policy.set(name, 1)):
        with pytest.raises(BadNameError):
            call(name)
    assert name not in policy


def test_names_below_a_plain_value_say_what_is_in_the_way(policy):
    with pytest.raises(NameNotFound, match='"i" is no policy'):
        policy.get("i.x")
    with pytest.raises(InvalidParameterError, match="which is no policy"):
        policy.set("i.x", 1)
    with pytest.raises(InvalidParameterError):
        policy.add("i.x", 1)


def test_names_come_in_order_nested_ones_dotted(policy):
    assert policy.names() == ["b", "i", "x", "s", "p", "p.y", "p.q", "p.q.z", "f", "last"]
    assert policy.names(True) == ["b", "i", "x", "s", "p", "f", "last"]
    assert policy.paramNames() == ["b", "i", "x", "s", "p.y", "p.q.z", "last"]
    assert policy.paramNames(True) == ["b", "i", "x", "s", "last"]
    assert policy.policyNames() == ["p", "p.q"]
    assert policy.policyNames(True) == ["p"]
    assert policy.fileNames() == policy.fileNames(True) == ["f"]
    assert policy.nameCount() == 7


def test_text_of_values(policy):
    assert policy.str("b") == "true, false"
    assert policy.str("i") == "1, 2, 3"
    assert policy.str("s") == '"one", "two"'
    assert policy.str("f") == "FILE:one.paf, FILE:two.paf"
    assert policy.str("none") == "<null>"
    assert policy.str("p", ">") == '{\n>  y: 1\n>}, {\n>  y: 2\n>  q: {\n>    z: "deep"\n>  }\n>}'
    assert "i: 1, 2, 3\n" in str(policy) and str(policy) == policy.toString()
    assert repr(policy) == "<Policy of <string> with 7 parameters: b[2], i[3], x, s[2], p[2], f[2], last>"


def test_set_replaces_and_may_change_the_type(policy):
    policy.set("i", "text")
    assert policy.getArray("i") == ["text"]
    policy.set("new.deep.name", [1.0, 2.0])
    assert policy.getDoubleArray("new.deep.name") == [1.0, 2.0]
    policy.set("p.y", 5)
    assert [element.getInt("y") for element in policy.getPolicyArray("p")] == [1, 5]


def test_add_appends_and_keeps_the_type(policy):
    policy.add("i", 4)
    policy.add("i", [5, 6])
    policy.add("fresh", "x")
    assert policy.getIntArray("i") == [1, 2, 3, 4, 5, 6] and policy.getString("fresh") == "x"
    with pytest.raises(TypeError):
        policy.add("i", 1.0)
    with pytest.raises(TypeError):
        policy.add("i", True)
    assert policy.valueCount("i") == 6


def test_remove_forgets(policy):
    policy.remove("p.q.z")
    policy.remove("i")
    policy.remove("not.there")
    assert policy.names(True) == ["b", "x", "s", "p", "f", "last"]
    policy.set("i", 1)
    assert policy.names(True)[-1] == "i"


def test_many_names_can_be_removed_and_come_again():
    policy = Policy()
    for i in range(2000):
        policy.set(f"n{i}", i)
    for i in range(0, 2000, 2):
        policy.remove(f"n{i}")
    for i in range(0, 2000, 2):
        assert not policy.exists(f"n{i}") and policy.getInt(f"n{i + 1}") == i + 1
    for i in range(0, 2000, 4):
        policy.set(f"n{i}", -i)
    assert policy.nameCount() == 1500 and policy.getInt("n4") == -4


@pytest.mark.parametrize("value", [None, [], ()])
def test_no_value_is_a_runtime_error_and_changes_nothing(policy, value):
    for call in (policy.set, policy.add):
        with pytest.raises(RuntimeError) as caught:
            call("i", value)
        assert isinstance(caught.value, pex.RuntimeError)
    assert policy.getIntArray("i") == [1, 2, 3]


@pytest.mark.parametrize(
    "value", [2**31, -(2**31) - 1, 2**70, b"bytes", object(), 1j, [1, 2.0], [True, 1], {1}]
)
def test_what_a_policy_cannot_hold_is_a_type_error(policy, value):
    with pytest.raises(TypeError):
        policy.set("i", value)
    assert policy.getIntArray("i") == [1, 2, 3]


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
