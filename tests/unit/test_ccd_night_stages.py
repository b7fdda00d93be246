# SPDX-License-Identifier: BSD-3-Clause
"""The night's stages under SimpleStageTester: policies, clipboard traffic, unchanged results."""

import numpy as np
import pytest
from harness.clipboard import Clipboard
from harness.examples.ccd_night.algorithms import catalogue, isr
from harness.examples.ccd_night.algorithms.errors import NoSolutionError, ReductionError
from harness.examples.ccd_night.night import (
    NightPlan,
    detector_facts,
    make_masters,
    reference_catalogue,
)
from harness.examples.ccd_night.simulate import detector, exposures, fits_files, sky, stars
from harness.examples.ccd_night.stages.combine import CombineStage, CombineStageSerial
from harness.examples.ccd_night.stages.detect import DetectStage
from harness.examples.ccd_night.stages.isr import IsrStage
from harness.examples.ccd_night.stages.visit import FinishStage, VisitStage
from harness.properties import PropertyList
from harness.storage import Image
from lsst.pex.harness.simpleStageTester import SimpleStageTester
from lsst.pex.policy import Policy, PolicyString, ValidationError

PLAN = NightPlan(geometry=detector.ChipGeometry(1, 320, 256), seed=5, stars_per_megapixel=500.0)
VISIT = 4


def image_of(array, **cards):
    header = PropertyList()
    for name, value in cards.items():
        header.set(name, value)
    return Image(array, header)


@pytest.fixture(scope="module")
def frames():
    """What the input stage would read for one amplifier."""
    device = exposures.camera(PLAN.seed, PLAN.geometry, 0)
    conditions = sky.visit_conditions(PLAN.seed, VISIT)
    field = stars.star_field(PLAN.seed, PLAN.geometry, PLAN.stars_per_megapixel)
    raw, _ = exposures.science_exposure(
        device, VISIT, conditions, field.near_amplifier(PLAN.geometry, 0, stars.EDGE)
    )
    masters = make_masters(device)
    header = fits_files.raw_header(PLAN.geometry, device.model, "science", 0, PLAN.exposure_time, VISIT)
    return {
        "raw": image_of(raw, **{key: value for key, (value, _) in header.items()}),
        "bias": image_of(masters["bias"]),
        "dark": image_of(masters["dark"], EXPTIME=exposures.DARK_EXPOSURE),
        "flat": image_of(masters["flat"] / masters["flat"].mean()),
        "reference": reference_catalogue(PLAN, field, 0),
        "facts": detector_facts(device, PLAN.exposure_time),
        "conditions": conditions,
    }


def policy(text=""):
    return Policy(PolicyString(text))


def chain(isr_policy="", detect_policy="", combine_policy=""):
    tester = SimpleStageTester(IsrStage(policy(isr_policy)), "Isr")
    tester.addStage(DetectStage(policy(detect_policy)), "Detect")
    tester.addStage(CombineStage(policy(combine_policy)), "Combine")
    return tester


def items(frames, *names):
    return {name: frames[name] for name in names or ("raw", "bias", "dark", "flat", "reference")}


def test_isr_stage_gives_what_the_plain_function_gives(frames):
    clipboard = SimpleStageTester(IsrStage(policy())).runWorker(items(frames), 0)
    image, mask = isr.remove_signature(
        frames["raw"].array,
        frames["facts"],
        *(frames[name].array for name in ("bias", "dark", "flat")),
        exposures.DARK_EXPOSURE,
    )
    calibrated = clipboard.get("calibrated")
    np.testing.assert_array_equal(calibrated.array, image)
    np.testing.assert_array_equal(clipboard.get("mask"), mask)
    assert calibrated.header["BUNIT"] == "electron"
    assert "BIASSEC" not in calibrated.header
    assert "BIASSEC" in frames["raw"].header


def test_isr_stage_obeys_its_policy(frames):
    text = """
        inputKeys.raw: "exposure"
        outputKeys.image: "clean"
        parameters: {
            overscanMethod: "median"
        }
    """
    inputs = items(frames, "bias", "dark", "flat") | {"exposure": frames["raw"]}
    clipboard = SimpleStageTester(IsrStage(policy(text))).runWorker(inputs, 0)
    image, _ = isr.remove_signature(
        frames["raw"].array,
        frames["facts"],
        *(frames[name].array for name in ("bias", "dark", "flat")),
        exposures.DARK_EXPOSURE,
        overscan_method="median",
    )
    np.testing.assert_array_equal(clipboard.get("clean").array, image)
    assert not clipboard.contains("calibrated")


@pytest.mark.parametrize(
    ("stage", "text", "name"),
    [
        (IsrStage, "parameters.overscanMehtod: 'row'", "overscanMehtod"),
        (IsrStage, "parameters.overscanMethod: 'mean'", "overscanMethod"),
        (IsrStage, "parameters.flatFloor: 1", "flatFloor"),
        (DetectStage, "parameters.mesh: 4", "mesh"),
        (DetectStage, "parameters.threshold: 0.5", "threshold"),
        (CombineStage, "parameters.matchRadius: -1.0", "matchRadius"),
        (VisitStage, "firstVisit: 3", "count"),
        (VisitStage, "count: 0", "count"),
    ],
)
def test_wrong_policy_is_refused_at_set_up_by_name(stage, text, name):
    tester = SimpleStageTester(stage(policy(text)))
    with pytest.raises(ValidationError, match=name):
        if stage is VisitStage:
            tester.runMaster({})
        else:
            tester.runWorker({}, 0)


