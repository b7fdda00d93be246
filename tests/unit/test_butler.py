# SPDX-License-Identifier: BSD-3-Clause
"""The Butler over path templates: what it finds, reads, writes and refuses."""

from __future__ import annotations

import importlib

import harness.exceptions as pex
import lsst.daf.persistence as dafPersist
import numpy
import pytest
from harness.butler import (
    AmbiguousId,
    Butler,
    ButlerFactory,
    ButlerLocation,
    Mapper,
    NoSuchDataset,
    PathMapper,
)
from harness.locations import LogicalLocation
from harness.policy import Policy, PolicyString, ValidationError
from harness.storage import Image, storage_named

RAW = 'raw: { template: "raw/v%06d(visit)/%(filter)-c%02d(ccd).fits"\nstorage: FitsStorage }'
SKY = (
    'sky: { template: "sky/%(visit).fits"\nstorage: FitsStorage\n'
    'pythonType: "numpy.ndarray"\nkeys: { visit: int } }'
)


def policy(text):
    return Policy(PolicyString(text))


@pytest.fixture
def butler(tmp_path):
    return Butler(mapper=PathMapper(str(tmp_path), policy(f"{RAW}\n{SKY}")))


def pixels(value):
    return numpy.full((2, 3), value, "f4")


@pytest.fixture
def night(butler):
    """Visits 1 and 2 with ccds 0 and 1; visit 1 in r, visit 2 in g."""
    for visit, band in ((1, "r"), (2, "g")):
        for ccd in (0, 1):
            butler.put(pixels(10 * visit + ccd), "raw", visit=visit, filter=band, ccd=ccd)
    return butler


@pytest.mark.contract("1.1.persistence")
def test_the_old_import_path_gives_the_same_classes():
    assert dafPersist.Butler is Butler and dafPersist.LogicalLocation is LogicalLocation
    for name in ("Persistence", "StorageList", "Mapper", "ButlerFactory", "ButlerLocation"):
        assert getattr(dafPersist, name) is getattr(importlib.import_module("harness.butler"), name)


def test_what_is_put_lies_where_the_template_says_and_is_got_back(butler, tmp_path):
    butler.put(pixels(7), "raw", {"visit": 85, "filter": "r"}, ccd=3)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.fits")] == [
        "raw/v000085/r-c03.fits"
    ]
    image = butler.get("raw", visit=85, filter="r", ccd=3)
    assert type(image) is Image and image.array.tolist() == pixels(7).tolist()
    assert image.array.dtype.isnative
    butler.put(pixels(8), "raw", visit=85, filter="r", ccd=3)
    assert float(butler.get("raw", visit=85, filter="r", ccd=3).array[0, 0]) == 8


def test_the_python_type_of_a_dataset_type_is_made(butler):
    butler.put(pixels(1), "sky", visit=4)
    assert type(butler.get("sky", visit=4)) is numpy.ndarray


def test_the_member_of_a_dataset_type_is_read(tmp_path):
    types = 'cube: { template: "c%d(n).npz"\nstorage: NpzStorage\nmember: weight }'
    sut = Butler(mapper=PathMapper(str(tmp_path), policy(types)))
    sut.put({"pixels": pixels(1), "weight": pixels(2)}, "cube", n=3)
    assert float(sut.get("cube", n=3)[0, 0]) == 2


def test_a_dataset_may_be_a_directory(tmp_path):
    types = 'cube: { template: "%(night)/c%d(n).zarr"\nstorage: FitsStorage }'
    sut = Butler(mapper=PathMapper(str(tmp_path), policy(types)))
    (tmp_path / "a" / "c3.zarr").mkdir(parents=True)
    assert sut.queryMetadata("cube", "n") == [3] and sut.queryMetadata("cube", "night", n=3) == ["a"]
    assert sut.datasetExists("cube", night="a")


def test_ids_given_as_text_take_the_type_of_their_format(butler):
    butler.put(pixels(1), "raw", visit="85", filter="r", ccd="3")
    assert butler.datasetExists("raw", visit=85, filter="r", ccd=3)


def test_ids_that_are_left_out_are_found_where_only_one_file_has_the_others(night):
    assert float(night.get("raw", visit=2, ccd=1).array[0, 0]) == 21
    assert night.datasetExists("raw", filter="g", ccd=0)
    assert not night.datasetExists("raw", filter="i", ccd=0)
    with pytest.raises(NoSuchDataset, match=r"no file below .* with ids visit=9, from which filter, ccd"):
        night.get("raw", visit=9)


