# SPDX-License-Identifier: BSD-3-Clause
"""Rules of the policy language that speak of calls, not of texts."""

from __future__ import annotations

import re

import pytest
from call_book import CALLS, text_of
from harness import policy as hp
from harness.policy import (
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

DEFINITIONS = (
    "definitions: { a: { type: int\n maxOccurs: 2 }\n"
    " k: { type: Policy\n dictionary: { definitions: { w: { type: int\n default: 7 } } } }\n"
    " none: { maxOccurs: 0 } }\n"
)

def parse(text):
    return Policy(PolicyString(text))


@pytest.mark.contract("10.2.calls", "12.2.calls")
@pytest.mark.parametrize("name", CALLS)
def test_class_has_every_call_of_the_contract(name):
    cls = getattr(hp, name)
    assert [call for call in CALLS[name] if not hasattr(cls, call)] == []


@pytest.mark.contract("10.2.calls")
@pytest.mark.parametrize("name", CALLS)
def test_every_call_has_a_test_that_names_it(name):
    for call, tests in CALLS[name].items():
        assert tests, f"{name}.{call} has no test"
        for test in tests:
            # What a class inherits is named by the class alone.
            assert re.search(rf"\b({call}|{name})\b", text_of(test)), f"{test} does not name {name}.{call}"


def test_dictionary_is_made_of_anything_that_holds_one(tmp_path):
    path = tmp_path / "d.paf"
    path.write_text(DEFINITIONS)
    policy = parse(DEFINITIONS)
    made = [
        Dictionary(str(path)),
        Dictionary(PolicyFile(str(path))),
        Dictionary(policy),
        Dictionary(Dictionary(policy)),
        Dictionary(parse("dictionary: {\n" + DEFINITIONS + "}")),
    ]
    assert [dictionary.definedNames() for dictionary in made] == [["a", "k", "none"]] * 5
    copy = made[3]
    copy.remove("definitions.a")
    assert policy.exists("definitions.a")


def test_what_holds_no_dictionary_is_refused(tmp_path):
    path = tmp_path / "d.paf"
    path.write_text("a: 1\n")
    with pytest.raises(RuntimeError, match="no dictionary"):
        Dictionary(str(path))
    with pytest.raises(DictionaryError, match="no dictionary"):
        Dictionary(parse("a: 1"))
    empty = Dictionary()
    with pytest.raises(DictionaryError, match="no dictionary"):
        empty.check()
    with pytest.raises(DictionaryError, match="no dictionary"):
        Dictionary(empty)


def test_look_up_in_a_dictionary_says_what_is_in_the_way():
    dictionary = Dictionary(parse(DEFINITIONS))
    assert (dictionary.getDef("k.w").getPrefix(), dictionary.getDef("k.w").getName()) == ("k.", "w")
    assert dictionary.hasSubDictionary("k") and not dictionary.hasSubDictionary("a")
    assert dictionary.getSubDictionary("k").getPrefix() == "k."
    with pytest.raises(NameNotFound, match='"k.width" is not defined'):
        dictionary.getDef("k.width")
    with pytest.raises(DictionaryError, match='"a" has no dictionary'):
        dictionary.makeDef("a.x")
    for name in ("a", "unknown"):
        with pytest.raises(LogicError, match="no sub-dictionary"):
            dictionary.getSubDictionary(name)
    broken = Dictionary(parse(DEFINITIONS))
    broken.set("definitions.k.dictionary", "text")
    with pytest.raises(DictionaryError, match="no policy"):
        broken.getSubDictionary("k")


def test_forbidden_parameter_cannot_be_set():
    policy = Policy()
    policy.setDictionary(Dictionary(parse(DEFINITIONS)))
    with pytest.raises(ValidationError) as caught:
        policy.set("none", 1)
    assert caught.value.getErrors("none") == ValidationError.TOO_MANY_VALUES
    assert "the parameter is forbidden" in str(caught.value)
    assert not policy.exists("none")


def test_count_of_files_not_loaded_is_checked_too():
    errors = ValidationError("collecting")
    Dictionary(parse(DEFINITIONS)).validate(parse("a: @x\na: @y\na: @z"), errors)
    assert errors.getErrors("a") == ValidationError.NOT_LOADED | ValidationError.TOO_MANY_VALUES


@pytest.mark.parametrize(
    "reference", ["dictionaryFile: k.paf", "dictionaryFile: @k.paf", "dictionary: @k.paf"]
)
def test_urn_of_a_dictionary_finds_its_files_in_the_repository(tmp_path, monkeypatch, reference):
    repository = tmp_path / "product" / "policy"
    repository.mkdir(parents=True)
    monkeypatch.setenv("SOME_PRODUCT_DIR", str(tmp_path / "product"))
    monkeypatch.chdir(tmp_path)
    (repository / "k.paf").write_text("definitions: { w: { type: int\n default: 7 } }")
    (repository / "d.paf").write_text("definitions: { k: { type: Policy\n " + reference + " } }")
    urn = "urn:eupspkg:some_product:policy:d.paf"
    for policy in (Policy.createPolicy(urn), Policy.createPolicyFromUrn(urn)):
        assert policy.toDict() == {"k": {"w": 7}}
        assert policy.canValidate()


def test_each_question_about_a_type_is_true_of_its_own_alone():
    policy = parse("b: true\ni: 1\nx: 1.0\ns: t\np: {}\nf: @x")
    asked = {
        "b": policy.isBool, "i": policy.isInt, "x": policy.isDouble, "s": policy.isString,
        "p": policy.isPolicy, "f": policy.isFile,
    }  # fmt: skip
    for own, question in asked.items():
        assert [name for name in [*asked, "absent"] if question(name)] == [own]


def test_keywords_of_dictionaries_are_those_of_the_contract():
    assert {word: getattr(Dictionary, word) for word in dir(Dictionary) if word.startswith("KW_")} == {
        "KW_DICT": "dictionary",
        "KW_DICT_FILE": "dictionaryFile",
        "KW_TYPE": "type",
        "KW_DESCRIPTION": "description",
        "KW_DEFAULT": "default",
        "KW_DEFINITIONS": "definitions",
        "KW_CHILD_DEF": "childDefinition",
        "KW_ALLOWED": "allowed",
        "KW_MIN_OCCUR": "minOccurs",
        "KW_MAX_OCCUR": "maxOccurs",
        "KW_MIN": "min",
        "KW_MAX": "max",
        "KW_VALUE": "value",
    }


@pytest.mark.contract("12.3.bits")
def test_bits_of_validation_are_those_of_the_contract():
    bits = ValidationError
    single = [bits.WRONG_TYPE, bits.MISSING_REQUIRED, bits.NOT_AN_ARRAY, bits.ARRAY_TOO_SHORT]
    single += [bits.TOO_MANY_VALUES, bits.VALUE_DISALLOWED, bits.VALUE_OUT_OF_RANGE, bits.UNKNOWN_NAME]
    single += [bits.BAD_DEFINITION, bits.NOT_LOADED, bits.UNKNOWN_ERROR]
    assert single == [1 << power for power in range(11)]
    masks = (bits.OK, bits.TOO_FEW_VALUES, bits.WRONG_OCCURRENCE_COUNT, bits.BAD_VALUE)
    assert masks == (0, 14, 30, 96)


def test_definition_takes_what_its_setters_are_given():
    definition = hp.Definition("first")
    definition.setName("second")
    definition.setPrefix("a.")
    definition.setData(parse("type: int\nmaxOccurs: 3"))
    assert (definition.getPrefix(), definition.getName()) == ("a.", "second")
    assert (definition.getTypeName(), definition.getMaxOccurs()) == ("int", 3)
    for change in (definition.setChildDefinition, definition.setWildcard):
        change(True)
        assert definition.isChildDefinition() and definition.isWildcard()
        change(False)
        assert not definition.isChildDefinition() and not definition.isWildcard()


def test_file_writer_that_is_closed_has_written_and_writes_no_more(tmp_path):
    path = tmp_path / "out.paf"
    writer = hp.PAFWriter(str(path))
    writer.write(parse("a: 1"))
    writer.close()
    assert path.read_text() == "a: 1\n"
    with pytest.raises(hp.IoError, match="closed"):
        writer.write(parse("b: 1"))
