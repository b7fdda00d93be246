# SPDX-License-Identifier: BSD-3-Clause
"""Defects of the original that no other test is about."""

from __future__ import annotations

import threading
import time

import pytest
from harness.runtime.configuration.config import load_config
from harness.runtime.configuration.dictionary import pipeline_dictionary
from harness.runtime.pipeline.pipeline import Pipeline
from harness.stage import ParallelProcessing, SerialProcessing, Stage
from harness.tester import SimpleStageTester, Visit


class Waiting(Stage):
    class serialClass(SerialProcessing):
        def preprocess(self, clipboard):
            self.before = time.process_time()

        def postprocess(self, clipboard):
            clipboard.put("cpu", time.process_time() - self.before)

    class parallelClass(ParallelProcessing):
        def process(self, clipboard):
            time.sleep(0.5)


@pytest.mark.contract("17.1")
def test_who_waits_at_a_barrier_does_not_compute():
    (visit,) = SimpleStageTester(Waiting()).runVisits([Visit({})], 1)
    assert visit.master.get("cpu") < 0.1


@pytest.mark.contract("17.1")
def test_a_delay_of_barriers_is_accepted(tmp_path):
    (tmp_path / "night.paf").write_text('barrierDelay: 0.001\nappStage: { serialClass: "a.B" }\n')
    assert load_config(tmp_path / "night.paf").warnings == ()


@pytest.mark.contract("17.10")
def test_nothing_of_the_pipeline_is_a_thread_whose_attributes_it_could_take():
    assert not issubclass(Pipeline, threading.Thread)
    assert not issubclass(SerialProcessing, threading.Thread)


@pytest.mark.contract("17.28")
def test_the_unit_of_the_time_limit_for_events_is_documented():
    assert "polls of about a second" in pipeline_dictionary().getDef("eventTimeout").getDescription()
