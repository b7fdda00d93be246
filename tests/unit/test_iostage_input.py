# SPDX-License-Identifier: BSD-3-Clause
"""The input stage: what it reads when, from where, and the errors of bad policies and bad data."""

import harness.exceptions as pex
import lsst.pex.policy as pexPolicy
import numpy
import pytest
from harness import tester
from harness.dataset import Dataset
from harness.iostage import InputStage, InputStageParallel, InputStageSerial, input_stage
from harness.locations import LogicalLocation
from harness.log import Log
from harness.policy import Policy, PolicyString
from harness.properties import PropertySet
from harness.storage import Image, storage_named

ITEM = 'pythonType: "harness.storage.Image"'


@pytest.fixture(autouse=True)
def clean_surroundings(tmp_path, monkeypatch):
    """A location map with `input`, no waiting, and the process as it was afterwards."""
    locations = PropertySet()
    locations.set("input", str(tmp_path))
    LogicalLocation.setLocationMap(locations)
    slept = []
    monkeypatch.setattr("harness.iostage.waiting.time.sleep", slept.append)
    monkeypatch.setattr(input_stage.wait_for_path, "__defaults__", (slept.append,))
    yield slept
    LogicalLocation.setLocationMap(None)
    Log.closeDefaultLog()


@pytest.fixture
def frames(tmp_path):
    """Images frame-<n>.fits for n = 1, 2, 3, filled with n."""
    for number in (1, 2, 3):
        storage_named("FitsStorage").write(
            str(tmp_path / f"frame-{number}.fits"), numpy.full((2, 3), number, "f4")
        )


def stage_policy(items, more=""):
    return Policy(PolicyString(f"parameters: {{\n{more}\ninputItems: {{\n{items}\n}}\n}}"))


def item(name="frame", location="%(input)/frame-1.fits", more=""):
    return (
        f'{name}: {{\n{ITEM}\nstoragePolicy: {{\nstorage: FitsStorage\nlocation: "{location}"\n}}\n{more}\n}}'
    )


def run(policy, data=None, rank=0, universe=3):
    sut = tester.test(InputStage(policy), "r7", universe)
    return sut.runWorker({} if data is None else data, rank)


def value(thing):
    return float(thing.array[0, 0])


def test_the_old_import_path_leads_to_the_same_classes():
    import lsst.pex.harness.IOStage as old

    assert old.InputStage is InputStage
    assert (old.InputStageSerial, old.InputStageParallel) == (InputStageSerial, InputStageParallel)


@pytest.mark.contract("8.2.input")
def test_an_item_is_read_and_put_on_the_clipboard_under_its_name(frames):
    out = run(stage_policy(item()))
    assert type(out.get("frame")) is Image
    assert value(out.get("frame")) == 1
    assert out.getSharedKeys() == []


@pytest.mark.contract("17.33")
def test_several_items_are_independent(frames):
    dataset_item = (
        f'some: {{\n{ITEM}\ndatasetType: raw\nstorage: FitsStorage\nlocation: "%(input)/frame-%(n).fits"\n}}'
    )
    policy = stage_policy(item("a", "%(input)/frame-2.fits") + "\n" + dataset_item + "\n" + item("b"))
    out = run(policy, {"inputDatasets": [Dataset("raw", n=3)]})
    assert (value(out.get("a")), value(out.get("some")), value(out.get("b"))) == (2, 3, 1)


@pytest.mark.contract("8.2.datasetType")
@pytest.mark.parametrize(("matching", "expected"), [([], []), ([2], 2), ([1, 3], [1, 3])])
def test_a_dataset_type_reads_every_matching_dataset(frames, matching, expected):
    policy = stage_policy(
        f'some: {{\n{ITEM}\ndatasetType: raw\nstorage: FitsStorage\nlocation: "%(input)/frame-%(n).fits"\n}}'
    )
    datasets = [Dataset("calib", n=9), *(Dataset("raw", n=n) for n in matching)]
    found = run(policy, {"inputDatasets": datasets}).get("some")
    assert ([value(part) for part in found] if isinstance(found, list) else value(found)) == expected