def test_missing_input_names_key_and_stage(frames):
    with pytest.raises(RuntimeError, match="'Isr' on rank 3.*no 'flat'.*bias, dark, raw"):
        SimpleStageTester(IsrStage(policy()), "Isr").runWorker(items(frames, "raw", "bias", "dark"), 3)


def test_dark_without_exposure_time_is_refused(frames):
    with pytest.raises(ReductionError, match="'dark' has no EXPTIME"):
        SimpleStageTester(IsrStage(policy())).runWorker(items(frames) | {"dark": frames["bias"]}, 0)


def test_master_of_other_shape_is_refused_with_both_shapes(frames):
    wrong = image_of(np.ones((256, 300), dtype=np.float32))
    with pytest.raises(ReductionError, match=r"\(256, 300\).*\(256, 320\)"):
        SimpleStageTester(IsrStage(policy())).runWorker(items(frames) | {"flat": wrong}, 0)


def test_detect_stage_gives_what_the_plain_function_gives(frames):
    clipboard = chain(detect_policy="parameters.mesh: 32").runWorker(items(frames), 0)
    calibrated = clipboard.get("calibrated")
    expected = catalogue.extract_stars(
        calibrated.array, clipboard.get("mask"), catalogue.StarParameters(mesh=32)
    )
    assert clipboard.get("catalogue").tobytes() == expected.catalogue.tobytes()
    assert calibrated.header["SEEING"] == expected.seeing
    assert calibrated.header["SKYLEVEL"] == pytest.approx(frames["conditions"].sky_electrons, rel=0.01)


def test_dictionary_defaults_are_the_functions_defaults():
    stage = DetectStage(policy()).createParallelProcessing(0)
    assert stage.parameters == catalogue.StarParameters()


def test_chain_finds_the_true_zero_point_and_shares_its_pairs(frames):
    clipboard = chain().runWorker(items(frames), 0)
    header = clipboard.get("calibrated").header
    error = header["ZEROPT"] - frames["conditions"].zero_point
    assert abs(error) < 4 * header["ZEROPTER"] < 0.03
    assert header["DX"] == pytest.approx(frames["conditions"].dx, abs=0.1)
    assert sorted(clipboard.getSharedKeys()) == ["ampStatistics", "matchedStars"]
    assert clipboard.get("matchedStars").size >= header["ZEROPTN"] > 5


def gathered(slices):
    """The master's clipboard as the harness fills it from the slices' shared items."""
    clipboard = Clipboard()
    clipboard.put("visit", VISIT)
    for rank, found in slices.items():
        for key in found.getSharedKeys():
            clipboard.put(f"{key}-{rank}", found.get(key))
    return clipboard


def combine(clipboard, slices):
    stage = CombineStageSerial(None, None, None, {"universeSize": slices + 1, "name": "Combine"})
    stage.postprocess(clipboard)
    return clipboard.get("visitSummary")


def test_master_combines_what_the_slices_shared(frames):
    slices = {rank: chain().runWorker(items(frames), rank) for rank in (0, 1)}
    summary = combine(gathered(slices), 2)
    assert summary.shape == (1,)
    row = summary[0]
    assert (row["visit"], row["amps"]) == (VISIT, 2)
    header = slices[0].get("calibrated").header
    assert row["zero_point"] == pytest.approx(header["ZEROPT"], abs=1e-9)
    assert row["matched_stars"] == 2 * header["ZEROPTN"]
    assert row["zero_point_err"] == pytest.approx(header["ZEROPTER"] / np.sqrt(2), rel=0.05)
    assert row["stars"] + row["cosmic_rays"] == 2 * slices[0].get("catalogue").size


def test_master_combines_without_a_slice_that_failed(frames):
    slices = {2: chain().runWorker(items(frames), 2)}
    assert combine(gathered(slices), 3)["amps"][0] == 1


def test_master_without_any_slice_has_no_solution():
    with pytest.raises(NoSolutionError, match="visit 4: no amplifier"):
        combine(gathered({}), 3)


def run_visits(count, text):
    """Master and slice 1 over some visits, the shared items carried down as the harness does."""
    stage = VisitStage(policy(text))
    serial, parallel = stage.createSerialProcessing(), stage.createParallelProcessing(1)
    seen = []
    for _ in range(count):
        master, slice_ = Clipboard(), Clipboard()
        serial.preprocess(master)
        for key in master.getSharedKeys():
            slice_.put(key, master.get(key))
        parallel.process(slice_)
        seen.append((master, slice_))
    return seen


def test_visits_are_counted_from_the_first_and_the_last_is_marked():
    seen = run_visits(3, "firstVisit: 7\n count: 3")
    assert [slice_.get("jobIdentity") for _, slice_ in seen] == [{"visit": v, "amp": 1} for v in (7, 8, 9)]
    assert [master.get("jobIdentity")["visit"] for master, _ in seen] == [7, 8, 9]
    assert [slice_.get("lastVisit") for _, slice_ in seen] == [False, False, True]
    assert not any(slice_.contains("noMoreDatasets") for _, slice_ in seen)


def test_visit_beyond_the_last_asks_for_the_end():
    seen = run_visits(2, "count: 1")
    assert [slice_.contains("noMoreDatasets") for _, slice_ in seen] == [False, True]


@pytest.mark.parametrize("last", [False, True])
def test_finish_stage_asks_for_the_end_after_the_last_visit(last):
    clipboard = SimpleStageTester(FinishStage(None)).runWorker({"lastVisit": last}, 0)
    assert clipboard.contains("noMoreDatasets") is last


def test_slice_without_visit_number_says_so():
    with pytest.raises(RuntimeError, match="no 'visit'"):
        SimpleStageTester(VisitStage(policy("count: 1"))).runWorker({}, 0)
