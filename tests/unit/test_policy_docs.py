# SPDX-License-Identifier: BSD-3-Clause
"""docs/policies.md: its three policies are equal, its programs run, its error is the one that is raised."""

import re
from pathlib import Path

import pytest
from harness.policy import FormatSyntaxError, Policy, PolicyString, SupportedFormats

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_three_policies_of_the_page_are_equal():
    texts = [blocks(language)[0] for language in ("paf", "json", "toml")]
    assert [PolicyString(text).getFormatName() for text in texts] == ["PAF", "JSON", "TOML"]
    paf, json, toml = (Policy(PolicyString(text)) for text in texts)
    assert paf == json == toml and paf.getInt("appStage.stagePolicy.order") == 5


def test_the_rows_of_the_table_of_types_are_equal():
    rows = re.findall(r"^\| (?:bool|int|double|another)[^|]*\| (.*) \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for paf, json, toml in rows:
        values = [text.strip("`") for text in (paf, json, toml)]
        values[1] = "{" + values[1] + "}"
        policies = [Policy(PolicyString(text)) for text in values]
        types = {policy.getTypeName(policy.names()[0]) for policy in policies}
        assert len(types) == 1, (paf, json, toml)


@pytest.fixture
def formats():
    """The registry of the process, as it was afterwards."""
    registry = SupportedFormats.default()
    before = dict(registry._formats)
    yield registry
    registry._formats.clear()
    registry._formats.update(before)


def test_the_programs_of_the_page_run(formats, tmp_path):
    programs = blocks("python")
    assert len(programs) == 2
    for program in programs:
        exec(compile(program, "docs/policies.md", "exec"), {})
    path = tmp_path / "x.pairs"
    path.write_text("a;1\nb;2")
    assert Policy(path).toDict() == {"a": "1", "b": "2"}


def test_the_error_of_the_page_is_what_is_raised(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("isr.toml").write_text('# isr\nsigma = 3.0\norder = [3, "5"]\n')
    Path("night.paf").write_text(
        "appStage: { name: a }\nappStage: {\n    name: b\n    stagePolicy: @isr.toml\n}\n"
    )
    with pytest.raises(FormatSyntaxError) as caught:
        Policy.createPolicy("night.paf")
    assert str(caught.value) == blocks("text")[0].rstrip("\n")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, 2.0]}',
        '{"a": ["a", 1]}',
        '{"a": ["a", "@file"]}',
        '{"a": [[1, 2], [3, 4]]}',
        '{"a": 3000000000}',
    ],
)
def test_what_the_page_calls_an_error_is_one(text):
    assert f"`{text[6:-1]}`" in PAGE
    with pytest.raises(Exception, match="elements of an array differ|cannot hold arrays|out of range"):
        Policy(PolicyString(text))
