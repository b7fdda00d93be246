# SPDX-License-Identifier: BSD-3-Clause
"""What a pipeline policy asks for and will not get is told, in `check` and in a run, and is no error."""

from __future__ import annotations

import pytest
from harness.check.pipeline import check_pipeline
from harness.runtime.configuration.config import load_config

STAGE = 'appStage: {\nname: "a"\nserialClass: "lsst.pex.harness.stage.NoOpSerialProcessing"\n%s\n}\n'
PARALLEL = 'parallelClass: "lsst.pex.harness.stage.NoOpParallelProcessing"'
RING = 'topology: {\ntype: "ring"\nparam1: "clockwise"\n}\n'

CASES = {
    "a word like oneloop": ('executionMode: "onelop"\n' + STAGE % "", 'did you mean "oneloop"?'),
    "a stage without a class": ('appStage: { name: "a" }\n', "appStage[0] names no class"),
    "an exchange without the switch": (
        "nSlices: 2\n" + STAGE % f"shareData: true\n{PARALLEL}",
        "has no shareDataOn: true",
    ),
    "a switch without an exchange": (
        "shareDataOn: true\n" + RING + STAGE % "", "no stage has shareData: true"
    ),
    "slices that are none": (STAGE % PARALLEL, "nSlices is 0"),
    "slices without work": ("nSlices: 2\n" + STAGE % "", "the slices have nothing to do"),
    "an unknown key": ("eventTimeot: 3\n" + STAGE % "", 'is not defined; did you mean "eventTimeout"?'),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_has_no_effect_is_told_in_the_first_line_of_a_warning(tmp_path, case):
    text, words = CASES[case]
    path = tmp_path / "p.paf"
    path.write_text(text)
    checked = check_pipeline(path, allow_unknown=True)
    warned = [str(problem) for problem in checked.problems]
    assert checked.is_clean and len(warned) == 1 and words in warned[0].splitlines()[0], warned
    in_run = load_config(path).warnings
    # Of one half alone a run may well be meant.
    assert in_run == (() if case.startswith("slices") else tuple(warned))


@pytest.mark.parametrize("mode", ["oneloop", "loop", "continuous", ""])
def test_other_modes_are_nobody_s_business(tmp_path, mode):
    path = tmp_path / "p.paf"
    path.write_text(f'executionMode: "{mode}"\n' + STAGE % "")
    assert load_config(path).warnings == ()


def test_a_parallel_class_without_process_is_refused_by_check(tmp_path, monkeypatch):
    (tmp_path / "idle_stages.py").write_text(
        "from lsst.pex.harness.stage import ParallelProcessing\n"
        "class Misspelt(ParallelProcessing):\n    def proces(self, clipboard): pass\n"
        "class Inherits(ParallelProcessing):\n    def process(self, clipboard): pass\n"
        "class Child(Inherits): pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "p.paf"
    for name in ("Misspelt", "Child"):
        path.write_text(f'nSlices: 1\nappStage: {{\nparallelClass: "idle_stages.{name}"\n}}\n')
        checked = check_pipeline(path)
        assert checked.is_clean == (name == "Child")
        if name == "Misspelt":
            (problem,) = checked.problems
            assert "has no process()" in problem.message and problem.line == 3
