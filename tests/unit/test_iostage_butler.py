# SPDX-License-Identifier: BSD-3-Clause
"""Input and output stages with `parameters.butler`: whose datasets they read and write, and what they
refuse."""

import harness.exceptions as pex
import numpy
import pytest
from harness import tester
from harness.butler import Butler, Mapper, PathMapper
from harness.dataset import Dataset
from harness.iostage import InputStage, OutputStage, datasets
from harness.locations import LogicalLocation
from harness.log import Log
from harness.policy import Policy, PolicyString, ValidationError
from harness.properties import PropertySet

TYPES = 'raw: { template: "raw/v%03d(visit)-c%d(ccd).fits"\nstorage: FitsStorage }'
BUTLER = f'butler: {{ mapperPolicy: {{ root: "%(input)"\ndatasets: {{ {TYPES} }} }} }}'

pytestmark = pytest.mark.contract("8.2.butler")


@pytest.fixture(autouse=True)
def root(tmp_path):
    locations = PropertySet()
    locations.set("input", str(tmp_path))
    LogicalLocation.setLocationMap(locations)
    yield tmp_path
    LogicalLocation.setLocationMap(None)
    Log.closeDefaultLog()


@pytest.fixture
def butler(root):
    """Visit 1 with ccds 0, 1, 2: pixels 10, 11, 12."""
    made = Butler(mapper=PathMapper(str(root), Policy(PolicyString(TYPES))))
    for ccd in range(3):
        made.put(numpy.full((2, 3), 10 + ccd, "f4"), "raw", visit=1, ccd=ccd)
    return made


def policy(kind, items, butler=BUTLER):
    return Policy(PolicyString(f"parameters: {{\n{butler}\n{kind}Items: {{\n{items}\n}}\n}}"))


def read(items, data=None, butler=BUTLER):
    return tester.test(InputStage(policy("input", items, butler)), "r7", 3).runWorker(data or {}, 0)


def write(items, data, butler=BUTLER):
    return tester.test(OutputStage(policy("output", items, butler)), "r7", 3).runWorker(data, 0)


def value(thing):
    return float(thing.array[0, 0])


def test_ids_come_from_the_job_and_constants_which_win_on_input(butler):
    item = 'frame: { datasetType: raw\ndatasetId: { fromJobIdentity: "visit" "ccd"\nset: { ccd: 2 } } }'
    out = read(item, {"jobIdentity": {"visit": 1, "ccd": 0}})
    assert value(out.get("frame")) == 12


def test_an_id_that_the_job_lacks_is_a_key_error(butler):
    item = 'frame: { datasetType: raw\ndatasetId: { fromJobIdentity: "visit" "ccd" } }'
    with pytest.raises(KeyError, match="the job identity has no id 'ccd'; its ids: visit"):
        read(item, {"jobIdentity": {"visit": 1}})


@pytest.mark.parametrize(("ccds", "expected"), [([1], 11), ([0, 2], [10, 12])])
def test_every_dataset_of_the_input_list_is_read(butler, ccds, expected):
    item = "frames: { datasetType: raw\ndatasetId: { fromInputDatasets: true } }"
    datasets = [Dataset("sky", visit=1), *(Dataset("raw", visit=1, ccd=ccd) for ccd in ccds)]
    found = read(item, {"inputDatasets": datasets}).get("frames")
    assert ([value(one) for one in found] if isinstance(found, list) else value(found)) == expected


def test_an_input_list_without_the_type_is_an_io_error(butler):
    item = "frames: { datasetType: raw\ndatasetId: { fromInputDatasets: true } }"
    with pytest.raises(OSError, match="none of the 1 datasets under 'inputDatasets' is of type 'raw'"):
        read(item, {"inputDatasets": [Dataset("sky", visit=1)]})


def test_ids_that_are_left_out_are_found_or_ambiguous(butler):
    with pytest.raises(
        pex.RuntimeError, match="input item 'frame'.*'raw'.*visit=1 are ambiguous.*ccd=0; ccd=1"
    ):
        read("frame: { datasetType: raw\ndatasetId: { set: { visit: 1 } } }")
    assert value(read("frame: { datasetType: raw\ndatasetId: { set: { ccd: 1 } } }").get("frame")) == 11


