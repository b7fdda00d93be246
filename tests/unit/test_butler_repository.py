# SPDX-License-Identifier: BSD-3-Clause
"""Items of IO stages in a repository of the Rubin data butler: what is read, written, replaced and
refused."""

import itertools
import multiprocessing
import os
import pickle
import signal
import sqlite3
import time

import harness.exceptions as pex
import numpy
import pytest
from harness import tester
from harness.butler.repository import Repository
from harness.iostage import InputStage, OutputStage
from harness.locations import LogicalLocation
from harness.log import Log
from harness.policy import Policy, PolicyString
from harness.storage import Image, ReadRequest
from rubin_butler import needs_library

IDS = {"instrument": "Cam"}
DIMENSIONS = ("instrument", "detector")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A repository with detectors 0 to 3 and dataset types of several storage classes."""
    from harness.butler.formatters import repository_config
    from lsst.daf.butler import Butler, Config, DatasetType

    root = str(tmp_path_factory.mktemp("butler") / "repo")
    Butler.makeRepo(root, config=Config(repository_config()))
    butler = Butler.from_config(root, writeable=True)
    instrument = {"name": "Cam", "class_name": "none", "detector_max": 9, "visit_max": 9, "exposure_max": 9}
    butler.registry.insertDimensionData("instrument", instrument)
    for number in range(4):
        butler.registry.insertDimensionData("detector", {**IDS, "id": number, "full_name": f"d{number}"})
    kinds = {"flat": "NumpyArray", "frame": "HarnessImage", "notes": "StructuredDataDict", "blob": "Plot"}
    for name, storage_class in kinds.items():
        kind = DatasetType(name, DIMENSIONS, storage_class, universe=butler.dimensions)
        butler.registry.registerDatasetType(kind)
    return root


RUNS = itertools.count()


@pytest.fixture
def repository(made):
    """A run of the test's own in the repository."""
    opened = Repository(made, run=f"run/{next(RUNS)}", data_id=IDS)
    yield opened
    opened.close()


def pixels(value):
    return numpy.full((2, 3), value, "f4")


def image(value):
    made = Image(pixels(value))
    made.header.set("EXPTIME", 15.0, "seconds")
    return made


@needs_library
def test_arrays_images_with_headers_and_dicts_come_back(repository):
    repository.put(pixels(1), "flat", {"detector": 1})
    repository.put(image(2), "frame", {"detector": 1})
    repository.put({"seeing": 0.7}, "notes", {"detector": 1})
    flat, frame = repository.get("flat", {"detector": 1}), repository.get("frame", {"detector": 1})
    assert type(flat) is numpy.ndarray and flat.tolist() == pixels(1).tolist()
    assert type(frame) is Image and frame.header.get("EXPTIME") == 15.0
    assert repository.get("notes", {"detector": 1}) == {"seeing": 0.7}
    assert repository.datasetExists("flat", {"detector": 1}) is True
    assert repository.datasetExists("flat", {"detector": 2}) is False


@needs_library
def test_a_dataset_that_is_there_is_replaced(repository):
    for value in (1, 2, 3):
        repository.put(pixels(value), "flat", {"detector": 0})
        assert float(repository.get("flat", {"detector": 0})[0, 0]) == value


@needs_library
def test_a_storage_of_the_harness_reads_the_file_of_a_dataset(repository):
    repository.put(pixels(4), "flat", {"detector": 3})
    found = repository.read("flat", {"detector": 3}, "FitsStorage", ReadRequest("x", "harness.storage.Image"))
    assert type(found) is Image and float(found.array[0, 0]) == 4


@needs_library
@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (("get", "flats", {"detector": 1}), pex.NotFoundError, "register it: butler register-dataset-type"),
        (
            ("put", "flats", {"detector": 1}),
            pex.NotFoundError,
            "'flats' with .*detector=1 .*no such dataset type",
        ),
        (("exists", "flats", {"detector": 1}), pex.NotFoundError, "no such dataset type"),
        (("get", "flat", {"detector": 2}), pex.NotFoundError, "detector=2 .*No collection with name"),
        (("get", "flat", {}), pex.InvalidParameterError, "required dimension 'detector'"),
        (("put", "flat", {}), pex.InvalidParameterError, "required dimension 'detector'"),
        (("put", "flat", {"detector": 77}), pex.InvalidParameterError, "for dimension detector"),
        (("put", "notes", {"detector": 1}), pex.RuntimeError, "dataset 'notes' with .*detector=1"),
    ],
)
def test_what_cannot_be_found_or_stored_names_dataset_ids_and_repository(
    repository, made, call, error, words
):
    method, name, ids = call
    with pytest.raises(error, match=words) as told:
        if method == "put":
            repository.put(pixels(1), name, ids)
        else:
            (repository.get if method == "get" else repository.datasetExists)(name, ids)
    assert made in str(told.value)