def test_ambiguous_ids_are_refused_with_what_there_is(night):
    words = r"ids visit=1 are ambiguous .*filter='r', ccd=0; filter='r', ccd=1\. Give filter, ccd, too"
    for ask in (night.get, night.datasetExists):
        with pytest.raises(AmbiguousId, match=words):
            ask("raw", visit=1)


def test_writing_needs_every_id(butler):
    with pytest.raises(pex.NotFoundError, match="id 'filter' is missing for writing.*visit=1, ccd=2"):
        butler.put(pixels(1), "raw", visit=1, ccd=2)


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ({"visit": 1, "filter": "../x", "ccd": 1}, "id 'filter' is '../x'; expected text without '/'"),
        ({"visit": 1, "filter": "", "ccd": 1}, "id 'filter' is ''"),
        ({"visit": "one", "filter": "r", "ccd": 1}, "id 'visit' cannot be 'one'"),
        ({"visit": 1.5, "filter": "r", "ccd": 1}, "id 'visit' cannot be 1.5"),
        ({"visit": None, "filter": "r", "ccd": 1}, "id 'visit' cannot be None"),
    ],
)
def test_an_id_that_does_not_fit_its_place_is_refused_and_nothing_is_written(butler, tmp_path, ids, words):
    with pytest.raises(pex.InvalidParameterError, match=words):
        butler.put(pixels(1), "raw", ids)
    assert list(tmp_path.rglob("*")) == []


def test_a_dataset_that_is_all_of_dots_does_not_leave_its_directory(tmp_path):
    sut = Butler(
        mapper=PathMapper(str(tmp_path / "root"), policy('a: { template: "%(x)/f"\nstorage: FitsStorage }'))
    )
    with pytest.raises(pex.InvalidParameterError, match="would lead out of its directory"):
        sut.put(pixels(1), "a", x="..")
    assert list(tmp_path.rglob("*")) == []


def test_an_unknown_dataset_type_is_told_with_a_near_one(butler):
    for ask in (butler.get, butler.datasetExists, butler.getKeys, butler.subset):
        with pytest.raises(
            pex.NotFoundError, match=r"no dataset type 'rav'; it has raw, sky; did you mean 'raw'\?"
        ):
            ask("rav")


def test_a_missing_file_is_an_io_error_that_names_dataset_and_path(butler, tmp_path):
    with pytest.raises(pex.IoError, match=r"raw-ccd1-filterr-visit1.*raw/v000001/r-c01\.fits"):
        butler.get("raw", visit=1, filter="r", ccd=1)


def test_a_truncated_file_is_an_io_error_that_names_dataset_and_path(night, tmp_path):
    path = tmp_path / "raw/v000001/r-c00.fits"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(pex.IoError, match=r"raw-ccd0-filterr-visit1.*r-c00\.fits"):
        night.get("raw", visit=1, ccd=0)


def test_what_a_storage_cannot_hold_is_refused_with_the_dataset(butler, tmp_path):
    with pytest.raises(TypeError, match="dataset sky-visit4 cannot be written to .*sky/4.fits"):
        butler.put({"no": "image"}, "sky", visit=4)
    assert not (tmp_path / "sky").exists()


def test_metadata_are_the_ids_of_the_files_there_are(night, tmp_path):
    for name in (".g-c09.fits.1-2.tmp", ".g-c08.fits"):
        (tmp_path / "raw/v000002" / name).touch()
    (tmp_path / "raw/v000002/notes.txt").touch()
    assert night.queryMetadata("raw", "visit") == [1, 2]
    assert night.queryMetadata("raw", "ccd", dataId={"visit": 2}) == [0, 1]
    assert night.queryMetadata("raw", "filter", visit=1) == ["r"]
    assert night.queryMetadata("raw", "ccd", ("visit", "ccd"), filter="g") == [(2, 0), (2, 1)]
    assert night.queryMetadata("raw", ("visit", "filter")) == [(1, "r"), (2, "g")]
    assert night.queryMetadata("sky", "visit") == []
    with pytest.raises(
        pex.NotFoundError, match="dataset type 'raw' has no id 'amp'; its ids: visit, filter, ccd"
    ):
        night.queryMetadata("raw", "amp")


