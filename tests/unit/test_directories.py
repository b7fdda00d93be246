# SPDX-License-Identifier: BSD-3-Clause
"""Directories: root, run directory and named directories from the dir policy."""

import os

import lsst.pex.policy as pexPolicy
import pytest
from harness.directories import Directories
from harness.policy import Policy, PolicyString

FULL = """
defaultRoot: "/data/runs"
runDirPattern: "%(runid)s/%(shortname)s"
work: "work"
input: "/archive/%(runid)s"
output: "output/%(shortname)s"
update: "update"
scratch: "."
"""


def made(text=FULL, shortName="warp", runId="r7"):
    return Directories(Policy(PolicyString(text)), shortName, runId)


def with_root(root):
    return made(f'defaultRoot: "{root}"\nrunDirPattern: "%(runid)s"\nupdate: "update"')


def test_the_old_import_path_leads_to_the_same_class():
    import lsst.pex.harness.Directories

    assert lsst.pex.harness.Directories.Directories is Directories


@pytest.mark.contract("8.6.root")
def test_an_absolute_root_is_taken_as_it_is():
    assert made().getDefaultRootDir() == "/data/runs"


@pytest.mark.contract("8.6.root")
@pytest.mark.parametrize(("root", "expected"), [(".", "/some/where"), ("runs/a", "/some/where/runs/a")])
def test_a_relative_root_lies_below_pwd(monkeypatch, root, expected):
    monkeypatch.setenv("PWD", "/some/where")
    assert with_root(root).getDefaultRootDir() == expected


def test_without_pwd_a_relative_root_lies_below_the_current_directory(monkeypatch, tmp_path):
    monkeypatch.delenv("PWD", raising=False)
    monkeypatch.chdir(tmp_path)
    assert with_root(".").getDefaultRootDir() == str(tmp_path)


@pytest.mark.contract("8.6.run")
def test_the_run_directory_is_the_filled_in_pattern_below_the_root():
    assert made().getDefaultRunDir() == "/data/runs/r7/warp"


@pytest.mark.contract("8.6.run")
@pytest.mark.parametrize("pattern", ["/abs/%(runid)s", "//abs/%(runid)s"])
def test_an_absolute_run_pattern_still_lies_below_the_root(pattern):
    sut = made(f'defaultRoot: "/data"\nrunDirPattern: "{pattern}"\nupdate: "u"')
    assert sut.getDefaultRunDir() == "/data/abs/r7"


@pytest.mark.contract("8.6.named")
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("work", "/data/runs/r7/warp/work"),
        ("input", "/archive/r7"),
        ("output", "/data/runs/r7/warp/output/warp"),
        ("scratch", "/data/runs/r7/warp/."),
        ("no such name", "/data/runs/r7/warp/update"),
    ],
)
def test_named_directories_lie_below_the_run_directory_unless_absolute(name, expected):
    assert made().getNamedDirectory(name) == expected


@pytest.mark.contract("8.6.named")
def test_names_beyond_the_standard_ones_are_accepted():
    assert made(FULL + 'masks: "masks"').getNamedDirectory("masks") == "/data/runs/r7/warp/masks"


@pytest.mark.contract("8.6.dirs")
def test_get_dirs_has_the_five_standard_names():
    dirs = made().getDirs()
    assert sorted(dirs.names()) == ["input", "output", "scratch", "update", "work"]
    assert dirs.getString("input") == "/archive/r7"


def test_the_run_id_has_a_default():
    sut = Directories(Policy(PolicyString(FULL)), "warp")
    assert sut.getDefaultRunDir() == "/data/runs/no-id/warp"


@pytest.mark.contract("8.6.dirs")
def test_nothing_is_created(tmp_path):
    with_root(str(tmp_path / "root")).getDirs()
    assert os.listdir(tmp_path) == []


def test_what_a_policy_leaves_out_lies_where_a_run_without_one_has_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PWD", str(tmp_path))
    sut = Directories(Policy(PolicyString('input: "raw"')), "warp", "r7")
    assert sut.getDefaultRunDir() == str(tmp_path / "r7")
    assert sut.getNamedDirectory("input") == str(tmp_path / "r7" / "raw")
    assert sut.getNamedDirectory("output") == f"{tmp_path}/r7/."


def test_keys_of_the_wrong_type_are_policy_type_errors():
    policy = Policy(PolicyString(FULL))
    policy.set("work", 3)
    with pytest.raises(pexPolicy.TypeError):
        Directories(policy, "warp").getNamedDirectory("work")


@pytest.mark.parametrize("pattern", ["%(nope)s", "%d", "100%", "%(runid)d"])
def test_patterns_that_cannot_be_filled_in_say_what_they_may_use(pattern):
    policy = Policy(PolicyString(FULL))
    policy.set("work", pattern)
    with pytest.raises(ValueError, match=r"cannot fill in work: .*%\(runid\)s and %\(shortname\)s"):
        Directories(policy, "warp").getNamedDirectory("work")
