# SPDX-License-Identifier: BSD-3-Clause
"""What holds for every dictionary: policies made by its rules are clean, one broken rule is one error.

A failing test names its seed: ``pytest -k "[<seed>]"`` makes the same policies again.
"""

from __future__ import annotations

import pytest
from harness.policy import Dictionary, PAFWriter, Policy, PolicyString, ValidationError
from random_schemas import Maker, Tree, defaults_of

SEEDS = range(150)


def issues(dictionary: Dictionary, policy: Policy) -> dict[str, int]:
    errors = ValidationError("collecting")
    dictionary.validate(policy, errors)
    return {name: errors.getErrors(name) for name in errors.getParamNames()}


def tree_of(policy: Policy) -> Tree:
    """The policy with every value in a list."""
    return {
        name: [tree_of(each) if isinstance(each, Policy) else each for each in policy.getArray(name)]
        for name in policy.names(True)
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_policy_made_by_the_rules_is_clean(seed):
    maker = Maker(seed)
    schema = maker.schema()
    dictionary = Dictionary(Policy.fromDict(schema.as_policy()))
    for _ in range(5):
        tree = maker.policy(schema)
        assert issues(dictionary, Policy.fromDict(tree)) == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_one_broken_rule_is_one_error_at_its_name(seed):
    maker = Maker(seed)
    schema = maker.schema()
    dictionary = Dictionary(Policy.fromDict(schema.as_policy()))
    for _ in range(10):
        tree = maker.policy(schema)
        broken = maker.broken(schema, tree)
        if broken is None:
            continue
        name, bits = broken
        assert issues(dictionary, Policy.fromDict(tree)) == {name: bits}


def test_every_kind_of_error_is_made_by_some_seed():
    made = 0
    for seed in SEEDS:
        maker = Maker(seed)
        schema = maker.schema()
        for _ in range(10):
            broken = maker.broken(schema, maker.policy(schema))
            made |= broken[1] if broken else 0
    counts_and_values = ValidationError.WRONG_OCCURRENCE_COUNT | ValidationError.BAD_VALUE
    others = ValidationError.WRONG_TYPE | ValidationError.UNKNOWN_NAME | ValidationError.NOT_LOADED
    assert made == counts_and_values | others


@pytest.mark.parametrize("seed", SEEDS)
def test_defaults_are_those_of_the_rules_and_break_none(seed):
    schema = Maker(seed).schema()
    dictionary = Dictionary(Policy.fromDict(schema.as_policy()))
    defaults = Policy(True, dictionary)
    assert tree_of(defaults) == defaults_of(schema)
    left = issues(dictionary, defaults)
    assert [name for name, bits in left.items() if bits & ~ValidationError.TOO_FEW_VALUES] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_defaults_of_a_dictionary_without_gaps_are_a_valid_policy(seed):
    schema = Maker(seed).schema(complete=True)
    defaults = Policy(True, Dictionary(Policy.fromDict(schema.as_policy())))
    defaults.validate()


@pytest.mark.parametrize("seed", SEEDS)
def test_merged_policy_has_its_own_values_and_the_defaults_for_the_rest(seed):
    maker = Maker(seed)
    # Elsewhere a default may bring in an optional block, and with it names that are required there.
    schema = maker.schema(complete=True)
    dictionary = Dictionary(Policy.fromDict(schema.as_policy()))
    own = Policy.fromDict(maker.policy(schema))
    merged = Policy(own, True)
    merged.mergeDefaults(dictionary)
    assert issues(dictionary, merged) == {} and merged.canValidate()
    before, after = tree_of(own), tree_of(merged)
    assert before.keys() | defaults_of(schema).keys() == after.keys()
    assert all(after[name] == values for name, values in before.items() if not merged.isPolicy(name))


@pytest.mark.parametrize("seed", SEEDS)
def test_dictionary_written_and_read_again_says_the_same(seed):
    maker = Maker(seed)
    schema = maker.schema()
    policy = Policy.fromDict(schema.as_policy())
    writer = PAFWriter()
    writer.write(policy)
    back = Policy(PolicyString(writer.toString()))
    assert back == policy
    tree = maker.policy(schema)
    assert issues(Dictionary(back), Policy.fromDict(tree)) == {}
