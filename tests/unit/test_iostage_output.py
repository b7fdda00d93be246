# SPDX-License-Identifier: BSD-3-Clause
"""The output stage: what it writes when and where, what it notes, and its errors."""

import os

import harness.exceptions as pex
import lsst.pex.policy as pexPolicy
import numpy
import pytest
from astropy.io import fits
from harness import tester
from harness.dataset import Dataset
from harness.iostage import InputStage, OutputStage, OutputStageParallel, OutputStageSerial
from harness.locations import LogicalLocation
from harness.log import Log, getDefaultLog
from harness.policy import Policy, PolicyString
from harness.properties import PropertyList, PropertySet
from harness.storage import Image

PIXELS = numpy.arange(6, dtype="u2").reshape(2, 3)


@pytest.fixture(autouse=True)
def clean_surroundings(tmp_path):
    locations = PropertySet()
    locations.set("output", str(tmp_path))
    locations.set("input", str(tmp_path))
    LogicalLocation.setLocationMap(locations)
    yield
    LogicalLocation.setLocationMap(None)
    Log.closeDefaultLog()


def stage_policy(items, more=""):
    return Policy(PolicyString(f"parameters: {{\n{more}\noutputItems: {{\n{items}\n}}\n}}"))


def storage(location):
    return f'storagePolicy: {{\nstorage: FitsStorage\nlocation: "{location}"\n}}\n'


def item(name="frame", location="%(output)/out.fits", more=""):
    return f"{name}: {{\n{storage(location)}{more}\n}}"


def run(policy, data, rank=0):
    return tester.test(OutputStage(policy), "r7", 3).runWorker(data, rank)


def test_the_old_import_path_leads_to_the_same_classes():
    import lsst.pex.harness.IOStage as old

    assert old.OutputStage is OutputStage
    assert (old.OutputStageSerial, old.OutputStageParallel) == (OutputStageSerial, OutputStageParallel)


def test_an_item_is_written_and_stays_on_the_clipboard(tmp_path):
    out = run(stage_policy(item()), {"frame": PIXELS})
    assert numpy.array_equal(fits.getdata(tmp_path / "out.fits"), PIXELS)
    assert out.getKeys() == ["frame"]


def test_what_is_written_can_be_read_by_the_input_stage(tmp_path):
    header = PropertyList()
    header.set("GAIN", 1.5, "e-/ADU")
    run(
        stage_policy(item(location="%(output)/deep/%(runId)/out-%02d(sliceId).fits.gz")),
        {"frame": Image(PIXELS, header)},
        2,
    )
    assert os.listdir(tmp_path / "deep" / "r7") == ["out-02.fits.gz"]
    policy = Policy(
        PolicyString(
            'parameters: {\ninputItems: {\nback: {\npythonType: "harness.storage.Image"\n'
            + storage("%(input)/deep/r7/out-02.fits.gz")
            + "}\n}\n}"
        )
    )
    back = tester.test(InputStage(policy)).runWorker({}).get("back")
    assert numpy.array_equal(back.array, PIXELS)
    assert back.header == header


@pytest.mark.contract("8.2.output")
def test_all_storages_of_an_item_are_written(tmp_path):
    policy = stage_policy(f"frame: {{\n{storage('%(output)/a.fits')}{storage('%(output)/b.fits')}}}")
    run(policy, {"frame": PIXELS})
    assert sorted(os.listdir(tmp_path)) == ["a.fits", "b.fits"]


@pytest.mark.contract("8.2.output")
def test_a_missing_optional_item_is_skipped(tmp_path):
    run(stage_policy(item("absent", "%(output)/absent.fits") + "\n" + item()), {"frame": PIXELS})
    assert os.listdir(tmp_path) == ["out.fits"]


@pytest.mark.contract("8.2.output")
def test_a_missing_required_item_is_a_runtime_error_that_lists_the_clipboard(tmp_path):
    with pytest.raises(RuntimeError, match="output item 'frame' is required .* holds a, b"):
        run(stage_policy(item(more="required: true")), {"b": 1, "a": 2})


@pytest.mark.contract("8.2.noItems")
@pytest.mark.parametrize("policy", [None, Policy()])
def test_without_output_items_there_is_a_warning(policy, capfd):
    run(policy, {"frame": PIXELS})
    assert "no parameters.outputItems: nothing is written" in capfd.readouterr().err


@pytest.mark.contract("8.2.nothing")
def test_a_warning_tells_that_no_item_was_on_the_clipboard(capfd):
    run(stage_policy(item()), {})
    assert "none of the output items is on the clipboard" in capfd.readouterr().err
    run(stage_policy(item()), {"frame": PIXELS})
    assert "none of the output items" not in capfd.readouterr().err


DATASET = (
    'datasetId: {\ndatasetType: calexp\nset: {\nvisit: 85\nband: "r"\n}\nfromJobIdentity: "ccd" "band"\n}'
)


@pytest.mark.contract("17.36")
def test_the_dataset_is_noted_and_the_job_identity_wins_over_constants(tmp_path):
    location = "%(output)/%(visit)-%(ccd)-%(band)-%(itemName).fits"
    out = run(
        stage_policy(item("frame", location, DATASET)),
        {"frame": PIXELS, "jobIdentity": {"ccd": 3, "band": "g"}},
    )
    assert out.get("outputDatasets") == [Dataset("calexp", visit=85, ccd=3, band="g")]
    assert os.listdir(tmp_path) == ["85-3-g-frame.fits"]


