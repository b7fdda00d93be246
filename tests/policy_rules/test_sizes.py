# SPDX-License-Identifier: BSD-3-Clause
"""Large and deep policies: each is done in proportion to its size. What is not would meet the watchdog."""

from __future__ import annotations

import pytest
from harness.policy import Dictionary, Policy, PolicyString, ValidationError


def parse(text):
    return Policy(PolicyString(text))


@pytest.mark.contract("17.52")
def test_long_row_is_read():
    count = 1_000_000
    assert sum(parse("a: " + "7 " * count).getIntArray("a")) == 7 * count


def test_row_over_many_lines_of_one_string_is_read():
    count = 200_000
    assert len(parse('a: "' + "x\n" * count + '"').getString("a")) == 2 * count


def test_name_repeated_often_gives_one_array():
    count = 100_000
    policy = parse("a: 1\n" * count + "p: { x: 1 }\n" * count)
    assert (policy.valueCount("a"), policy.valueCount("p")) == (count, count)


def test_many_names_are_found():
    count = 100_000
    policy = parse("".join(f"n{i}: {i}\n" for i in range(count)))
    assert policy.nameCount() == count
    assert sum(policy.getInt(f"n{i}") for i in range(0, count, 100)) == sum(range(0, count, 100))


def test_deep_blocks_are_read_and_copied():
    depth = 10_000
    policy = parse("a: {\n" * (depth - 1) + "a: 1\n" + "}\n" * (depth - 1))
    assert policy.getInt(".".join("a" * depth)) == 1
    assert Policy(policy, True) == policy


def nested_dictionary(depth, innermost):
    body = innermost
    for _ in range(depth):
        body = "a: { type: Policy\n dictionary: { definitions: {\n" + body + " } } }"
    return parse("definitions: {\n" + body + " }")


@pytest.mark.contract("17.52")
def test_nested_dictionaries_are_used():
    depth = 200
    dictionary = Dictionary(nested_dictionary(depth, "x: { type: int\n default: 1\n minOccurs: 1 }"))
    policy = Policy(True, dictionary)
    name = ".".join(["a"] * depth + ["x"])
    assert policy.getInt(name) == 1
    policy.validate()
    policy.set(name, 2)
    errors = ValidationError("collecting")
    bad = Policy()
    bad.set(name, 2.0)
    dictionary.validate(bad, errors)
    assert {each: errors.getErrors(each) for each in errors.getParamNames()} == {
        name: ValidationError.WRONG_TYPE
    }


def test_every_block_of_a_long_array_is_validated():
    count = 20_000
    dictionary = Dictionary(
        parse("definitions: { p: { type: Policy\n dictionary: { definitions: { x: { type: int } } } } }")
    )
    policy = parse("p: { x: 1 }\n" * count + "p: { x: 1.0 }\n")
    errors = ValidationError("collecting")
    dictionary.validate(policy, errors)
    assert errors.getErrors() == ValidationError.WRONG_TYPE
    assert errors.breadcrumb == f"p[{count}].x"


def test_wide_includes_are_all_read(tmp_path):
    count = 2_000
    (tmp_path / "leaf.paf").write_text("x: 1\n")
    (tmp_path / "main.paf").write_text("p: @leaf.paf\n" * count)
    assert Policy.createPolicy(str(tmp_path / "main.paf")).valueCount("p") == count