def test_a_dataset_that_does_not_come_is_an_error_that_names_it(butler):
    item = "frame: { datasetType: raw\ndatasetId: { set: { visit: 1 ccd: 7 } }\ntimeout: 0 }"
    with pytest.raises(
        pex.Exception, match="input item 'frame': dataset raw-ccd7-visit1 does not exist, after waiting 0 s"
    ):
        read(item.replace("visit: 1 ccd", "visit: 1\nccd"))


@pytest.mark.contract("17.35")
def test_an_optional_dataset_that_does_not_come_is_left_out(butler):
    item = "frame: { datasetType: raw\ndatasetId: { set: { visit: 9 } }\ntimeout: 0\nrequired: false }"
    assert not read(item).contains("frame")


@pytest.mark.contract("8.5.waiting")
def test_a_dataset_that_comes_late_is_waited_for(butler, monkeypatch):
    slept = []

    def come(seconds):
        slept.append(seconds)
        if len(slept) == 2:
            butler.put(numpy.full((2, 3), 5, "f4"), "raw", visit=2, ccd=0)

    monkeypatch.setattr(datasets.wait_until, "__defaults__", (come,))
    out = read("frame: { datasetType: raw\ndatasetId: { set: { visit: 2 } } }")
    assert value(out.get("frame")) == 5
    assert slept == [0.5, pytest.approx(0.6)]


class Doubtful(Mapper):
    """Its butler cannot tell what exists."""

    def __init__(self, root):
        self.root = root

    def map_note(self, dataId, write):
        from harness.butler import ButlerLocation

        return ButlerLocation("", None, "FitsStorage", [], dataId)

    def bypass_note(self, location, dataId):
        return {"root": self.root, **dataId}


NAMED = f'butler: {{ mapperName: "{__name__}.Doubtful"\nmapperPolicy: {{ root: "%(input)/x"\nolder: 3 }} }}'


@pytest.fixture
def importable(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or __import__(__name__))
    monkeypatch.setattr(sys.modules[__name__], "Doubtful", Doubtful, raising=False)


def test_a_mapper_is_made_by_its_name_with_the_root(root, importable):
    out = read("note: { datasetType: note\ndatasetId: { set: { n: 1 } } }", butler=NAMED)
    assert out.get("note") == {"root": f"{root}/x", "n": 1}


def test_only_false_means_that_a_dataset_is_missing(root, importable, monkeypatch):
    monkeypatch.setattr(Butler, "datasetExists", lambda self, *ids: None)
    out = read("note: { datasetType: note\ndatasetId: { set: { n: 2 } }\ntimeout: 0 }", butler=NAMED)
    assert out.get("note")["n"] == 2


def test_output_goes_through_the_butler_with_the_job_s_ids_winning(butler, root):
    item = 'frame: { datasetId: { datasetType: raw\nset: { visit: 3\nccd: 5 }\nfromJobIdentity: "ccd" } }'
    image = numpy.full((2, 3), 8, "f4")
    out = write(item, {"frame": image, "jobIdentity": {"ccd": 6}})
    assert value(butler.get("raw", visit=3, ccd=6)) == 8
    assert not butler.datasetExists("raw", visit=3, ccd=5)
    assert out.get("outputDatasets") == [Dataset("raw", visit=3, ccd=6)]


def test_a_storage_policy_is_for_output_items_without_a_dataset_id(butler, root):
    storage = 'storagePolicy: { storage: FitsStorage\nlocation: "%(input)/beside.fits" }'
    write(f"frame: {{ {storage} }}", {"frame": numpy.zeros((2, 2), "f4")})
    assert (root / "beside.fits").exists()
    (root / "beside.fits").unlink()
    write(
        f"frame: {{ datasetId: {{ datasetType: raw\nset: {{ visit: 4\nccd: 0 }} }}\n{storage} }}",
        {"frame": numpy.zeros((2, 2), "f4")},
    )
    assert not (root / "beside.fits").exists() and butler.datasetExists("raw", visit=4)


def test_an_output_that_lacks_an_id_or_cannot_be_written_names_item_and_dataset(root):
    item = "frame: { datasetId: { datasetType: raw\nset: { visit: 3 } } }"
    with pytest.raises(
        pex.NotFoundError, match="output item 'frame': dataset type 'raw': id 'ccd' is missing"
    ):
        write(item, {"frame": numpy.zeros((2, 2), "f4")})
    (root / "raw").write_text("in the way")
    item = "frame: { datasetId: { datasetType: raw\nset: { visit: 3\nccd: 1 } } }"
    with pytest.raises(pex.IoError, match=r"output item 'frame': cannot write .*raw/v003-c1\.fits"):
        write(item, {"frame": numpy.zeros((2, 2), "f4")})


