# SPDX-License-Identifier: BSD-3-Clause
"""What a resumed run compares: keys of its policy, and the source files of its stages."""

import json

import pytest
from harness.ledger.code_files import own_imports
from harness.ledger.policies import BOUND, FREE, compare_policies
from harness.ledger.provenance import code_differences, code_versions
from harness.policy import Dictionary
from harness.policy.products import installed_directory


def compare(before, now):
    return compare_policies(json.dumps(before), json.dumps(now))


@pytest.mark.parametrize("name", ["PipelineDictionary", "StageDictionary"])
def test_of_every_key_it_is_decided_whether_results_depend_on_it(name):
    dictionary = Dictionary(f"{installed_directory()}/policy/{name}.paf")
    assert set(dictionary.definedNames()) <= FREE | BOUND
    assert not FREE & BOUND


def test_equal_policies_have_no_changes():
    assert compare({"nSlices": 2, "dir": {"work": "a"}}, {"dir": {"work": "a"}, "nSlices": 2}) == ([], [])


def test_a_change_is_told_by_its_key_with_both_values():
    changes = compare(
        {"nSlices": 2, "nWorkers": 2, "dir": {"work": "a"}, "logFlood": 5},
        {"nSlices": 3, "dir": {"work": "b", "input": "c"}, "logFlood": 6},
    )
    assert changes.bound == ['dir.input: "c", was absent', 'dir.work: "b", was "a"', "nSlices: 3, was 2"]
    assert changes.free == ["logFlood: 6, was 5", "nWorkers: absent, was 2"]


def test_stages_are_compared_one_by_one():
    one = {"name": "one", "stagePolicy": {"cut": [1, 2], "sky": 5.0}}
    other = {"name": "one", "stagePolicy": {"cut": [1, 3], "sky": 5.0}, "stageTimeout": 2.0}
    changes = compare({"appStage": one}, {"appStage": [other, {"name": "two"}]})
    assert changes.bound == [
        "appStage[0].stagePolicy.cut: [1, 3], was [1, 2]",
        'appStage[1]: {"name": "two"}, was absent',
    ]
    assert changes.free == ["appStage[0].stageTimeout: 2.0, was absent"]


def test_a_key_of_a_stage_policy_is_a_stages_own_whatever_it_is_called():
    before, now = ({"appStage": {"stagePolicy": {"logFlood": number}}} for number in (1, 2))
    assert compare(before, now).bound == ["appStage[0].stagePolicy.logFlood: 2, was 1"]


@pytest.mark.parametrize(("before", "now"), [(2, 2.0), (1, True), ("2", 2), ([1], 1)])
def test_values_of_other_types_differ(before, now):
    assert len(compare({"key": before}, {"key": now}).bound) == 1


def test_a_long_value_is_cut():
    text = compare({}, {"appStage": {"name": "x" * 500}}).bound[0]
    assert text.endswith("..., was absent") and len(text) < 120


FILES = {
    "pipe/__init__.py": "",
    "pipe/stages/__init__.py": "from pipe import registry",
    "pipe/stages/warp.py": """
import os, numpy
import pipe.deep.kernel as kernel
from . import shared
from ..tools import (  # two lines
    fit as fitting,  # of them
    NAME,
)
from .. \\
    import more; import pipe.behind
class Warp:
    def process(self):
        from pipe import late
    text = "do not import pipe.unused"
""",
    "pipe/stages/shared.py": "from .. import tools",
    "pipe/registry.py": "",
    "pipe/deep/__init__.py": "",
    "pipe/deep/kernel.py": "import pipe.stages.warp",
    "pipe/tools/__init__.py": "",
    "pipe/tools/fit.py": "def broken(:",
    "pipe/late.py": "",
    "pipe/more.py": "",
    "pipe/behind.py": "",
    "pipe/unused.py": "",
    "numpy.py": "",
}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_what_a_module_leads_to_in_its_package_is_found_without_importing_it(tree):
    found = own_imports("pipe.stages.warp", str(tree / "pipe/stages/warp.py"))
    expected = ["pipe", "pipe.behind", "pipe.deep", "pipe.deep.kernel", "pipe.late", "pipe.more",
                "pipe.registry", "pipe.stages", "pipe.stages.shared", "pipe.tools",
                "pipe.tools.fit"]  # fmt: skip
    assert sorted(found) == expected
    assert found["pipe.tools"] == str(tree / "pipe/tools/__init__.py")


def test_a_package_within_a_namespace_does_not_lead_out_of_it(tmp_path):
    for name, text in {
        "ns/one/__init__.py": "", "ns/one/stage.py": "import ns.one.help, ns.two.other",
        "ns/one/help.py": "", "ns/two/__init__.py": "", "ns/two/other.py": "",
    }.items():  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert sorted(own_imports("ns.one.stage", str(tmp_path / "ns/one/stage.py"))) == ["ns.one", "ns.one.help"]


@pytest.mark.parametrize(("folder", "expected"), [("night", ["help"]), ("site-packages", [])])
def test_modules_beside_one_of_no_package_belong_to_it_but_not_where_distributions_lie(
    tmp_path, folder, expected
):
    (tmp_path / folder / "big").mkdir(parents=True)
    (tmp_path / folder / "big" / "__init__.py").touch()
    (tmp_path / folder / "help.py").touch()
    stage = tmp_path / folder / "stage.py"
    stage.write_text("import help, big, json")
    assert list(own_imports("stage", str(stage))) == expected


def test_a_change_in_what_a_stage_imports_is_a_difference_with_its_file(tree):
    before = code_versions(["pipe.stages.warp.Warp"])
    assert code_differences(before, code_versions(["pipe.stages.warp.Warp"])) == []
    path = tree / "pipe/tools/fit.py"
    path.write_text("# mended")
    after = code_versions(["pipe.stages.warp.Warp"])
    assert code_differences(before, after) == [f"module pipe.tools.fit ({path}): its text has changed"]
