# SPDX-License-Identifier: BSD-3-Clause
"""What docs/testing.md shows works as printed."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pytest
from harness.policy import Policy
from harness.stage import ParallelProcessing, SerialProcessing, Stage
from harness.tester import SimpleStageTester, Visit

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


class AreaStage(Stage):
    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("area", clipboard.get("width") * clipboard.get("height"))
            self.log.info(f"area of slice {self.rank} is {clipboard.get('area'):g}")


class ReportStage(Stage):
    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            assert self.getName() == "report" and clipboard.contains("area")


class FlatStage(Stage):
    class serialClass(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("flat", np.full((300, 300), 2.0), True)

        def postprocess(self, clipboard):
            clipboard.put("levels", clipboard.gather("level"))

    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            clipboard.put("level", float(clipboard.get("flat").mean() * np.mean(clipboard.get("raw"))), True)


def test_the_page_has_the_blocks_that_are_run_here():
    assert len(BLOCKS) == 5


def test_one_half_in_the_test_s_process():
    exec(BLOCKS[0], {"AreaStage": AreaStage, "ReportStage": ReportStage})


def test_whole_stages_in_real_slices():
    names = {"SimpleStageTester": SimpleStageTester, "FlatStage": FlatStage, "policy": Policy()}
    exec(BLOCKS[1], {**names, "first": np.full((5, 5), 3.0), "second": np.full((5, 5), 5.0)})


def test_several_visits():
    names = {"tester": SimpleStageTester(FlatStage(Policy())), "Visit": Visit}
    exec(BLOCKS[2], {**names, "slices": [{"raw": 3.0}, {"raw": 4.0}]})


@pytest.mark.contract("9.slices")
def test_with_pytest(stage_tester):
    names: dict = {"AreaStage": AreaStage, "policy": Policy()}
    exec(BLOCKS[3], names)
    names["test_area"](stage_tester)


@pytest.mark.contract("9.slices")
def test_with_caplog(stage_tester, caplog):
    names: dict = {"AreaStage": AreaStage, "policy": Policy(), "logging": logging}
    exec(BLOCKS[4], names)
    names["test_area_tells_what_it_does"](stage_tester, caplog)
