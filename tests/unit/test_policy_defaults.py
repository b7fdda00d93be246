# SPDX-License-Identifier: BSD-3-Clause
"""Look-up in dictionaries, defaults, merging, dictionary files, and the checks of an attached dictionary."""

import pytest
from harness.policy import (
    Definition,
    Dictionary,
    DictionaryError,
    LogicError,
    NameNotFound,
    Policy,
    PolicyFile,
    PolicyString,
    RuntimeError,
    ValidationError,
)

WARP = """#<?cfg paf dictionary ?>
target: Warp
definitions: {
    threshold: { type: double  # in sigma
                 description: "cut in sigma"
                 default: 5.0
                 maxOccurs: 1
                 allowed: { min: 0.0
                            max: 50.0 } }
    mode: { type: string
            default: "fast"
            allowed: { value: "fast" "exact" } }
    size: { type: int
            minOccurs: 2
            maxOccurs: 3 }
    kernel: { type: Policy
              dictionary: {
                  definitions: {
                      width: { type: int
                               default: 7
                               minOccurs: 1 }
                      name: { type: string }
                  }
              } }
    flag.type: bool
    anything: { minOccurs: 0 }
}
"""


def parse(text):
    return Policy(PolicyString(text))


def define(body):
    """A dictionary with the given definitions."""
    return Dictionary(parse("definitions: {\n" + body + "\n}"))


def issues(dictionary, text):
    errors = ValidationError("collecting")
    dictionary.validate(parse(text), errors)
    return {name: errors.getErrors(name) for name in errors.getParamNames()}


@pytest.fixture
def warp():
    return Dictionary(parse(WARP))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("int", Policy.INT),
        ("integer", Policy.INT),
        ("bool", Policy.BOOL),
        ("boolean", Policy.BOOL),
        ("double", Policy.DOUBLE),
        ("string", Policy.STRING),
        ("Policy", Policy.POLICY),
        ("policy", Policy.POLICY),
        ("undefined", Policy.UNDEF),
        ("undef", Policy.UNDEF),
    ],
)
def test_type_names(name, expected):
    assert define(f"a: {{ type: {name} }}").getDef("a").getType() == expected


@pytest.mark.contract("12.2.calls")
def test_definition_tells_what_is_written(warp):
    definition = warp.getDef("threshold")
    assert (definition.getName(), definition.getPrefix()) == ("threshold", "")
    assert (definition.getType(), definition.getTypeName()) == (Policy.DOUBLE, "double")
    assert (definition.getDefault(), definition.getDescription()) == ("5.0", "cut in sigma")
    assert (definition.getMinOccurs(), definition.getMaxOccurs()) == (0, 1)
    assert not definition.isWildcard()
    definition.check()
    inner = warp.makeDef("kernel.width")
    assert (inner.getPrefix(), inner.getName(), inner.getMinOccurs()) == ("kernel.", "width", 1)
    assert warp.getDef("flag").getType() == Policy.BOOL
    assert warp.getDef("size").getDefault() == "<null>"


def test_definition_can_be_put_together():
    definition = Definition("a")
    definition.setPrefix("outer.")
    definition.setData(parse("type: int\nminOccurs: 1"))
    definition.setWildcard(True)
    assert (definition.getName(), definition.getPrefix()) == ("a", "outer.")
    assert (definition.getType(), definition.getMinOccurs(), definition.isChildDefinition()) == (
        Policy.INT,
        1,
        True,
    )
    definition.setData(parse("type: nonsense"))
    with pytest.raises(DictionaryError):
        definition.check()