@needs_library
def test_a_dataset_that_is_in_none_of_the_collections_is_told_with_them(repository):
    repository.put(pixels(1), "flat", {"detector": 1})
    words = f"detector=2 .* is in none of the collections {repository.run}"
    with pytest.raises(pex.NotFoundError, match=words):
        repository.get("flat", {"detector": 2})


@needs_library
def test_a_missing_or_damaged_file_is_an_io_error(repository, made):
    repository.put(pixels(1), "flat", {"detector": 2})
    (path,) = [
        os.path.join(folder, name)
        for folder, _, names in os.walk(made)
        for name in names
        if name.endswith(".fits") and repository.run in folder
    ]
    with open(path, "r+b") as stream:
        stream.truncate(2000)
    with pytest.raises((pex.IoError, pex.RuntimeError), match="detector=2"):
        repository.get("flat", {"detector": 2})
    os.unlink(path)
    assert repository.datasetExists("flat", {"detector": 2}) is False
    with pytest.raises(pex.IoError, match="detector=2"):
        repository.get("flat", {"detector": 2})


@needs_library
def test_a_pickle_is_refused(made, tmp_path):
    from lsst.daf.butler import Butler, DatasetRef, FileDataset

    butler = Butler.from_config(made, run="pickles", writeable=True)
    path = tmp_path / "array.pickle"
    path.write_bytes(pickle.dumps(pixels(1)))
    kind = butler.get_dataset_type("flat")
    data_id = butler.registry.expandDataId(instrument="Cam", detector=1)
    formatter = "lsst.daf.butler.formatters.pickle.PickleFormatter"
    dataset = FileDataset(str(path), [DatasetRef(kind, data_id, "pickles")], formatter=formatter)
    butler.ingest(dataset, transfer="copy")
    butler.close()
    opened = Repository(made, collections=["pickles"], data_id=IDS)
    words = r"is a pickle \(.*\.pickle\), and reading one may run any code"
    with pytest.raises(pex.RuntimeError, match=words):
        opened.get("flat", {"detector": 1})
    opened.close()


def _put_many(repository, first, done):
    for number in range(first, 4, 2):
        for value in range(5):
            repository.put(pixels(value), "flat", {"detector": number})
    done.put(os.getpid())


@needs_library
def test_processes_that_were_forked_write_at_the_same_time(repository):
    context = multiprocessing.get_context("fork")
    done = context.Queue()
    children = [context.Process(target=_put_many, args=(repository, first, done)) for first in (0, 1)]
    for child in children:
        child.start()
    assert len({done.get(timeout=100) for _ in children}) == 2
    for child in children:
        child.join(100)
        assert child.exitcode == 0
    assert [float(repository.get("flat", {"detector": n})[0, 0]) for n in range(4)] == [4, 4, 4, 4]


def _put_first(repository, half, stays):
    """A put that stops in the middle of making the run: for ever, or for a moment."""
    from lsst.daf.butler.registry.databases.sqlite import SqliteDatabase

    sync = SqliteDatabase.sync

    def slow_sync(database, table, **more):
        if table.name == "run":
            half.set()
            if not stays:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.5)
        return sync(database, table, **more)

    SqliteDatabase.sync = slow_sync
    repository.put(pixels(1), "flat", {"detector": 1})


@needs_library
@pytest.mark.parametrize("stays", [True, False], ids=["goes on", "dies"])
def test_a_writer_that_is_in_the_middle_of_making_the_run_keeps_none_from_writing(repository, stays):
    context = multiprocessing.get_context("fork")
    half = context.Event()
    child = context.Process(target=_put_first, args=(repository, half, stays))
    child.start()
    assert half.wait(100)
    if not stays:
        child.join(100)
    repository.put(pixels(2), "flat", {"detector": 2})
    child.join(100)
    assert child.exitcode == (0 if stays else -signal.SIGKILL)
    found = [repository.datasetExists("flat", {"detector": n}) for n in (1, 2)]
    assert found == [stays, True]


def _die_while_writing(root):
    """Changes pages of the repository's database, and dies before they are committed."""
    connection = sqlite3.connect(f"{root}/gen3.sqlite3", isolation_level=None)
    connection.execute("PRAGMA cache_size=2")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE unfinished (text)")
    connection.executemany("INSERT INTO unfinished VALUES (?)", [("x" * 1000,)] * 1000)
    os.kill(os.getpid(), signal.SIGKILL)