@pytest.mark.contract("8.2.outputDatasets")
def test_an_existing_list_of_datasets_is_extended():
    earlier = [Dataset("earlier")]
    data = {"frame": PIXELS, "jobIdentity": {"ccd": 3, "band": "g"}, "mine": earlier}
    policy = stage_policy(item(more=DATASET))
    policy.set("outputKeys.outputDatasets", "mine")
    out = run(policy, data)
    assert out.get("mine") is earlier
    assert [dataset.type for dataset in earlier] == ["earlier", "calexp"]


@pytest.mark.contract("8.2.outputDatasets")
def test_the_dataset_is_noted_before_writing(tmp_path):
    (tmp_path / "out.fits").mkdir()
    data = tester.SimpleStageTester().toClipboard({"frame": PIXELS, "jobIdentity": {"ccd": 3, "band": "g"}})
    with pytest.raises(pex.IoError):
        run(stage_policy(item(more=DATASET)), data)
    assert len(data.get("outputDatasets")) == 1


def test_a_missing_id_of_the_job_identity_is_a_key_error():
    with pytest.raises(KeyError, match="output item 'frame': the job identity has no id 'ccd'"):
        run(stage_policy(item(more=DATASET)), {"frame": PIXELS, "jobIdentity": {}})


def test_ids_of_one_item_do_not_leak_into_the_next():
    policy = stage_policy(item("a", "%(output)/a.fits", DATASET) + "\n" + item("b", "%(output)/%(ccd).fits"))
    with pytest.raises(pex.RuntimeError, match="unknown substitution 'ccd'"):
        run(policy, {"a": PIXELS, "b": PIXELS, "jobIdentity": {"ccd": 3, "band": "g"}})


@pytest.mark.contract("8.2.locations")
def test_resolved_locations_are_additional_data_for_later_items(tmp_path):
    policy = stage_policy(item("a", "%(output)/a") + "\n" + item("b", "%(StorageLocation.FitsStorage)-b"))
    run(policy, {"a": PIXELS, "b": PIXELS})
    assert sorted(os.listdir(tmp_path)) == ["a", "a-b"]


@pytest.mark.contract("8.1.modes")
@pytest.mark.parametrize(
    ("mode", "method"),
    [("preprocess", "preprocess"), ("postprocess", "postprocess"), ("process", None), ("", None)],
)
def test_the_serial_half_acts_in_its_run_mode_only(tmp_path, mode, method):
    seen = []

    class Probe(OutputStageSerial):
        def preprocess(self, clipboard):
            super().preprocess(clipboard)
            seen.extend(["preprocess"] * len(os.listdir(tmp_path)))

        def postprocess(self, clipboard):
            had = len(os.listdir(tmp_path))
            super().postprocess(clipboard)
            seen.extend(["postprocess"] * (len(os.listdir(tmp_path)) - had))

    policy = stage_policy(item(), f"runMode: {mode}" if mode else "")
    tester.create(policy, Probe).runMaster({"frame": PIXELS})
    assert seen == ([method] if method else [])


def test_items_that_the_storage_cannot_hold_name_item_and_path(tmp_path):
    with pytest.raises(TypeError, match="output item 'frame' cannot be written to .*out.fits.*builtins.dict"):
        run(stage_policy(item()), {"frame": {}})
    header = PropertyList()
    header.set("BAD", "line\nbreak")
    with pytest.raises(ValueError, match="output item 'frame' cannot be written to .*'BAD'"):
        run(stage_policy(item()), {"frame": Image(PIXELS, header)})
    assert os.listdir(tmp_path) == []


def test_a_file_that_cannot_be_written_is_an_io_error(tmp_path):
    (tmp_path / "out.fits").mkdir()
    with pytest.raises(pex.IoError, match="cannot write .*out.fits: Is a directory"):
        run(stage_policy(item()), {"frame": PIXELS})


def test_writing_is_logged_and_timed(capfd):
    getDefaultLog().setThreshold(-1)
    run(stage_policy(item()), {"frame": PIXELS})
    text = capfd.readouterr().err
    assert "iostage.output: persisting output item 'frame' to" in text
    assert "writing output item 'frame'" in text
    assert OutputStageParallel(Policy()).log.getName() == "pex.harness.iostage.output"


@pytest.mark.contract("8.2.policy")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("unknown: 3", "unknown"),
        ("parameters: { inputItems: { } }", "inputItems"),
        ("parameters: { outputItems: { frame: { requird: true } } }", "requird"),
        ("outputKeys: { outputDatasets: 3 }", "outputDatasets"),
    ],
)
def test_unknown_missing_and_ill_typed_parameters_are_validation_errors(text, why):
    with pytest.raises(pexPolicy.ValidationError, match=why):
        OutputStage(Policy(PolicyString(text))).createParallelProcessing(0)


def test_a_dataset_without_type_is_a_validation_error():
    with pytest.raises(pexPolicy.ValidationError, match="datasetType"):
        OutputStage(stage_policy(item(more="datasetId: { set: { n: 1 } }"))).createParallelProcessing(0)


def test_an_item_without_a_storage_is_refused_at_set_up():
    policy = Policy(PolicyString("parameters: { outputItems: { frame: { required: true } } }"))
    with pytest.raises(pex.InvalidParameterError, match="output item 'frame': storagePolicy is missing"):
        OutputStage(policy).createParallelProcessing(0)


def test_a_former_storage_is_refused_at_set_up():
    policy = stage_policy(item().replace("FitsStorage", "BoostStorage"))
    with pytest.raises(pex.NotFoundError, match="the storages are: .*FitsStorage"):
        OutputStage(policy).createParallelProcessing(0)