@pytest.mark.contract("8.2.keys")
def test_dataset_and_job_keys_are_configurable(frames):
    policy = stage_policy(
        f'some: {{\n{ITEM}\ndatasetType: raw\nstorage: FitsStorage\nlocation: "%(input)/frame-%(n).fits"\n}}'
    )
    policy.set("inputKeys.inputDatasets", "mine")
    assert value(run(policy, {"mine": [Dataset("raw", n=2)]}).get("some")) == 2


def test_a_missing_dataset_list_names_key_and_item():
    policy = stage_policy(f'some: {{\n{ITEM}\ndatasetType: raw\nstorage: FitsStorage\nlocation: "x"\n}}')
    with pytest.raises(RuntimeError, match="input item 'some': datasets of type 'raw'.*'inputDatasets'"):
        run(policy)


def test_from_input_datasets_without_a_match_is_an_io_error(frames):
    policy = stage_policy(
        item("some", "%(input)/frame-%(n).fits", "datasetType: raw\ndatasetId: { fromInputDatasets: true }")
    )
    assert value(run(policy, {"inputDatasets": [Dataset("raw", n=2)]}).get("some")) == 2
    with pytest.raises(pex.IoError, match="none of the 1 datasets under 'inputDatasets' is of type 'raw'"):
        run(policy, {"inputDatasets": [Dataset("calib", n=2)]})


@pytest.mark.contract("17.36")
def test_ids_come_from_the_job_identity_and_constants_win(frames):
    more = 'datasetId: {\nfromJobIdentity: "n" "m"\nset: { m: 2 }\n}'
    policy = stage_policy(
        item("a", "%(input)/frame-%(n).fits", more) + "\n" + item("b", "%(input)/frame-%(m).fits", more)
    )
    out = run(policy, {"jobIdentity": {"n": 3, "m": 1}})
    assert (value(out.get("a")), value(out.get("b"))) == (3, 2)


def test_ids_of_one_item_do_not_leak_into_the_next(frames):
    first = item("a", "%(input)/frame-%(n).fits", "datasetId: { set: { n: 2 } }")
    with pytest.raises(pex.RuntimeError, match="unknown substitution 'n'"):
        run(stage_policy(first + "\n" + item("b", "%(input)/frame-%(n).fits")))


def test_ids_of_one_dataset_do_not_leak_into_the_next(frames):
    policy = stage_policy(
        f'some: {{\n{ITEM}\ndatasetType: raw\nstorage: FitsStorage\nlocation: "%(input)/frame-%(n).fits"\n}}'
    )
    with pytest.raises(pex.RuntimeError, match="unknown substitution 'n'"):
        run(policy, {"inputDatasets": [Dataset("raw", n=2), Dataset("raw")]})


def test_a_missing_job_identity_or_id_is_named(frames):
    policy = stage_policy(item("a", "%(input)/frame-%(n).fits", "datasetId: { fromJobIdentity: n }"))
    with pytest.raises(RuntimeError, match="id 'n' comes from the job identity.*'jobIdentity'"):
        run(policy)
    with pytest.raises(KeyError, match="input item 'a': the job identity has no id 'n'; its ids: visit"):
        run(policy, {"jobIdentity": {"visit": 1}})


def test_locations_may_use_additional_data_rank_and_item_name(tmp_path):
    storage_named("FitsStorage").write(str(tmp_path / "frame-r7-v085-2-of-5.fits"), numpy.ones((1, 1)))
    location = "%(input)/%(itemName)-%(runId)-v%03d(visit)-%(sliceId)-of-%(universeSize).fits"
    policy = stage_policy(item("frame", location), 'additionalData: "visit=newFrame.visit"')
    event = PropertySet()
    event.set("visit", 85)
    assert run(policy, {"newFrame": event}, 2, 5).get("frame").array.sum() == 1