def test_look_up(warp):
    assert warp.definedNames() == ["threshold", "mode", "size", "kernel", "flag", "anything"]
    assert warp.getDefinitions().getString("mode.default") == "fast"
    assert warp.hasSubDictionary("kernel") and not warp.hasSubDictionary("mode")
    below = warp.getSubDictionary("kernel")
    assert isinstance(below, Dictionary) and below.getPrefix() == "kernel."
    assert below.definedNames() == ["width", "name"]
    assert issues(below, "") == {"kernel.width": ValidationError.MISSING_REQUIRED}
    with pytest.raises(LogicError):
        warp.getSubDictionary("mode")
    with pytest.raises(NameNotFound, match='did you mean "kernel.width"'):
        warp.getDef("kernel.widht")
    with pytest.raises(DictionaryError):
        warp.getDef("anything.x")


def test_dictionary_in_a_policy_is_found_below_its_name():
    outer = parse("type: Policy\ndictionary: { definitions: { a: { type: int } } }")
    assert Dictionary(outer).definedNames() == ["a"]


def test_file_without_definitions_is_a_runtime_error(tmp_path):
    path = tmp_path / "plain.paf"
    path.write_text("a: 1\n")
    with pytest.raises(RuntimeError):
        Dictionary(path)
    with pytest.raises(RuntimeError):
        Dictionary(PolicyFile(str(path)))


def test_defaults_are_extracted_level_by_level(warp):
    policy = Policy(True, warp)
    assert policy.toDict() == {"threshold": 5.0, "mode": "fast", "kernel": {"width": 7}}
    assert policy.canValidate()
    assert not Policy(False, warp).canValidate()


def test_bad_defaults_are_listed_together():
    dictionary = define(
        "a: { type: double\n default: 0 }\nb: { type: int\n minOccurs: 2\n default: 5 }\n"
        "c: { type: int\n default: 1 }"
    )
    with pytest.raises(ValidationError) as caught:
        Policy(False, dictionary)
    assert caught.value.getErrors("a") == ValidationError.WRONG_TYPE
    assert caught.value.getErrors("b") == ValidationError.NOT_AN_ARRAY
    assert caught.value.getParamNames() == ["a", "b"]


def test_default_of_a_policy_is_completed_by_its_dictionary():
    dictionary = define(
        "p: { type: Policy\n default: { x: 3 }\n dictionary: { definitions: {\n"
        " x: { type: int\n minOccurs: 1 }\n y: { type: int\n default: 4\n minOccurs: 1 } } } }"
    )
    policy = Policy(True, dictionary)
    assert policy.toDict() == {"p": {"x": 3, "y": 4}}
    policy.validate()


def test_block_without_defaults_does_not_appear():
    dictionary = define(
        "p: { type: Policy\n dictionary: { definitions: { q: { type: Policy\n"
        " dictionary: { definitions: { x: { type: int } } } } } } }"
    )
    assert Policy(False, dictionary).names() == []


