# SPDX-License-Identifier: BSD-3-Clause
"""The example of a compiled stage is built against the installed package and runs on uncopied pixels."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sysconfig
import threading
from collections import deque
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from harness.clipboard import Clipboard
from harness.examples.compiled_stage.build import build

pytest.importorskip("Cython", reason="building the compiled stage needs Cython")
COMPILER = shlex.split(os.environ.get("CC") or "cc")[0]
if shutil.which(COMPILER) is None:
    pytest.skip(f"the compiled stage needs a C compiler; {COMPILER} is not here", allow_module_level=True)


def _headers_are_here(folder: Path) -> bool:
    probe = folder / "probe.c"
    probe.write_text("#include <Python.h>\n")
    command = [COMPILER, "-E", f"-I{sysconfig.get_path('include')}", str(probe), "-o", os.devnull]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The extension module, built once."""
    folder = tmp_path_factory.mktemp("compiled")
    if not _headers_are_here(folder):
        pytest.skip("building the compiled stage needs Python's C headers")
    return build(folder)


@pytest.fixture
def clip(built):
    """The module, loaded here."""
    spec = importlib.util.spec_from_file_location("_clip", built)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_runs_without_a_copy(bench, built):
    example = Path(importlib.util.find_spec("harness.examples.compiled_stage").origin).parent
    shutil.copy(example / "pipeline.paf", bench.folder / "night.paf")
    shutil.copy(built, bench.folder)
    done = bench.run("--workers", "2")
    assert done.code == 0, done.err
    assert "level 100.500 deviation 0.500 pixels 1048572" in done.out
    assert "slices agree: True; rows painted: 1024" in done.out
    assert done.row("clip", "preprocess")["bytes_copied"] == done.row("clip", "process")["bytes_copied"] == 0


def test_a_write_to_what_is_read_only_fails_the_stage_with_the_cure(bench, built):
    bench.module("""
    import _clip

    class Master(SerialProcessing):
        def preprocess(self, clipboard):
            clipboard.put("frame", harness.zeros((200, 200), np.float32), True)

    class Paint(ParallelProcessing):
        def process(self, clipboard):
            _clip.fill_rows(clipboard, "frame", 0, 1, 1.0)
    """)
    shutil.copy(built, bench.folder)
    bench.policy("paint Master Paint", slices=1)
    done = bench.run()
    assert done.row("paint", "process")["raised"] == 1
    assert "read-only" in done.err and "clipboard.take(key)" in done.err


def test_pointer_shape_and_strides_are_those_of_the_array(clip):
    sut = Clipboard()
    image = np.arange(60, dtype="f4").reshape(6, 10)
    for view in (image, image[::2, ::-3], image.T, image[1:2]):
        sut.put("image", view)
        figures = clip.clipped_mean(sut, "image", 100.0, 1)
        assert figures == pytest.approx((view.mean(), view.std(), view.size))
    sut.put("image", image[::2, ::-3])
    clip.fill_rows(sut, "image", 1, 2, -1.0)
    assert np.array_equal(np.argwhere(image == -1), [[2, 0], [2, 3], [2, 6], [2, 9]])


def test_what_the_compiled_code_cannot_use_is_refused(clip):
    sut = Clipboard()
    with pytest.raises(KeyError):
        clip.clipped_mean(sut, "image")
    for value in (np.zeros((2, 2)), np.zeros(3, "f4")):
        sut.put("image", value)
        with pytest.raises(TypeError, match="'image': expected a two-dimensional array of float32"):
            clip.clipped_mean(sut, "image")
    sut.put("image", 7)
    with pytest.raises(TypeError, match="bytes-like|buffer"):
        clip.clipped_mean(sut, "image")


def test_the_memory_stays_while_compiled_code_looks_at_it(clip):
    import sys

    sut = Clipboard()
    image = np.zeros((3, 3), "f4")
    sut.put("image", image)
    before = sys.getrefcount(image)
    for _ in range(1000):
        clip.clipped_mean(sut, "image")
        with pytest.raises(ValueError):
            clip.fill_rows(sut, "image", 0, 9, 1.0)
    assert sys.getrefcount(image) == before


def test_other_threads_run_while_compiled_code_works(clip):
    sut = Clipboard()
    sut.put("image", np.arange(1_000_000, dtype="f4").reshape(1000, 1000))
    at_work: list[int] = []
    seen = threading.Event()
    acts = [
        partial(at_work.append, 1), partial(clip.clipped_mean, sut, "image", 3.0, 3), partial(at_work.clear)
    ]  # fmt: skip

    def work():
        for _ in range(200):
            # One call of the interpreter for all three: it is not given away between them.
            deque(map(partial.__call__, acts), maxlen=0)
            if seen.is_set():
                return

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive() and not seen.is_set():
        if at_work:
            seen.set()
    thread.join()
    assert seen.is_set()
