# SPDX-License-Identifier: BSD-3-Clause
"""A stage module of 2009 gives the same results in the tester and in a pipeline of three slices."""

import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

SAMPLES = Path(__file__).parent.parent / "unit" / "samples"
VISITS = 2
SLICES = 3
STAGE_POLICY = "{ shift: 3 gain: 0.5 }".replace(" gain", "\n gain")

KEEP = """
    import pickle

    class Keep(SerialProcessing):
        def postprocess(self, clipboard):
            with open("results", "ab") as out:
                pickle.dump({
                    "visit": clipboard.get("visit"), "total": clipboard.get("total"),
                    "ranks": clipboard.get("ranks"), "bands": clipboard.gather("warped"),
                    "edges": [edge.getArray("lastRow") for edge in clipboard.gather("edge")],
                }, out)
"""


@pytest.fixture
def warp_stage(monkeypatch):
    """The sample module, with its product's directory known."""
    monkeypatch.setenv("WARP_SAMPLE_DIR", str(SAMPLES))
    monkeypatch.syspath_prepend(str(SAMPLES))
    import warp_stage

    yield warp_stage
    sys.modules.pop("warp_stage", None)


def run_pipeline(bench, workers: str) -> list[dict]:
    """What the pipeline found, one dictionary per visit."""
    bench.module(KEEP)
    shutil.copy(SAMPLES / "warp_stage.py", bench.folder)
    bench.policy(
        "keep Keep -",
        slices=SLICES,
        head=f"""appStage: {{
    name: "warp"
    serialClass: "warp_stage.WarpSerial"
    parallelClass: "warp_stage.WarpParallel"
    eventTopic: "None"
    stagePolicy: {STAGE_POLICY}
}}""",
    )
    done = bench.run("--visits", str(VISITS), "--workers", workers)
    assert done.code == 0, done.err
    assert done.summary["failures"] == []
    for rank in range(SLICES):
        text = done.log(f"Slice{rank}")
        assert "harness.slice.warp.slice: band warped\n  PIPELINE: night\n" in text
        assert f"  rank: {rank}\n" in text
    results = bench.folder / "results"
    found = []
    with results.open("rb") as stream:
        for _ in range(VISITS):
            found.append(pickle.load(stream))
    results.unlink()
    return found


def run_tester(module) -> list[dict]:
    """The same by hand: each half alone in the calling process."""
    from lsst.pex.harness.simpleStageTester import SimpleStageTester
    from lsst.pex.policy import Policy, PolicyString

    found = []
    for visit in range(1, VISITS + 1):
        bands, edges, total, ranks = [], [], 0.0, []
        for rank in range(SLICES):
            stage = module.WarpStage(Policy(PolicyString(STAGE_POLICY.strip("{} "))))
            tester = SimpleStageTester(stage, universeSize=SLICES + 1)
            clipboard = tester.runWorker({"frame": module.make_frame(visit), "visit": visit}, rank)
            bands.append(clipboard.get("warped"))
            edges.append(clipboard.get("edge").getArray("lastRow"))
            total += clipboard.get("partial")["sum"]
            ranks.append(clipboard.get("partial")["rank"])
        found.append({"visit": visit, "total": total, "ranks": ranks, "bands": bands, "edges": edges})
    return found


@pytest.mark.contract("2.7.defaults")
@pytest.mark.parametrize("workers", ["1", "3"])
def test_tester_and_pipeline_agree(bench, warp_stage, workers):
    by_hand = run_tester(warp_stage)
    in_pipeline = run_pipeline(bench, workers)
    for expected, seen in zip(by_hand, in_pipeline, strict=True):
        assert seen["visit"] == expected["visit"]
        assert seen["total"] == expected["total"]
        assert seen["ranks"] == expected["ranks"] == list(range(SLICES))
        assert seen["edges"] == expected["edges"]
        for one, other in zip(expected["bands"], seen["bands"], strict=True):
            assert one.dtype == other.dtype and np.array_equal(one, other)
