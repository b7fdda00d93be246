# SPDX-License-Identifier: BSD-3-Clause
"""The symbolic link stage: which half acts when, and what it makes and leaves alone."""

import os

import harness.exceptions as pex
import lsst.pex.policy as pexPolicy
import pytest
from harness import tester
from harness.iostage.symlink_stage import SymLinkStage, SymLinkStageParallel
from harness.locations import LogicalLocation
from harness.policy import Policy, PolicyString
from harness.properties import PropertySet


@pytest.fixture(autouse=True)
def location_map(tmp_path):
    locations = PropertySet()
    locations.set("input", str(tmp_path))
    LogicalLocation.setLocationMap(locations)
    yield
    LogicalLocation.setLocationMap(None)


def made(links, mode=""):
    text = "".join(f'Links: {{\nsourcePath: "{source}"\ndestPath: "{dest}"\n}}\n' for source, dest in links)
    return tester.test(SymLinkStage(Policy(PolicyString(f"{mode}\n{text}"))), "r7", 4)


def test_the_old_import_path_leads_to_the_same_classes():
    import lsst.pex.harness.SymLinkStage as old

    assert old.SymLinkStageParallel is SymLinkStageParallel


@pytest.mark.contract("8.7.links")
def test_links_are_made_with_their_directories_and_the_source_need_not_exist(tmp_path):
    made([("/archive/%(runId)/s%02d(sliceId)", "%(input)/deep/er/frames"), ("b", "%(input)/b")]).runWorker(
        {}, 3
    )
    assert os.readlink(tmp_path / "deep" / "er" / "frames") == "/archive/r7/s03"
    assert os.readlink(tmp_path / "b") == "b"


def test_a_link_into_the_current_directory_needs_no_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made([("a", "here")]).runWorker({})
    assert os.readlink(tmp_path / "here") == "a"


def test_additional_data_comes_from_the_clipboard(tmp_path):
    sut = made([("/a", "%(input)/v%03d(visit)")], 'parameters.additionalData: "visit=job.visit"')
    sut.runWorker({"job": {"visit": 85}})
    assert os.listdir(tmp_path) == ["v085"]


@pytest.mark.contract("8.7.exists")
def test_an_existing_link_stays_silently_and_anything_else_with_a_warning(tmp_path, capfd):
    sut = made([("/a", "%(input)/x")])
    sut.runWorker({})
    sut.runWorker({})
    assert capfd.readouterr().err == ""
    made([("/b", "%(input)/x")]).runWorker({})
    assert f"{tmp_path}/x exists and is no link to /b: left alone" in capfd.readouterr().err
    assert os.readlink(tmp_path / "x") == "/a"


@pytest.mark.contract("8.7.mode")
@pytest.mark.parametrize(
    ("mode", "in_master", "in_slice"),
    [
        ("RunMode: preprocess", True, False),
        ("RunMode: postprocess", True, False),
        ("RunMode: process", False, True),
        ("RunMode: other", False, True),
        ("", False, True),
    ],
)
def test_the_run_mode_gives_the_work_to_one_half(tmp_path, mode, in_master, in_slice):
    made([("/a", "%(input)/master")], mode).runMaster({})
    made([("/a", "%(input)/slice")], mode).runWorker({})
    assert (os.path.lexists(tmp_path / "master"), os.path.lexists(tmp_path / "slice")) == (
        in_master,
        in_slice,
    )


@pytest.mark.contract("8.7.none", "17.34")
@pytest.mark.parametrize("policy", [None, Policy()])
def test_without_links_there_is_a_warning_and_nothing_happens(policy, capfd):
    tester.test(SymLinkStage(policy)).runWorker({})
    assert "no Links: no symbolic link is made" in capfd.readouterr().err


@pytest.mark.contract("8.7.exists")
def test_other_errors_of_the_system_reach_the_caller(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        made([("/a", "%(input)/file/x")]).runWorker({})


def test_an_unknown_substitution_is_a_runtime_error():
    with pytest.raises(pex.RuntimeError, match="nope"):
        made([("/a", "%(nope)/x")]).runWorker({})


def test_a_link_without_a_path_fails_at_set_up():
    with pytest.raises(pexPolicy.NameNotFound, match="destPath"):
        SymLinkStage(Policy(PolicyString('Links: { sourcePath: "/a" }'))).createParallelProcessing(0)