def test_an_unknown_substitution_is_a_runtime_error():
    with pytest.raises(pex.RuntimeError, match="unknown substitution 'nope'"):
        run(stage_policy(item("frame", "%(nope)/a.fits")))


@pytest.mark.contract("8.1.modes")
@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [
        ("runMode: preprocess", True, False),
        ("runMode: postprocess", False, True),
        ("runMode: process", False, False),
        ("runMode: other", False, False),
        ("", False, False),
    ],
)
def test_the_serial_half_acts_in_its_run_mode_only(frames, mode, before, after):
    seen = {}

    class Probe(InputStageSerial):
        def preprocess(self, clipboard):
            super().preprocess(clipboard)
            seen["before"] = clipboard.contains("frame")
            clipboard.put("frame", None)

        def postprocess(self, clipboard):
            super().postprocess(clipboard)
            seen["after"] = clipboard.get("frame") is not None

    tester.create(stage_policy(item(), mode), Probe).runMaster({})
    assert seen == {"before": before, "after": after}


def test_an_unknown_run_mode_is_warned_about(capfd):
    tester.create(stage_policy("", "runMode: proprocess"), InputStageSerial).runMaster({})
    assert "parameters.runMode is 'proprocess', not one of preprocess" in capfd.readouterr().err


@pytest.mark.contract("8.1.modes")
@pytest.mark.parametrize("mode", ["runMode: preprocess", "runMode: process", ""])
def test_the_parallel_half_always_acts(frames, mode):
    assert run(stage_policy(item(), mode)).contains("frame")


@pytest.mark.contract("8.2.noItems")
@pytest.mark.parametrize("policy", [None, Policy(), Policy(PolicyString("parameters: { runMode: process }"))])
def test_without_input_items_there_is_a_warning_and_nothing_happens(policy, capfd):
    out = run(policy, {"a": 1})
    assert out.getKeys() == ["a"]
    assert "no parameters.inputItems: nothing is read" in capfd.readouterr().err


@pytest.mark.contract("8.1.log")
def test_the_log_is_a_timing_child_of_the_stages_log(frames, capfd):
    from harness.log import BlockTimingLog, getDefaultLog

    half = InputStage(stage_policy(item())).createParallelProcessing(0)
    assert isinstance(half.log, BlockTimingLog)
    assert half.log.getName() == "stage.iostage.input"
    assert InputStageParallel(Policy()).log.getName() == "pex.harness.iostage.input"
    getDefaultLog().setThreshold(-1)
    run(stage_policy(item()))
    text = capfd.readouterr().err
    assert "loading frame from" in text
    assert "reading frame" in text


def test_a_missing_file_is_waited_for_and_then_an_io_error(tmp_path, clean_surroundings):
    with pytest.raises(pex.Exception) as caught:
        run(stage_policy(item("frame", "%(input)/nope.fits")))
    assert isinstance(caught.value, OSError)
    message = str(caught.value)
    assert f"input item 'frame': {tmp_path}/nope.fits does not exist, after waiting 60 s" in message
    assert "set 'timeout'" in message
    assert sum(clean_surroundings) == pytest.approx(60.0)
    assert clean_surroundings[0] == 0.5


@pytest.mark.parametrize(("timeout", "slept"), [("1.0", 1.0), ("2", 2.0), ("0.0", 0.0), ("-1", 0.0)])
def test_the_timeout_is_configurable(clean_surroundings, timeout, slept):
    with pytest.raises(pex.IoError, match="does not exist"):
        run(stage_policy(item("frame", "%(input)/nope.fits", f"timeout: {timeout}")))
    assert sum(clean_surroundings) == pytest.approx(slept)


@pytest.mark.contract("17.35")
def test_an_optional_file_that_does_not_come_is_skipped_with_a_warning(frames, capfd):
    policy = stage_policy(item("maybe", "%(input)/nope.fits", "required: false\ntimeout: 0") + "\n" + item())
    out = run(policy)
    assert not out.contains("maybe")
    assert out.contains("frame")
    assert "optional input item 'maybe' is skipped" in capfd.readouterr().err


