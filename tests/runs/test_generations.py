# SPDX-License-Identifier: BSD-3-Clause
"""The example in three generations of the API: whichever way it is written, the same bytes come out."""

from __future__ import annotations

import importlib.util
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from harness.examples.generations import images, reduction

FOLDER = Path(importlib.util.find_spec("harness.examples.generations").origin).parent
POLICIES = {"dc3a": "pipeline.json", "dc3b": "pipeline.paf", "today": "pipeline.toml"}


def expected(visit: int, ccd: int) -> bytes:
    image = reduction.calibrate(images.raw_frame(visit, ccd), images.BIAS, images.flat_field())
    file = io.BytesIO()
    np.save(file, reduction.subtract_sky(image, reduction.sky_level(image, 3.0, 3)))
    return file.getvalue()


@pytest.fixture(scope="module")
def frames() -> dict[str, bytes]:
    """What the science code alone makes of the frames, by file name."""
    return {f"frame-{visit}-{ccd}.npy": expected(visit, ccd) for visit in (1, 2) for ccd in range(3)}


@pytest.mark.contract("15.2.json", "15.1.running")
@pytest.mark.parametrize("generation", POLICIES)
def test_every_generation_gives_the_bytes_of_the_science_code(bench, frames, generation):
    shutil.copytree(FOLDER / generation, bench.folder, dirs_exist_ok=True)
    done = bench.run("--workers", "2", "--visits", "2", policy=POLICIES[generation])
    assert done.code == 0, done.err
    written = {path.name: path.read_bytes() for path in (bench.folder / "output").iterdir()}
    assert written == frames


def test_the_frames_are_worth_comparing(frames):
    assert len(set(frames.values())) == 6
    image = np.load(io.BytesIO(frames["frame-1-0.npy"]))
    assert image.shape == images.SHAPE and image.dtype == np.float32
    assert abs(np.median(image)) < 10 and image.max() > 1000