class TestAttached:
    """Every change of a policy with a dictionary is checked first."""

    @pytest.fixture
    def policy(self, warp):
        policy = parse("size: 1 2")
        policy.setDictionary(warp)
        return policy

    @pytest.mark.contract("10.4.attached")
    @pytest.mark.parametrize(
        ("call", "name", "value", "bits"),
        [
            ("set", "threshold", 1, ValidationError.WRONG_TYPE),
            ("set", "threshold", 51.0, ValidationError.VALUE_OUT_OF_RANGE),
            ("set", "mode", "slow", ValidationError.VALUE_DISALLOWED),
            ("set", "treshold", 1.0, ValidationError.UNKNOWN_NAME),
            ("set", "size", [1, 2, 3, 4], ValidationError.TOO_MANY_VALUES),
            ("add", "size", [3, 4], ValidationError.TOO_MANY_VALUES),
            ("set", "kernel.width", 1.0, ValidationError.WRONG_TYPE),
            ("set", "kernel.widht", 1, ValidationError.UNKNOWN_NAME),
            ("set", "kernel", {"widht": 1}, ValidationError.UNKNOWN_NAME),
        ],
    )
    def test_forbidden_change_raises_and_changes_nothing(self, policy, call, name, value, bits):
        before = policy.toDict()
        with pytest.raises(ValidationError) as caught:
            getattr(policy, call)(name, value)
        assert caught.value.getErrors() == bits
        assert policy.toDict() == before

    def test_allowed_change_goes_through_and_minimum_is_not_asked(self, policy):
        policy.set("threshold", 1.0)
        policy.set("size", 3)
        policy.add("size", 4)
        policy.set("kernel", {})
        policy.set("kernel.width", 3)
        policy.set("kernel", PolicyFile("not/checked.paf"))
        assert policy.getIntArray("size") == [3, 4]

    def test_name_below_a_policy_without_dictionary_is_a_dictionary_error(self, policy):
        with pytest.raises(DictionaryError):
            policy.set("anything.x", 1)

    @pytest.mark.contract("17.45")
    def test_sub_policy_is_checked_too(self, policy):
        policy.set("kernel.width", 3)
        with pytest.raises(ValidationError) as caught:
            policy.getPolicy("kernel").set("width", "wide")
        assert caught.value.getParamNames() == ["kernel.width"]
        assert policy.getInt("kernel.width") == 3

    def test_validate_asks_the_attached_dictionary(self, policy):
        policy.validate()
        policy.remove("size")
        errors = ValidationError("collecting")
        policy.validate(errors)
        assert errors.getErrors("size") == ValidationError.MISSING_REQUIRED
        policy.setDictionary(None)
        with pytest.raises(DictionaryError, match="no dictionary is attached"):
            policy.validate()


class TestMergeDefaults:
    def test_dictionary_itself(self, warp):
        own = parse("size: 1 2\nthreshold: 3.0\nkernel: { name: box }")
        assert own.mergeDefaults(warp) == 2
        assert own.toDict() == {
            "size": [1, 2],
            "threshold": 3.0,
            "kernel": {"name": "box", "width": 7},
            "mode": "fast",
        }
        assert own.getDictionary().definedNames() == warp.definedNames()

    @pytest.mark.contract("2.7.defaults")
    def test_recommended_patterns_of_setup(self, tmp_path):
        (tmp_path / "WarpDictionary.paf").write_text(WARP)
        defaults = Policy.createPolicy(str(tmp_path / "WarpDictionary.paf"), str(tmp_path), True)
        for given in (defaults, defaults.getDictionary()):
            own = parse("size: 1 2")
            own.mergeDefaults(given)
            assert (own.getDouble("threshold"), own.canValidate()) == (5.0, True)
            bad = parse("size: 1 2\nthreshold: 3")
            with pytest.raises(ValidationError):
                bad.mergeDefaults(given)

    def test_not_kept_validates_only_against_a_dictionary_given_as_such(self, warp):
        own = parse("nonsense: 1")
        own.mergeDefaults(Policy(True, warp), False)
        assert not own.canValidate()
        with pytest.raises(ValidationError):
            own.mergeDefaults(warp, False)
        assert not own.canValidate()

    @pytest.mark.contract("10.4.mergeDefaults")
    def test_violations_are_collected_if_asked(self, warp):
        errors = ValidationError("collecting")
        own = parse("size: 1")
        own.mergeDefaults(warp, True, errors.cpp)
        assert errors.getParamNames() == ["size"]

    @pytest.mark.contract("10.4.mergeDefaults")
    def test_plain_policies_merge_leaf_by_leaf(self):
        own = parse("a: 1\np: { x: 1 }")
        defaults = parse("a: 2 3\np: { x: 9 9\n y: 2\n q: { z: 1 } }\nf: @some.paf\nempty: {}")
        assert own.mergeDefaults(defaults) == 3
        assert own == parse("a: 1\np: { x: 1\n y: 2\n q: { z: 1 } }\nf: @some.paf")

    @pytest.mark.contract("17.49")
    def test_array_of_policies_is_copied_whole_and_independently(self):
        own = Policy()
        defaults = parse("p: { x: 1 }\np: { y: 2 }")
        own.mergeDefaults(defaults)
        assert own == defaults
        own.set("p.y", 5)
        assert defaults.getInt("p.y") == 2

    def test_policy_can_be_merged_into_its_own_sub_policy(self):
        policy = Policy(PolicyString("b: { c: 1 }\nd: 2"))
        assert policy.getPolicy("b").mergeDefaults(policy) == 2
        assert policy.toDict() == {"b": {"c": 1, "b": {"c": 1}, "d": 2}, "d": 2}

    def test_own_plain_value_stands_against_a_block_of_defaults(self):
        own = parse("p: 1")
        assert own.mergeDefaults(parse("p: { x: 1 }")) == 0
        assert own.toDict() == {"p": 1}