@pytest.mark.contract("17.35")
def test_an_optional_dataset_that_does_not_come_is_left_out(frames):
    policy = stage_policy(
        f'some: {{\n{ITEM}\ndatasetType: raw\nstorage: FitsStorage\nlocation: "%(input)/frame-%(n).fits"\n'
        "required: false\ntimeout: 0\n}"
    )
    out = run(policy, {"inputDatasets": [Dataset("raw", n=8), Dataset("raw", n=2)]})
    assert value(out.get("some")) == 2
    assert not run(policy, {"inputDatasets": [Dataset("raw", n=8)]}).contains("some")


def test_a_damaged_file_is_an_error_even_if_optional(tmp_path):
    (tmp_path / "bad.fits").write_bytes(b"SIMPLE  =                    T")
    with pytest.raises(pex.IoError, match="item 'frame' from .*bad.fits"):
        run(stage_policy(item("frame", "%(input)/bad.fits", "required: false")))


def test_a_unit_is_chosen_with_hdu(tmp_path):
    from astropy.io import fits

    fits.HDUList(
        [fits.PrimaryHDU(), *(fits.ImageHDU(numpy.full((1, 1), n, "i2"), name=f"X{n}") for n in (1, 2))]
    ).writeto(tmp_path / "multi.fits")
    for hdu, expected in (("2", 2), ('"X2"', 2), ("1", 1)):
        text = item("frame", "%(input)/multi.fits").replace("location:", f"hdu: {hdu}\nlocation:")
        assert value(run(stage_policy(text)).get("frame")) == expected


@pytest.mark.contract("8.2.input")
@pytest.mark.parametrize(
    ("python_type", "kind"),
    [
        ('pythonType: "numpy.ndarray"', "ndarray"),
        ('pythonType: "astropy.nddata.CCDData"', "CCDData"),
        ('type: "ImageF"\npythonType: "harness.storage.image.Image"', "Image"),
        ('type: "Image"', "Image"),
    ],
)
def test_the_class_of_the_result_is_the_items_python_type(frames, python_type, kind):
    assert type(run(stage_policy(item().replace(ITEM, python_type))).get("frame")).__name__ == kind


def two_storages(python_type):
    parts = "".join(
        f'storagePolicy: {{\nstorage: FitsStorage\nlocation: "%(input)/frame-{n}.fits"\n}}\n' for n in (3, 1)
    )
    return stage_policy(f'frame: {{\npythonType: "{python_type}"\n{parts}}}')


@pytest.mark.contract("8.2.storages")
def test_several_storages_are_read_in_order_and_assembled_by_the_class(frames, tmp_path, monkeypatch):
    (tmp_path / "input_sample.py").write_text(
        "class Masked:\n"
        "    @staticmethod\n"
        "    def swigConvert(parts): return [float(part.array[0, 0]) for part in parts]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert run(two_storages("input_sample.Masked")).get("frame") == [3, 1]


def test_several_storages_for_a_class_that_cannot_assemble_are_a_type_error(frames):
    with pytest.raises(TypeError, match="'frame' comes from 2 storages.*no static swigConvert"):
        run(two_storages("harness.storage.Image"))


@pytest.mark.contract("8.2.policy")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("unknown: 3", "unknown"),
        ("parameters: { inputItem: { } }", "inputItem"),
        ("parameters: { inputItems: { frame: 3 } }", "frame"),
        ("parameters: { inputItems: { frame: { pythonTyp: a } } }", "pythonTyp"),
        ("parameters: { runMode: 3 }", "runMode"),
        ("RunMode: preprocess", "RunMode"),
        ("inputKeys: { inputDatasets: a b: c }".replace(" b: c", ""), None),
    ],
)
def test_unknown_and_ill_typed_parameters_are_validation_errors(text, why):
    policy = Policy(PolicyString(text))
    if why is None:
        InputStage(policy).createParallelProcessing(0)
        return
    with pytest.raises(pexPolicy.ValidationError, match=why):
        InputStage(policy).createParallelProcessing(0)


