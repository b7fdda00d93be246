# SPDX-License-Identifier: BSD-3-Clause
"""Policies written as JSON and TOML: what is written reads back, and what cannot be is refused."""

import json
import math

import pytest
from harness.policy import (
    DefaultPolicyFile,
    Dictionary,
    Policy,
    PolicyFile,
    PolicyString,
    RuntimeError,
    UrnPolicyFile,
    to_json,
    to_toml,
)

WRITERS = pytest.mark.parametrize(("write", "name"), [(to_json, "JSON"), (to_toml, "TOML")])


def read(text, name, tmp_path):
    path = tmp_path / f"written.{name.lower()}"
    path.write_text(text, encoding="utf-8", newline="")
    return Policy(path)


@pytest.fixture
def policy():
    text = """
        one: 1
        many: 3 -1 2147483647
        p: { x: 1.0 }
        doubles: 1e22 -0.0 5e-324 0.1 1.0
        flags: true false
        text: "quote ' # } ] = é" "back\\slash \\n" ""
        p: { x: 2.0
             empty: {} }
        file: @sub/a.paf
        file: @b.toml
        urn: @@pex_harness:policy:x.paf
    """
    policy = Policy(PolicyString(text))
    policy.set("lines", "one\r\n\ttwo\x00\x7f\u2028 \"\"\" ''' 🚀")
    return policy


@WRITERS
def test_what_is_written_reads_back_with_types_arrays_and_includes(write, name, policy, tmp_path):
    back = read(write(policy), name, tmp_path)
    assert back == policy
    assert math.copysign(1, back.getDoubleArray("doubles")[1]) == -1
    assert isinstance(back.getFile("urn"), UrnPolicyFile) and write(back) == write(policy)


def test_json_keeps_the_order_of_names(policy, tmp_path):
    assert read(to_json(policy), "JSON", tmp_path).names() == policy.names()


def test_toml_has_the_plain_values_of_each_policy_before_its_sub_policies(tmp_path):
    policy = Policy(PolicyString("a: { b: { c: 1 } d: 2 }\n e: 3 4\n f: { }\n g: @x.paf"))
    assert read(to_toml(policy), "TOML", tmp_path).names(True) == ["e", "g", "a", "f"]


@WRITERS
def test_text_is_for_people(write, name):
    policy = Policy(PolicyString("name: é\nisr: { sigma: 3.0 }"))
    assert (
        write(policy)
        == {
            "JSON": '{\n  "name": "é",\n  "isr": {\n    "sigma": 3.0\n  }\n}\n',
            "TOML": 'name = "é"\n\n[isr]\nsigma = 3.0\n',
        }[name]
    )


@WRITERS
def test_an_empty_policy_and_a_dictionary_are_written(write, name, tmp_path):
    assert read(write(Policy()), name, tmp_path) == Policy()
    dictionary = Dictionary(PolicyString("definitions: { a: { type: int\n default: 1 } }"))
    assert read(write(dictionary), name, tmp_path).toDict() == dictionary.toDict()


@WRITERS
def test_a_file_of_a_product_is_written_as_its_urn(write, name, tmp_path):
    policy = Policy()
    policy.set("f", DefaultPolicyFile("pex_harness", "x.paf", "policy"))
    assert "@urn:eupspkg:pex_harness:policy:x.paf" in write(policy)
    assert read(write(policy), name, tmp_path).getFile("f").reference() == policy.getFile("f").reference()


@WRITERS
@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("@x", "starts with '@'"),
        (["a", "@"], "starts with '@'"),
        ("caf\udce9", "no UTF-8"),
        (PolicyFile("urn:eupspkg:a:b"), "this file reference"),
        (PolicyFile("@x"), "this file reference"),
        (PolicyFile(" x"), "this file reference"),
        (PolicyFile(""), "this file reference"),
        ({"a-b": 1}, "this name"),
        ({"é": 1}, "this name"),
    ],
)
def test_what_would_read_back_as_something_else_is_refused_with_its_place(write, name, value, says):
    policy = Policy.fromDict({"p": [{"q": 1}, {"q": 1}]})
    policy.getPolicyArray("p")[1].set("v", value)
    with pytest.raises(RuntimeError) as caught:
        write(policy)
    assert f"{name} cannot hold" in str(caught.value) and says in caught.value.problem
    assert caught.value.breadcrumb.startswith("p[1].v") and caught.value.expected and caught.value.seen


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_json_refuses_what_is_no_number_and_toml_writes_it(value, tmp_path):
    policy = Policy.fromDict({"a": [1.0, value]})
    with pytest.raises(RuntimeError, match="finite") as caught:
        to_json(policy)
    assert caught.value.breadcrumb == "a[1]"
    assert read(to_toml(policy), "TOML", tmp_path) == policy


@WRITERS
def test_two_hundred_levels_are_written_and_more_are_refused(write, name, tmp_path):
    def nested(levels):
        return Policy(PolicyString("a: {" * levels + "x: 1" + "}" * levels))

    assert read(write(nested(199)), name, tmp_path) == nested(199)
    for levels in (200, 9000):
        with pytest.raises(RuntimeError, match="200 levels"):
            write(nested(levels))


def test_json_is_strict_json(policy):
    def refuse(word):
        raise ValueError(word)

    assert json.loads(to_json(policy), parse_constant=refuse)["many"] == [3, -1, 2147483647]