@pytest.mark.parametrize(
    ("kind", "items", "butler", "error", "words"),
    [
        (
            "input",
            "x: { datasetId: { set: { visit: 1 } } }",
            BUTLER,
            pex.InvalidParameterError,
            "'x': datasetType is missing",
        ),
        ("input", "x: { datasetType: raw }", BUTLER, pex.InvalidParameterError, "'x': datasetId is missing"),
        (
            "input",
            "x: { datasetType: raw\ndatasetId: { fromInputDatasets: true\nset: { visit: 1 } } }",
            BUTLER,
            pex.Exception,
            "exactly one way of finding the ids",
        ),
        (
            "input",
            "x: { datasetType: raw\ndatasetId: { fromInputDatasets: false } }",
            BUTLER,
            pex.Exception,
            "datasetId says nothing",
        ),
        ("output", "x: { required: true }", BUTLER, pex.InvalidParameterError, "storagePolicy is missing"),
        (
            "input",
            "x: { datasetType: raw }",
            "butler: { mapperName: a.B }",
            pex.InvalidParameterError,
            "mapperPolicy.root is missing",
        ),
        (
            "input",
            "x: { datasetType: raw }",
            'butler: { mapperName: "harness.butler.NoMapper"\nmapperPolicy: { root: x } }',
            ImportError,
            "has no attribute 'NoMapper'",
        ),
        (
            "input",
            "x: { datasetType: raw }",
            "butler: { mapperPolicy: { root: nowhere } }",
            pex.IoError,
            r"there is no .*nowhere/mapper\.paf",
        ),
        ("input", "x: { datasetType: raw }", "butler: { mapperName: 3 }", ValidationError, "mapperName"),
    ],
)
def test_what_makes_no_sense_is_refused_when_the_stage_is_set_up(root, kind, items, butler, error, words):
    with pytest.raises(error, match=words):
        (read if kind == "input" else write)(items, {"x": 1}, butler)


def test_what_has_no_effect_is_told(root, capfd):
    read("x: { datasetType: raw\ndatasetId: { set: { visit: 1 } }\ntimeout: 0\nrequired: false }",
         butler=BUTLER.replace("butler: {", "butler: { calibRoot: x\n"))  # fmt: skip
    told = capfd.readouterr()
    assert "parameters.butler: no effect has calibRoot" in told.out + told.err


def test_pixels_are_held_against_what_the_item_expects(butler):
    item = "frame: { datasetType: raw\ndatasetId: { set: { ccd: 1 } }\ndtype: float32\nshape: SHAPE }"
    assert read(item.replace("SHAPE", "2 3")).contains("frame")
    with pytest.raises(pex.IoError, match=r"dataset raw-ccd1: expected the shape \(2, 4\), saw \(2, 3\)"):
        read(item.replace("SHAPE", "2 4"))


def test_reading_ahead_has_no_effect_and_that_is_told(butler, capfd):
    item = "frame: { datasetType: raw\ndatasetId: { set: { ccd: 1 } } }"
    assert read(item, butler=BUTLER + "\nreadAhead: 2").contains("frame")
    told = capfd.readouterr()
    assert "with a butler no effect has parameters.readAhead" in told.out + told.err


@pytest.mark.parametrize("mode", ["preprocess", "postprocess", ""])
def test_the_serial_half_acts_as_the_run_mode_says(butler, mode):
    text = BUTLER + (f"\nrunMode: {mode}" if mode else "")
    stage = InputStage(policy("input", "f: { datasetType: raw\ndatasetId: { set: { ccd: 0 } } }", text))
    out = tester.test(stage, "r7", 3).runMaster({})
    assert out.contains("f") is bool(mode)


def test_a_stage_with_a_butler_says_that_it_reads_nothing_ahead(butler, capfd):
    item = "frame: { datasetType: raw\ndatasetId: { set: { visit: 1\nccd: 2 } } }"
    out = read(item, butler=f"{BUTLER}\nreadAhead: 1")
    assert value(out.get("frame")) == 12
    assert "readAhead has no effect: items of a butler are not read ahead" in capfd.readouterr().err