def test_keys_have_types_in_the_order_of_the_path(butler):
    assert butler.getDatasetTypes() == ["raw", "sky"]
    assert list(butler.getKeys("raw").items()) == [("visit", int), ("filter", str), ("ccd", int)]
    assert butler.getKeys("raw", "filter") == {"visit": int, "filter": str}
    assert butler.getKeys("sky") == {"visit": int}
    assert butler.mapper.keys() == ["ccd", "filter", "visit"]


def test_a_subset_refers_to_every_dataset_that_has_the_ids(night):
    subset = night.subset("raw", visit=2)
    assert len(subset) == 2
    assert [ref.dataId for ref in subset] == [{"visit": 2, "filter": "g", "ccd": n} for n in (0, 1)]
    assert [float(ref.get().array[0, 0]) for ref in subset] == [20, 21]
    (first, _) = subset
    assert not first.datasetExists("sky")
    first.put(pixels(5), "sky")
    assert float(first.get("sky")[0, 0]) == 5 and first.getButler() is night
    assert [ref.dataId["visit"] for ref in night.subset("raw", "visit")] == [1, 2]
    assert len(night.subset("raw", visit=7)) == 0


def test_a_data_ref_is_the_only_one_or_an_error(night):
    assert night.dataRef("raw", visit=2, ccd=1).dataId == {"visit": 2, "filter": "g", "ccd": 1}
    with pytest.raises(pex.RuntimeError, match="expected one dataset with ids .*'visit': 2.*found 2"):
        night.dataRef("raw", visit=2)


@pytest.mark.parametrize(
    ("template", "ids", "name"),
    [
        ("%x(n).fits", {"n": 255}, "ff.fits"),
        ("%5d(n).fits", {"n": 42}, "   42.fits"),
        ("%.2f(t)-%s(name).fits", {"t": 1.25, "name": "a-b"}, "1.25-a-b.fits"),
        ("%(a)_%(a).fits", {"a": "q"}, "q_q.fits"),
        ("50% (%(a)).fits", {"a": "q"}, "50% (q).fits"),
    ],
)
def test_templates_work_both_ways(tmp_path, template, ids, name):
    sut = Butler(
        mapper=PathMapper(str(tmp_path), policy(f'a: {{ template: "{template}"\nstorage: FitsStorage }}'))
    )
    sut.put(pixels(1), "a", ids)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert sut.queryMetadata("a", list(ids)[0], tuple(ids)) == (
        [tuple(ids.values())] if len(ids) > 1 else list(ids.values())
    )


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (
            'a: { template: "/abs.fits"\nstorage: FitsStorage }',
            pex.InvalidParameterError,
            "dataset type 'a'.*relative",
        ),
        (
            'a: { template: "../x.fits"\nstorage: FitsStorage }',
            pex.InvalidParameterError,
            "relative to the mapper's root",
        ),
        (
            'a: { template: "%c(x).fits"\nstorage: FitsStorage }',
            pex.InvalidParameterError,
            "format %c of id 'x'",
        ),
        (
            'a: { template: "%(x.y).fits"\nstorage: FitsStorage }',
            pex.InvalidParameterError,
            "plain name.*'x.y'",
        ),
        (
            'a: { template: "a.fits"\nstorage: FitsStorage\nkeys: { v: int } }',
            pex.InvalidParameterError,
            "type for id 'v'",
        ),
        ('a: { template: "a.fits"\nstorage: Fits }', pex.NotFoundError, "storage 'Fits' is not known"),
        ('a: { template: "a.fits"\nstorage: FitsStorage\nkind: 3 }', ValidationError, "kind"),
        ("a: { storage: FitsStorage }", ValidationError, "template"),
        ('a: { template: "%(x)"\nstorage: FitsStorage\nkeys: { x: number } }', ValidationError, "x"),
    ],
)
def test_dataset_types_that_make_no_sense_are_refused(tmp_path, text, error, words):
    with pytest.raises(error, match=words):
        PathMapper(str(tmp_path), policy(text))


