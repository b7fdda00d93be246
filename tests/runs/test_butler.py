# SPDX-License-Identifier: BSD-3-Clause
"""Pipelines whose slices read and write datasets through butlers: over path templates, and on a
repository."""

import os
import shutil
import signal

import numpy
import pytest
from harness.butler import Butler, PathMapper
from harness.ledger.reading import read_status
from harness.ledger.schema import open_for_reading
from harness.policy import Policy, PolicyString
from rubin_butler import needs_library

SLICES = 3
VISITS = 4

STAGES = """
    class Job(ParallelProcessing):
        def process(self, clipboard):
            visit = harness.current_visit()
            clipboard.put("jobIdentity", {"visit": visit, "detector": self.rank})
            with open(f"began-{os.getpid()}", "a") as out:
                out.write(f"{visit} {self.rank}\\n")

    class Subtract(ParallelProcessing):
        def process(self, clipboard):
            frame = clipboard.get("frame")
            clipboard.put("result", frame.array - 1)
            clipboard.put("pixels", frame.array, True)
            hold = f"hold-{harness.current_visit()}"
            if os.path.exists(hold) and self.rank == 1:
                open("held", "w").close()
                time.sleep(60)
"""

TYPES = """
    raw: { template: "raw/v%03d(visit)-d%d(detector).fits"
           storage: FitsStorage }
    result: { template: "result/v%03d(visit)-d%d(detector).fits"
              storage: FitsStorage }
"""
MAPPER = f'butler: {{ mapperPolicy: {{ root: "data"\ndatasets: {{ {TYPES} }} }} }}'
REPOSITORY_IN = """butler: { repository: "repo"
    collections: "Cam/raw"
    dataId: { instrument: "Cam" } }"""
REPOSITORY_OUT = """butler: { repository: "repo"
    run: "processed/%(runId)"
    dataId: { instrument: "Cam" } }"""

def pipeline(bench, reading, writing, slices=SLICES):
    bench.module(STAGES)
    more = "" if reading is MAPPER else 'storage: FitsStorage\npythonType: "harness.storage.Image"'
    tail = f"""
    nSlices: {slices}
    nWorkers: 2
    arenaThreshold: "64 KiB"
    appStage: {{
        name: "job"
        parallelClass: "stages_here.Job"
    }}
    appStage: {{
        name: "read"
        parallelClass: "lsst.pex.harness.IOStage.InputStageParallel"
        stagePolicy: {{ parameters: {{
            {reading}
            inputItems: {{ frame: {{
                datasetType: raw
                datasetId: {{ fromJobIdentity: "visit" "detector" }}
                timeout: 0
                {more}
            }} }}
        }} }}
    }}
    appStage: {{
        name: "subtract"
        parallelClass: "stages_here.Subtract"
    }}
    appStage: {{
        name: "write"
        parallelClass: "lsst.pex.harness.IOStage.OutputStageParallel"
        stagePolicy: {{ parameters: {{
            {writing}
            outputItems: {{ result: {{
                required: true
                datasetId: {{ datasetType: result
                              fromJobIdentity: "visit" "detector" }}
            }} }}
        }} }}
    }}
    """
    bench.policy(slices=None, head="", tail=tail)


def files():
    mapper = PathMapper("data", Policy(PolicyString(TYPES)))
    return Butler(mapper=mapper)


@pytest.fixture
def night(bench, monkeypatch):
    """Raw files of all visits and detectors below `data`."""
    monkeypatch.chdir(bench.folder)
    butler = files()
    for visit in range(1, VISITS + 1):
        for detector in range(SLICES):
            pixels = numpy.full((200, 200), 10 * visit + detector, "f4")
            butler.put(pixels, "raw", visit=visit, detector=detector)
    pipeline(bench, MAPPER, MAPPER)
    return bench


EXPECTED = {
    (visit, detector): 10.0 * visit + detector - 1
    for visit in range(1, VISITS + 1)
    for detector in range(SLICES)
}


def recorded(bench):
    """The outputs in the ledger: visit, rank and path, of the last attempt at each."""
    connection = open_for_reading(bench.run_dir / "ledger.sqlite")
    rows = connection.execute("SELECT visit, rank, path FROM outputs WHERE stage = 4").fetchall()
    connection.close()
    return sorted(rows)


def kill_in_visit(bench, visit):
    """Runs until a slice is in that visit, and kills the master."""
    (bench.folder / f"hold-{visit}").touch()
    process = bench.start("--visits", str(VISITS))
    bench.wait_until((bench.folder / "held").exists, "the slice to be held", timeout=60)
    os.kill(process.pid, signal.SIGKILL)
    bench.finish(process)
    bench.wait_until(lambda: not bench.processes(), "the workers to end")
    (bench.folder / f"hold-{visit}").unlink()


@pytest.mark.contract("8.2.butler")
def test_slices_read_and_write_through_the_mapper_and_the_ledger_has_every_file(night):
    done = night.run("--visits", str(VISITS))
    assert done.code == 0, done.err
    crossed = done.row("subtract", "process")
    assert (crossed["bytes_copied"], crossed["bytes_shared"]) == (0, SLICES * VISITS * 160_000)
    butler = files()
    found = {
        (visit, detector): float(butler.get("result", visit=visit, detector=detector).array[0, 0])
        for visit, detector in butler.queryMetadata("result", ("visit", "detector"))
    }
    assert found == EXPECTED
    paths = [
        (visit, rank, str(night.folder / f"data/result/v{visit:03d}-d{rank}.fits"))
        for visit, rank in EXPECTED
    ]
    assert recorded(night) == paths


