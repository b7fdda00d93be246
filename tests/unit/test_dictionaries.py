# SPDX-License-Identifier: BSD-3-Clause
"""The dictionaries that are shipped: all valid by the dictionary of dictionaries, and true to the code."""

from pathlib import Path

import pytest
from harness.check.dictionaries import check_against, check_dictionary, open_dictionary
from harness.policy import Policy, PolicyString, ValidationError
from harness.runtime.configuration.dictionary import load_dictionary, pipeline_dictionary

ROOT = Path(__file__).parents[2]
OURS = sorted((ROOT / "policy").glob("*.paf"))
DICTIONARIES = [*OURS, *sorted((ROOT / "examples").rglob("*Dictionary.paf"))]


def problems(tmp_path: Path, text: str) -> list:
    path = tmp_path / "SomeDictionary.paf"
    path.write_text(text)
    return check_dictionary(path)


def test_there_is_a_dictionary_for_each_kind_of_policy():
    assert {path.stem.removesuffix("Dictionary") for path in OURS} >= {
        "Dictionary", "EventStage", "InputStage", "OutputStage", "Pipeline", "Stage", "SymLinkStage",
    }  # fmt: skip


@pytest.mark.parametrize("path", DICTIONARIES, ids=lambda path: path.stem)
def test_every_dictionary_satisfies_the_dictionary_of_dictionaries(path):
    assert check_dictionary(path) == []


@pytest.mark.parametrize("path", DICTIONARIES, ids=lambda path: path.stem)
def test_every_definition_says_what_it_means(path):
    silent = []
    pending = [("", open_dictionary(path))]
    while pending:
        prefix, level = pending.pop()
        for name in level.definedNames():
            definition = level.getDef(name)
            # A block that only holds others needs no words of its own.
            if not definition.getDescription() and not level.hasSubDictionary(name):
                silent.append(prefix + name)
            if level.hasSubDictionary(name):
                pending.append((f"{prefix}{name}.", level.getSubDictionary(name)))
    assert silent == []


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("definitions: {\n a: { type: int\n typ: 3 }\n}\n", 3, ['"typ"']),
        ("definitions: {\n a: { type: integr }\n}\n", 2, ["integr"]),
        ("target: 5\ndefinitions: {\n a: { type: int }\n}\n", 1, ["target", "string"]),
        ("definitions: {\n a: { description: 3 }\n}\n", 2, ["description", "string"]),
        (
            "definitions: {\n a: { type: policy\n dictionary: { definitions: {\n"
            " b: { description: 5 } } } }\n}",
            4,
            ["description", "a.dictionary.definitions.b"],
        ),
        ("definitions: {\n a: { type: int\n allowed: { vale: 3 } }\n}\n", 3, ["vale"]),
        ("nothing: 1\n", None, ["definitions"]),
    ],
)
def test_a_bad_dictionary_is_refused_with_its_place(tmp_path, text, line, words):
    found = problems(tmp_path, text)
    assert found, "no problem was found"
    assert found[0].line == line
    for word in words:
        assert word in str(found[0])


def test_all_violations_of_a_dictionary_are_told_at_once(tmp_path):
    text = "target: 1\ndefinitions: {\n a: { description: 2 }\n b: { description: 3 }\n}\nmore: 4\n"
    assert [problem.line for problem in problems(tmp_path, text)] == [1, 3, 4, 6]


def test_a_definition_without_effect_is_a_warning(tmp_path):
    (found,) = problems(tmp_path, "definitions: {\n a: { type: int\n min: 3 }\n}\n")
    assert found.severity == "warning" and "min" in str(found)


def test_a_policy_is_held_against_any_dictionary_with_its_defaults(tmp_path):
    (tmp_path / "D.paf").write_text(
        "definitions: {\n a: { type: int\n minOccurs: 1\n default: 3 }\n b: { type: string }\n}\n"
    )
    (tmp_path / "p.paf").write_text("c: 1\nb: 2\n")
    found = check_against(tmp_path / "p.paf", tmp_path / "D.paf")
    assert [(problem.line, problem.severity) for problem in found] == [(1, "error"), (2, "error")]
    found = check_against(tmp_path / "p.paf", tmp_path / "D.paf", allow_unknown=True)
    assert [(problem.line, problem.severity) for problem in found] == [(1, "warning"), (2, "error")]


def test_a_stage_dictionary_knows_what_the_contract_says_of_symbolic_links():
    sut = load_dictionary("pex_harness", "SymLinkStageDictionary.paf", "policy")
    link = "Links: { sourcePath: a\n destPath: b }\n"
    sut.validate(Policy(PolicyString("RunMode: preprocess\n" + link + link)))
    with pytest.raises(ValidationError, match="destPath"):
        sut.validate(Policy(PolicyString("Links: { sourcePath: a }\n")))


def test_a_stage_dictionary_knows_what_the_contract_says_of_event_stages():
    sut = load_dictionary("pex_harness", "EventStageDictionary.paf", "policy")
    sut.validate(Policy(PolicyString('RunMode: postprocess\nkeysToPublish: "topic=key" "both"\n')))
    with pytest.raises(ValidationError, match="KeysToPublish"):
        sut.validate(Policy(PolicyString('KeysToPublish: "topic=key"\n')))


CONTRACT_KEYS = {
    "nSlices": "int", "appStage": "Policy", "failureStage": "Policy", "executionMode": "string",
    "eventTimeout": "int", "eventBrokerHost": "string", "localLogMode": "bool", "logThreshold": "int",
    "shutdownTopic": "string", "exitTopic": "string", "barrierDelay": "double", "dir": "Policy",
    "dir.shortName": "string", "database.url": "string", "shareDataOn": "bool", "topology": "Policy",
    "appStage.name": "string", "appStage.serialClass": "string", "appStage.parallelClass": "string",
    "appStage.eventTopic": "string", "appStage.stagePolicy": "undefined", "appStage.shareData": "bool",
}  # fmt: skip
CONTRACT_DEFAULTS = {
    "nSlices": "0", "eventTimeout": "10000000", "localLogMode": "false", "logThreshold": "-1",
    "shutdownTopic": '"triggerShutdownEvent"', "barrierDelay": "1e-06", "shareDataOn": "false",
    "appStage.eventTopic": '"None"', "appStage.shareData": "false",
}  # fmt: skip


@pytest.mark.parametrize(("key", "kind"), CONTRACT_KEYS.items())
def test_the_pipeline_dictionary_has_the_keys_of_the_contract(key, kind):
    definition = pipeline_dictionary().getDef(key)
    assert not definition.isWildcard()
    assert definition.getTypeName() == kind
    assert definition.getDefault() == CONTRACT_DEFAULTS.get(key, "<null>")
    if key != "appStage":
        assert definition.getMaxOccurs() == 1