def test_dataset_types_come_from_a_file_in_the_root_by_default(tmp_path):
    with pytest.raises(pex.IoError, match=r"there is no .*mapper\.paf, which would define the dataset types"):
        Butler(tmp_path)
    (tmp_path / "mapper.paf").write_text(f"datasets: {{\n{RAW}\n}}\n")
    assert Butler(tmp_path).getDatasetTypes() == ["raw"]


class NightMapper(Mapper):
    """As people wrote them then."""

    def __init__(self, root):
        self.root = root

    def map_raw(self, dataId, write):
        return ButlerLocation(
            "harness.storage.Image", "Image", "FitsStorage", self.root + "/r%03d(visit).fits", dataId
        )

    def map_pair(self, dataId, write):
        places = [self.root + "/r%03d(visit).fits", self.root + "/s%03d(visit).fits"]
        return ButlerLocation(__name__ + ".Pair", None, "FitsStorage", places, dataId)

    def query_raw(self, key, format, dataId):
        return [(1,), (2,)]

    def std_raw(self, item, dataId):
        item.header.set("VISIT", dataId["visit"])
        return item

    def map_config(self, dataId, write):
        return ButlerLocation("", None, "NoStorage", "nowhere", dataId)

    def bypass_config(self, location, dataId):
        return {"from": location.getStorageName(), **dataId}


class Pair:
    @staticmethod
    def swigConvert(parts):
        return [float(part.array[0, 0]) for part in parts]


def test_a_mapper_of_then_is_made_by_class_name_or_factory(tmp_path):
    sut = Butler(str(tmp_path), NightMapper)
    sut.put(pixels(3), "raw", visit=1)
    assert (tmp_path / "r001.fits").exists() and sut.datasetExists("raw", visit=1)
    assert not sut.datasetExists("pair", visit=1)
    storage_named("FitsStorage").write(str(tmp_path / "s001.fits"), pixels(4))
    assert sut.datasetExists("pair", visit=1)
    again = ButlerFactory(mapper=NightMapper(str(tmp_path))).create()
    assert again.get("raw", {"visit": 1}).header.get("VISIT") == 1
    assert again.get("config", visit=2) == {"from": "NoStorage", "visit": 2}
    assert again.queryMetadata("raw", "visit") == [1, 2]
    assert again.getDatasetTypes() == ["config", "pair", "raw"]
    with pytest.raises(pex.NotFoundError, match="NightMapper has no dataset type 'rw'.*did you mean 'raw'"):
        again.get("rw")
    with pytest.raises(TypeError, match="expected a root or a mapper that is ready"):
        Butler(tmp_path, again.mapper)
    with pytest.raises(TypeError, match="expected a mapper, its class or its name, saw 3"):
        Butler(mapper=3)


def test_an_object_in_several_files_is_put_together_by_its_class(tmp_path, monkeypatch):
    sut = Butler(str(tmp_path), NightMapper)
    monkeypatch.setattr("harness.butler.assembling.find_class", lambda name: Pair)
    for letter, value in (("r", 3), ("s", 4)):
        storage_named("FitsStorage").write(str(tmp_path / f"{letter}007.fits"), pixels(value))
    assert sut.get("pair", visit=7) == [3, 4]


@pytest.mark.contract("1.1.persistence")
def test_persistence_writes_and_reads_by_a_list_of_storages(tmp_path):
    persistence = dafPersist.Persistence.getPersistence(Policy())
    location = LogicalLocation(f"{tmp_path}/v%03d(visit).fits", {"visit": 5})
    storages = dafPersist.StorageList()
    storages.append(persistence.getPersistStorage("FitsStorage", location))
    persistence.persist(pixels(6), storages)
    sources = dafPersist.StorageList()
    sources.append(persistence.getRetrieveStorage("FitsStorage", location))
    for read in (persistence.retrieve, persistence.unsafeRetrieve):
        assert float(read("numpy.ndarray", sources, None)[0, 0]) == 6
    assert type(persistence.retrieve("", sources)) is Image
    with pytest.raises(pex.InvalidParameterError, match=r"from getPersistStorage\(\)"):
        persistence.persist(pixels(1), sources)
    with pytest.raises(pex.InvalidParameterError, match=r"from getRetrieveStorage\(\), saw \[\]"):
        persistence.retrieve("", dafPersist.StorageList())
    with pytest.raises(pex.NotFoundError, match="BoostStorage.*persistence library of DC3b"):
        persistence.getPersistStorage("BoostStorage", location)