@needs_library
def test_a_writer_that_died_in_a_transaction_keeps_none_from_reading(made, repository):
    repository.put(pixels(1), "flat", {"detector": 1})
    for when in ("while it was open", "before it was opened"):
        reader = Repository(made, collections=[repository.run], data_id=IDS)
        if when == "before it was opened":
            reader.close()
        child = multiprocessing.get_context("fork").Process(target=_die_while_writing, args=(made,))
        child.start()
        child.join(100)
        assert child.exitcode == -signal.SIGKILL
        assert reader.get("flat", {"detector": 1}).tolist() == pixels(1).tolist(), when
        reader.close()


@needs_library
def test_a_run_that_could_not_be_made_is_made_by_the_next_put(repository, monkeypatch):
    from lsst.daf.butler.registry.sql_registry import SqlRegistry

    register = SqlRegistry.registerRun

    def fail_late(registry, name, doc=None):
        register(registry, name, doc)
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(SqlRegistry, "registerRun", fail_late)
        with pytest.raises(pex.IoError, match="dataset 'flat' .*no space left"):
            repository.put(pixels(1), "flat", {"detector": 1})
    repository.put(pixels(2), "flat", {"detector": 1})
    assert repository.get("flat", {"detector": 1}).tolist() == pixels(2).tolist()


@needs_library
def test_nothing_is_registered_before_something_is_written(made):
    from lsst.daf.butler import Butler

    opened = Repository(made, run="run/unused", data_id=IDS)
    assert opened.datasetExists("flat", {"detector": 1}) is False
    opened.close()
    with Butler.from_config(made) as butler:
        assert "run/unused" not in butler.collections.query("*")


@needs_library
def test_a_repository_that_is_not_there_is_told_with_its_path(tmp_path):
    with pytest.raises(pex.RuntimeError, match=f"butler repository {tmp_path}/none cannot be opened"):
        Repository(str(tmp_path / "none"), collections=["x"])


def test_without_the_library_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("harness.butler.repository.LIBRARY", "lsst.daf.no_butler")
    with pytest.raises(
        pex.RuntimeError, match=r"lsst-daf-butler, which is not installed.*pex-harness\[butler\]"
    ):
        Repository("repo", collections=["x"])


def policy(kind, butler, items):
    return Policy(PolicyString(f"parameters: {{\nbutler: {{ {butler} }}\n{kind}Items: {{ {items} }}\n}}"))


@pytest.mark.parametrize(
    ("kind", "butler", "words"),
    [
        ("input", "repository: r\nmapperName: a.B\ncollections: c", "give either repository or mapperName"),
        ("input", "repository: r\nrun: c", "collections is missing"),
        ("output", "repository: r\ncollections: c", "run is missing"),
        (
            "input",
            "collections: c\nmapperPolicy: { root: r }",
            "collections goes with parameters.butler.repository",
        ),
    ],
)
def test_entries_that_exclude_each_other_are_refused(kind, butler, words):
    stage = (InputStage if kind == "input" else OutputStage)(policy(kind, butler, ""))
    with pytest.raises(pex.InvalidParameterError, match=words):
        stage.createParallelProcessing(0)


@needs_library
def test_stages_write_to_a_run_named_after_theirs_and_read_collections(made):
    LogicalLocation.setLocationMap({"repo": made})
    try:
        output = OutputStage(policy(
            "output",
            'repository: "%(repo)"\nrun: "out/%(runId)"\ndataId: { instrument: Cam }',
            'result: { datasetId: { datasetType: frame\nfromJobIdentity: "detector" } }',
        ))  # fmt: skip
        tester.test(output, "r7", 3).runWorker({"result": image(6), "jobIdentity": {"detector": 2}}, 0)
        source = InputStage(policy(
            "input",
            'repository: "%(repo)"\ncollections: "out/r7"\ndataId: { instrument: Cam }',
            'a: { datasetType: frame\ndatasetId: { set: { detector: 2 } } }\n'
            'b: { datasetType: frame\ndatasetId: { set: { detector: 2 } }\nstorage: FitsStorage\n'
            'pythonType: "numpy.ndarray" }\n'
            'c: { datasetType: frame\ndatasetId: { set: { detector: 3 } }\nrequired: false\ntimeout: 0 }',
        ))  # fmt: skip
        out = tester.test(source, "r7", 3).runWorker({}, 0)
    finally:
        LogicalLocation.setLocationMap(None)
        Log.closeDefaultLog()
    assert float(out.get("a").array[0, 0]) == 6 and out.get("a").header.get("EXPTIME") == 15.0
    assert type(out.get("b")) is numpy.ndarray and not out.contains("c")