@pytest.mark.parametrize(
    ("old", "new", "error", "why"),
    [
        (ITEM, "", pex.InvalidParameterError, "input item 'frame': pythonType is missing"),
        ("FitsStorage", "BoostStorage", pex.NotFoundError, "belonged to .* the storages are: .*FitsStorage"),
        ("FitsStorage", "FitStorage", pex.NotFoundError, "'FitStorage' is not known"),
        ("storage: FitsStorage", "", pexPolicy.ValidationError, "storage"),
        ("location:", "hdu: 1.5\nlocation:", pex.InvalidParameterError, "hdu must be a number or an EXTNAME"),
        (ITEM, f"{ITEM}\nstorage: FitsStorage", pex.InvalidParameterError, "either storagePolicy or storage"),
        (ITEM, f"{ITEM}\ntimeout: soon", pex.InvalidParameterError, "timeout must be a number of seconds"),
        (ITEM, f"{ITEM}\ntimeout: true", pex.InvalidParameterError, "timeout must be a number of seconds"),
        (ITEM, f"{ITEM}\ndatasetId: {{ }}", pex.InvalidParameterError, "datasetId says nothing"),
        (
            ITEM,
            f"{ITEM}\ndatasetId: {{ fromInputDatasets: true }}",
            pex.InvalidParameterError,
            "needs a datasetType",
        ),
        (
            ITEM,
            f"{ITEM}\ndatasetType: raw\ndatasetId: {{\nfromInputDatasets: true\nset: {{ n: 1 }}\n}}",
            pex.InvalidParameterError,
            "exactly one way",
        ),
    ],
)
def test_items_that_make_no_sense_fail_at_set_up(old, new, error, why):
    text = item()
    assert old in text
    with pytest.raises(error, match=why):
        InputStage(stage_policy(text.replace(old, new))).createParallelProcessing(0)


def test_an_item_without_any_storage_shows_how_to_write_one():
    with pytest.raises(
        pex.InvalidParameterError, match="'frame': storagePolicy is missing; write storagePolicy: {"
    ):
        InputStage(stage_policy(f"frame: {{\n{ITEM}\n}}")).createParallelProcessing(0)


def test_the_policies_of_both_halves_may_be_the_same_object(frames):
    sut = tester.test(InputStage(stage_policy(item(), "runMode: preprocess")))
    assert sut.runMaster({}).contains("frame")
    assert sut.runWorker({}).contains("frame")


OLD_POLICY = """
RunMode: "%s"
AdditionalData: "number=job.number"
InputItems: {
    frame: {
        Type: "Image"
        PythonType: "harness.storage.Image"
        Required: true
        StoragePolicy: {
            Storage: "FitsStorage"
            Location: "%%(input)/frame-%%(number).fits"
        }
    }
}
"""


@pytest.mark.contract("8.2.capitalised")
@pytest.mark.parametrize(
    ("mode", "in_master", "in_slice"), [("preprocess", True, False), ("process", False, True)]
)
def test_a_policy_of_before_2010_is_read_in_the_half_that_it_names(frames, mode, in_master, in_slice):
    sut = tester.test(InputStage(Policy(PolicyString(OLD_POLICY % mode))), "r7", 3)
    for run_half, expected in ((sut.runMaster, in_master), (sut.runWorker, in_slice)):
        out = run_half({"job": {"number": 2}})
        assert out.contains("frame") is expected
        if expected:
            assert value(out.get("frame")) == 2


def test_what_no_policy_of_before_2010_had_is_told():
    policy = Policy(PolicyString((OLD_POLICY % "process").replace("Required", "Requird")))
    with pytest.raises(pexPolicy.ValidationError, match="requird"):
        tester.test(InputStage(policy)).runWorker({})