class TestFiles:
    @pytest.mark.parametrize(
        "reference",
        ["dictionaryFile: k.paf", 'dictionaryFile: "k.paf"', "dictionaryFile: @k.paf", "dictionary: @k.paf"],
    )
    def test_dictionary_file_is_loaded_and_used(self, tmp_path, reference):
        (tmp_path / "k.paf").write_text("definitions: { width: { type: int\n default: 7 } }")
        (tmp_path / "d.paf").write_text("definitions: {\n kernel: { type: Policy\n " + reference + " } }")
        dictionary = Dictionary(tmp_path / "d.paf")
        with pytest.raises(LogicError, match="has not been loaded"):
            dictionary.validate(parse("kernel: {}"))
        assert dictionary.loadPolicyFiles(tmp_path) == 1
        assert issues(dictionary, "kernel: { x: 1 }") == {"kernel.x": ValidationError.UNKNOWN_NAME}
        assert Policy.createPolicy(tmp_path / "d.paf").toDict() == {"kernel": {"width": 7}}

    @pytest.mark.contract("17.58")
    def test_long_chain_of_dictionary_files_works(self, tmp_path):
        for i in range(30):
            body = "type: int\n default: 1" if i == 29 else f"type: Policy\n dictionaryFile: d{i + 1}.paf"
            (tmp_path / f"d{i}.paf").write_text("definitions: { a: { " + body + " } }")
        policy = Policy.createPolicy(tmp_path / "d0.paf")
        assert policy.getInt(".".join("a" * 30)) == 1

    @pytest.mark.parametrize("reference", ["dictionaryFile: d.paf", "dictionary: @d.paf"])
    def test_circle_of_dictionary_files_is_a_dictionary_error(self, tmp_path, reference):
        (tmp_path / "d.paf").write_text("definitions: { a: { type: Policy\n " + reference + " } }")
        with pytest.raises(DictionaryError, match="circle"):
            Dictionary(tmp_path / "d.paf").loadPolicyFiles(tmp_path)

    def test_error_in_a_loaded_dictionary_names_file_and_includer(self, tmp_path):
        (tmp_path / "k.paf").write_text("definitions: {\n width: { typ: int } }")
        (tmp_path / "d.paf").write_text("definitions: {\n kernel: { dictionaryFile: k.paf } }")
        with pytest.raises(DictionaryError) as caught:
            Policy.createPolicy(tmp_path / "d.paf")
        assert (caught.value.file, caught.value.line) == (str(tmp_path / "k.paf"), 2)
        assert caught.value.chain == [(str(tmp_path / "d.paf"), 2, 28)]


def test_dictionaries_nest_without_doubling_the_work():
    depth = 60
    body = "a: { type: int\n default: 1 }"
    for _ in range(depth):
        body = "a: { type: Policy\n dictionary: { definitions: {\n" + body + " } } }"
    policy = Policy(True, define(body))
    policy.validate()
    policy.set(".".join("a" * (depth + 1)), 3)
    with pytest.raises(ValidationError):
        policy.set(".".join("a" * (depth + 1)), "x")