def test_a_dataset_that_is_missing_fails_its_slice_alone(night):
    (night.folder / "data/raw/v002-d1.fits").unlink()
    done = night.run("--visits", str(VISITS))
    assert done.code == 0, done.err
    words = "input item 'frame': dataset raw-detector1-visit2 does not exist"
    assert words in done.log("Slice1") and words not in done.log("Slice0")
    assert set(files().queryMetadata("result", ("visit", "detector"))) == EXPECTED.keys() - {(2, 1)}


def test_a_resumed_run_writes_what_was_missing(night):
    kill_in_visit(night, 3)
    done = night.run("--visits", str(VISITS), "--resume")
    assert done.code == 0, done.err
    assert set(files().queryMetadata("result", ("visit", "detector"))) == EXPECTED.keys()
    assert {row[:2] for row in recorded(night)} == EXPECTED.keys()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A repository with raw datasets of all visits and detectors."""
    from harness.butler.formatters import repository_config
    from lsst.daf.butler import Butler, Config, DatasetType

    root = tmp_path_factory.mktemp("butler") / "repo"
    Butler.makeRepo(root, config=Config(repository_config()))
    butler = Butler.from_config(root, run="Cam/raw", writeable=True)
    add = butler.registry.insertDimensionData
    most = {"detector_max": 9, "visit_max": 99, "exposure_max": 99}
    add("instrument", {"name": "Cam", "class_name": "none", **most})
    add("physical_filter", {"instrument": "Cam", "name": "r", "band": "r"})
    add("day_obs", {"instrument": "Cam", "id": 20091209})
    for detector in range(SLICES):
        add("detector", {"instrument": "Cam", "id": detector, "full_name": f"d{detector}"})
    for name in ("raw", "result"):
        dimensions = ("instrument", "visit", "detector")
        kind = DatasetType(name, dimensions, "NumpyArray", universe=butler.dimensions)
        butler.registry.registerDatasetType(kind)
    for visit in range(1, VISITS + 1):
        facts = {"name": f"v{visit}", "physical_filter": "r", "day_obs": 20091209}
        add("visit", {"instrument": "Cam", "id": visit, **facts})
        for detector in range(SLICES):
            pixels = numpy.full((200, 200), 10 * visit + detector, "f4")
            butler.put(pixels, "raw", instrument="Cam", visit=visit, detector=detector)
    butler.close()
    return root


@pytest.fixture
def repository(bench, made):
    """A copy of it, and a pipeline that reads and writes there."""
    shutil.copytree(made, bench.folder / "repo")
    pipeline(bench, REPOSITORY_IN, REPOSITORY_OUT)
    return bench


def datasets(bench):
    """Visit, detector, a pixel and the path of every result in the run."""
    from lsst.daf.butler import Butler

    butler = Butler.from_config(bench.folder / "repo", collections="processed/r1")
    refs = sorted(butler.registry.queryDatasets("result", collections="processed/r1"))
    found = [
        (ref.dataId["visit"], ref.dataId["detector"], float(butler.get(ref)[0, 0]), butler.getURI(ref).ospath)
        for ref in refs
    ]
    butler.close()
    return sorted(found)


@needs_library
def test_slices_read_and_write_through_a_repository_and_a_killed_run_goes_on(repository):
    bench = repository
    kill_in_visit(bench, 3)
    before = {one[:2] for one in datasets(bench)}
    assert {(1, 0), (2, 2)} <= before and (3, 1) not in before
    done = bench.run("--visits", str(VISITS), "--resume")
    assert done.code == 0, done.err
    found = datasets(bench)
    assert {(visit, detector): pixel for visit, detector, pixel, _ in found} == EXPECTED
    assert len(found) == len(EXPECTED)
    assert set(recorded(bench)) == {
        (visit, detector, path) for visit, detector, _, path in found
    }
    told = read_status(bench.run_dir)
    assert told["outputs"]["count"] >= len(EXPECTED)


@needs_library
def test_a_worker_that_dies_after_it_has_written_replaces_its_dataset(repository):
    bench = repository
    bench.module(
        STAGES
        + """
    class Die(ParallelProcessing):
        def process(self, clipboard):
            if harness.current_visit() == 2 and self.rank == 1 and not os.path.exists("died"):
                open("died", "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
"""
    )
    path = bench.folder / "night.paf"
    path.write_text(
        path.read_text() + 'appStage: {\n    name: "die"\n    parallelClass: "stages_here.Die"\n}\n'
    )
    done = bench.run("--visits", "2")
    assert done.code == 0 and done.summary["failures"] == [], done.err + done.log()
    assert (bench.folder / "died").exists()
    found = [one[:3] for one in datasets(bench)]
    assert found == sorted((*ids, pixel) for ids, pixel in EXPECTED.items() if ids[0] <= 2)
