# SPDX-License-Identifier: BSD-3-Clause
"""Contenders of the hand-over: each measures what it says, tables have all, and a wrong image is noticed."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys

import pytest

from .conftest import ROOT
from .test_programs import rows

pytestmark = pytest.mark.usefixtures("library")


def _contenders():
    folder = str(ROOT / "benchmarks" / "handover")
    spec = importlib.util.spec_from_file_location("contenders", f"{folder}/contenders.py")
    module = importlib.util.module_from_spec(spec)
    names = set(sys.modules)
    sys.path.insert(0, folder)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
        for name in set(sys.modules) - names:
            del sys.modules[name]
    return module.KINDS


KINDS = _contenders()
EVERYBODY = [(kind, name) for kind, contenders in KINDS.items() for name in contenders]


@pytest.mark.parametrize(("kind", "name"), EVERYBODY, ids=[f"{kind}-{name}" for kind, name in EVERYBODY])
def test_a_contender_hands_over_and_tells_seconds(programs, kind, name):
    contender = KINDS[kind][name]
    if contender.missing():
        pytest.skip(contender.missing())
    command = contender.command(kind, name, 2)
    command = [part.replace(str(ROOT / "benchmarks"), str(programs.folder)) for part in command]
    done = subprocess.run([*command, "2", "1", "3", "0.05"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    for direction in ("out", "back") if kind == "handover" else ("out",):
        assert len(result[direction]) >= 3 and min(result[direction]) > 0
    if name in ("harness", "default") and kind == "handover":
        assert result["copied"] == 0 and result["shared"] == 6 * 3 * (1 << 20)
    if name == "foreign":
        assert result["shared"] == 0 and result["copied"] == 6 * 3 * (1 << 20)


def test_a_contest_has_a_row_for_each_and_tells_what_was_copied(programs):
    options = ["--rounds", "1", "--slices", "1", "--sizes", "1", "--peers", "harness", "copy"]
    done = programs.run("handover/handover.py", *options)
    assert done.returncode == 0, done.stderr
    assert "1 MiB there" in done.stdout and "1 MiB back" in done.stdout
    found = rows(done.stdout)
    for name in ("bare", "harness", "copy"):
        (entry,) = found[KINDS["handover"][name].label]
        assert " / " in entry and (name == "bare" or entry.endswith("x)"))
    assert "**harness**, computed in a stage: 0 copied, " in done.stdout


def test_the_contest_of_steps_has_a_row_for_each_and_a_column_for_each_count(programs):
    done = programs.run("handover/step.py", "--rounds", "1", "--slices", "1", "2", "--peers", "thin")
    assert done.returncode == 0, done.stderr
    found = rows(done.stdout)
    assert found["microseconds"] == ["N=1", "N=2"]
    for name in ("bare", "thin"):
        assert len(found[KINDS["steps"][name].label]) == 2


def test_an_unknown_contender_is_refused_with_the_known_ones(programs):
    done = programs.run("handover/step.py", "--peers", "nobody")
    assert done.returncode == 1 and "no contender nobody; there are bare, thin" in done.stderr


def test_an_absent_contender_is_named_and_the_others_go_on(programs):
    programs.spoil("handover/contenders.py", '"pipe_steps")', '"pipe_steps", "no_such_package")')
    done = programs.run("handover/step.py", "--rounds", "1", "--slices", "1", "--peers", "pipe")
    assert done.returncode == 0
    assert "skipped: multiprocessing.Pipe: Python package no_such_package is not installed" in done.stdout


STAGES = "handover/handover_stages.py"
SPOILT = {
    "the master's image": (STAGES, "compute(value_of(self.visit))", "compute(value_of(self.visit + 1))",
                           ["harness"]),
    "a slice's result": (STAGES, 'clipboard.get("image") + np.uint32(self.rank + 1)',
                         'clipboard.get("image") + np.uint32(self.rank)', ["harness"]),
    "a peer's result": ("handover/peers.py", "image + np.uint32(rank + 1)", "image + np.uint32(rank)",
                        ["pipe", "queue", "reused", "fresh"]),
    "a peer's image": ("handover/peers.py", "compute(value, image)", "compute(value + 1, image)", ["pipe"]),
    "a result of iceoryx2": ("handover/peers_iceoryx2.py", "np.uint32(rank + 1), out", "np.uint32(rank), out",
                             ["iceoryx2", "loaned"]),
    "an image of iceoryx2": ("handover/peers_iceoryx2.py", "source.compute(value, target",
                             "source.compute(value + 1, target", ["iceoryx2", "loaned"]),
    "a missing image": ("handover/peers_stdlib.py", "[touch(result) for result in receive()]",
                        "[touch(result) for result in receive()][1:]", ["pipe"]),
}  # fmt: skip


@pytest.mark.parametrize(("file", "right", "wrong", "names"), SPOILT.values(), ids=SPOILT)
def test_a_wrong_image_fails_the_contest(programs, file, right, wrong, names):
    if missing := [KINDS["handover"][name].missing() for name in names if KINDS["handover"][name].missing()]:
        pytest.skip(missing[0])
    programs.spoil(file, right, wrong)
    options = ["--rounds", "1", "--slices", "1", "--sizes", "1", "--peers", *names]
    done = programs.run("handover/handover.py", *options)
    assert done.returncode == 1, done.stdout
    for name in names:
        lines = [line for line in done.stderr.splitlines() if KINDS["handover"][name].label in line]
        assert len(lines) == 1 and lines[0].startswith("FAILED: ")
        assert "read another image" in lines[0] or "read 0 images: expected 1" in lines[0]


@pytest.mark.parametrize(
    ("file", "right", "wrong"),
    [(STAGES, "image = (raw - bias) / flat", "image = (raw - bias) * flat"),
     ("handover/unchanged.py", "image = (raw - bias) / flat", "image = (raw - bias) * flat")],
    ids=["in the harness", "in plain NumPy"],
)  # fmt: skip
def test_a_wrong_expression_fails_the_unchanged_stage(programs, file, right, wrong):
    programs.spoil(file, right, wrong)
    done = programs.run("handover/unchanged.py", "--rounds", "1", "--slices", "1", "--sizes", "1")
    assert done.returncode == 1
    assert "CalledProcessError" in done.stderr and "expected " in done.stderr


def test_the_unchanged_stage_stands_beside_plain_numpy_and_copies_nothing(programs):
    done = programs.run("handover/unchanged.py", "--rounds", "1", "--slices", "1", "--sizes", "1")
    assert done.returncode == 0, done.stderr
    found = rows(done.stdout)
    assert found["plain NumPy"][2:] == ["-", "-"]
    assert found["**harness**, N=1"][2] == "0" and found["**harness**, N=1"][3] != "0"


def test_the_limit_in_c_counts_images_that_were_read_wrongly(programs, tmp_path):
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("c++ is not installed")
    programs.spoil("handover/bare.cpp", "mine, image(0), bytes, rank + 1)", "mine, image(0), bytes, rank)")
    library = tmp_path / "libbare.so"
    source = programs.folder / "handover" / "bare.cpp"
    subprocess.run([compiler, "-std=c++20", "-O1", "-shared", "-fPIC", source, "-o", library], check=True)
    found = 'Path(__file__).parents[2] / "build" / "cpp" / "benchmarks" / "libbare.so"'
    programs.spoil("handover/bare.py", found, f"Path({str(library)!r})")
    done = programs.run("handover/contenders.py", "handover", "bare", "1", "1", "3", "0.05")
    assert done.returncode == 1 and "images were read wrongly" in done.stderr
