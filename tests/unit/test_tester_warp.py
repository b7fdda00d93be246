# SPDX-License-Identifier: BSD-3-Clause
"""A whole stage in the style of 2009, unchanged, in the stage tester."""

import importlib
from pathlib import Path

import numpy
import pytest
from harness import tester
from harness.log import Log
from harness.policy import Policy, ValidationError
from harness.tester import SimpleStageTester

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture(autouse=True)
def fresh_default_log():
    yield
    Log.closeDefaultLog()


@pytest.fixture
def warp_stage(monkeypatch):
    """The sample module, importable under its name."""
    monkeypatch.syspath_prepend(str(SAMPLES))
    monkeypatch.setenv("WARP_SAMPLE_DIR", str(SAMPLES))
    return importlib.import_module("warp_stage")


def test_create_takes_dotted_names(warp_stage):
    sut = tester.create(Policy(), "warp_stage.WarpSerial", "warp_stage.WarpParallel")
    out = sut.runMaster({})
    assert out.get("visit") == 1
    assert sut.runWorker(out, 0).contains("warped")


def test_a_stage_of_2009_runs_as_master_and_as_every_worker(warp_stage, capfd):
    policy = Policy()
    policy.set("gain", 2.0)
    sut = tester.test(warp_stage.WarpStage(policy), "r7", 4)
    master = sut.runMaster({})
    assert master.get("visit") == 1
    assert master.getSharedKeys() == ["visit", "frame"]
    frame = master.get("frame")
    assert numpy.array_equal(frame, warp_stage.make_frame(1))
    bands = []
    for rank in range(3):
        out = sut.runWorker({"frame": frame, "visit": 1}, rank)
        bands.append(out.get("warped"))
        assert out.get("partial") == {"rank": rank, "sum": float(bands[-1].sum())}
        assert out.get("edge").getArray("lastRow") == bands[-1][-1].tolist()
    assert numpy.array_equal(numpy.concatenate(bands), numpy.roll(frame, 3, axis=1) * 2.0)
    log = capfd.readouterr().err
    assert "SimpleStageTester.warp.master: frame made" in log
    assert log.count("SimpleStageTester.warp.slice: band warped") == 3


def test_the_sample_adds_up_what_slices_send_to_the_master(warp_stage):
    class Received(warp_stage.WarpStage):
        class serialClass(warp_stage.WarpSerial):
            def preprocess(self, clipboard):
                super().preprocess(clipboard)
                for rank in (2, 0, 1):
                    clipboard.put(f"partial-{rank}", {"rank": rank, "sum": float(10**rank)})

    out = SimpleStageTester(Received(Policy())).runMaster({})
    assert out.get("ranks") == [0, 1, 2]
    assert out.get("total") == 111.0


def test_the_samples_dictionary_refuses_bad_values(warp_stage):
    policy = Policy()
    policy.set("gain", -1.0)
    with pytest.raises(ValidationError, match="gain"):
        SimpleStageTester(warp_stage.WarpStage(policy)).runWorker({})
