# SPDX-License-Identifier: BSD-3-Clause
"""The Policy class: reading and changing."""

import pytest
from harness import exceptions as pex
from harness.policy import (
    BadNameError,
    InvalidParameterError,
    NameNotFound,
    Policy,
    PolicyFile,
    PolicyString,
    RuntimeError,
    TypeError,
)

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


@pytest.mark.contract("10.1.model")
def test_scalar_reading_gives_the_last_value(policy):
    assert policy.getBool("b") is False
    assert policy.getInt("i") == 3
    assert policy.getDouble("x") == 0.5
    assert policy.getString("s") == "two"
    assert policy.getPolicy("p").getInt("y") == 2
    assert policy.getFile("f").getPath() == "two.paf"
    assert policy.getString("p.q.z") == "deep"
    assert [policy.get(name) for name in ("b", "i", "x", "s", "p.y")] == [False, 3, 0.5, "two", 2]


@pytest.mark.contract("10.3.reading")
def test_array_reading_gives_all_values(policy):
    assert policy.getBoolArray("b") == [True, False]
    assert policy.getIntArray("i") == [1, 2, 3]
    assert policy.getDoubleArray("x") == [0.5]
    assert policy.getStringArray("s") == ["one", "two"]
    assert [element.getInt("y") for element in policy.getPolicyArray("p")] == [1, 2]
    assert policy.getFileArray("f") == [PolicyFile("one.paf"), PolicyFile("two.paf")]
    assert policy.getArray("i") == [1, 2, 3] and policy.getArray("b") == [True, False]


@pytest.mark.contract("10.3.reading")
def test_questions(policy):
    assert policy.exists("p.q.z") and not policy.exists("p.q.w") and not policy.exists("i.x")
    assert [policy.valueCount(name) for name in ("i", "x", "p", "none")] == [3, 1, 2, 0]
    assert policy.isArray("i") and not policy.isArray("x") and not policy.isArray("none")
    kinds = {"b": "Bool", "i": "Int", "x": "Double", "s": "String", "p": "Policy", "f": "File"}
    for name in (*kinds, "none"):
        found = [kind for kind in kinds.values() if getattr(policy, f"is{kind}")(name)]
        assert found == ([kinds[name]] if name in kinds else [])
    assert not policy.isDictionary()


@pytest.mark.contract("10.3.reading")
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


@pytest.mark.contract("10.1.model")
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


@pytest.mark.contract("10.1.names")
@pytest.mark.parametrize("name", ["", ".a", "a.", "a..b", "."])
def test_empty_fields_are_bad_names(policy, name):
    for call in (policy.exists, policy.get, policy.remove, lambda name: policy.set(name, 1)):
        with pytest.raises(BadNameError):
            call(name)
    assert name not in policy


@pytest.mark.contract("10.1.names")
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


@pytest.mark.contract("17.44")
def test_text_of_values(policy):
    assert policy.str("b") == "true, false"
    assert policy.str("i") == "1, 2, 3"
    assert policy.str("s") == '"one", "two"'
    assert policy.str("f") == "FILE:one.paf, FILE:two.paf"
    assert policy.str("none") == "<null>"
    assert policy.str("p", ">") == '{\n>  y: 1\n>}, {\n>  y: 2\n>  q: {\n>    z: "deep"\n>  }\n>}'
    assert "i: 1, 2, 3\n" in str(policy) and str(policy) == policy.toString()
    assert repr(policy) == "<Policy of <string> with 7 parameters: b[2], i[3], x, s[2], p[2], f[2], last>"


@pytest.mark.contract("10.4.changing")
def test_set_replaces_and_may_change_the_type(policy):
    policy.set("i", "text")
    assert policy.getArray("i") == ["text"]
    policy.set("new.deep.name", [1.0, 2.0])
    assert policy.getDoubleArray("new.deep.name") == [1.0, 2.0]
    policy.set("p.y", 5)
    assert [element.getInt("y") for element in policy.getPolicyArray("p")] == [1, 5]


@pytest.mark.contract("10.4.changing")
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


@pytest.mark.contract("10.4.changing")
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


@pytest.mark.contract("10.4.changing")
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
