# SPDX-License-Identifier: BSD-3-Clause
"""The night's stages, unchanged, on a simulated survey image with its calibrations, against plain NumPy."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data" / "imsim"
FOLDER = Path(os.environ.get("PEX_HARNESS_IMSIM", BESIDE))
NAMES = {
    "raw": "imsim_85751839_R23_S11_C00_E000.fits",
    "bias": "imsim_0_R23_S11_C00_E000.fits.gz",
    "dark": "imsim_1_R23_S11_C00_E000.fits.gz",
    "flat": "imsim_2_R23_S11_C00_E000.fits.gz",
}

pytestmark = pytest.mark.skipif(
    not all((FOLDER / name).exists() for name in NAMES.values()),
    reason=f"the image is not part of the product: {FOLDER} is missing; set PEX_HARNESS_IMSIM",
)

GAIN, EXPOSURE, DARK_EXPOSURE = 1.71186, 15.0, 150.0
SATURATE = 56443.51


def pixels(name):
    """16-bit FITS pixels as float64, without any FITS library: 2880-byte blocks, big-endian, BZERO 32768."""
    path = FOLDER / NAMES[name]
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    end = next(i for i in range(0, len(data), 80) if data[i : i + 8] == b"END     ")
    start = (end // 2880 + 1) * 2880
    stored = np.frombuffer(data, ">i2", 2001 * 513, start)
    return stored.reshape(2001, 513).astype(np.float64) + 32768.0


def trimmed(frame, half_width=15):
    """Overscan of columns 1-4 per row, averaged over 31 rows, subtracted from columns 5-513, rows 2-2001."""
    level = np.median(frame[1:, :4], axis=1)
    padded = np.concatenate([np.zeros(half_width), level, np.zeros(half_width)])
    inside = np.concatenate([np.zeros(half_width), np.ones(level.size), np.zeros(half_width)])
    window = np.ones(2 * half_width + 1)
    level = np.convolve(padded, window, "valid") / np.convolve(inside, window, "valid")
    return frame[1:, 4:] - level[:, None]


@pytest.fixture(scope="module")
def masters():
    """Master frames by plain arithmetic, float32 as a file would hold them."""
    bias = trimmed(pixels("bias"))
    dark = trimmed(pixels("dark")) - bias
    flat = trimmed(pixels("flat")) - bias - dark * EXPOSURE / DARK_EXPOSURE
    flat = flat / flat.mean()
    return {"bias": bias.astype(np.float32), "dark": dark.astype(np.float32), "flat": flat.astype(np.float32)}


@pytest.fixture(scope="module")
def processed(masters):
    from harness.examples.ccd_night.stages.detect import DetectStage
    from harness.examples.ccd_night.stages.isr import IsrStage
    from harness.properties import PropertyList
    from harness.storage import Image, ReadRequest, storage_named
    from lsst.pex.harness.simpleStageTester import SimpleStageTester
    from lsst.pex.policy import Policy

    raw = storage_named("FitsStorage").read(str(FOLDER / NAMES["raw"]), ReadRequest("raw"))
    inputs = {"raw": raw, "bias": Image(masters["bias"]), "flat": Image(masters["flat"])}
    header = PropertyList()
    header.set("EXPTIME", DARK_EXPOSURE)
    inputs["dark"] = Image(masters["dark"], header)
    tester = SimpleStageTester(IsrStage(Policy()), "Isr")
    tester.addStage(DetectStage(Policy()), "Detect")
    return tester.runWorker(inputs, 0)


def test_isr_is_the_formula_to_float32_rounding(processed, masters):
    image = processed.get("calibrated").array
    assert image.shape == (2000, 509)
    assert image.dtype == np.float32
    bias, dark, flat = (masters[name].astype(np.float64) for name in ("bias", "dark", "flat"))
    raw = trimmed(pixels("raw"))
    usable = flat > 0.1
    expected = GAIN * (raw - bias - dark * EXPOSURE / DARK_EXPOSURE) / np.where(usable, flat, 1)
    # Each of the six steps rounds its result to 2**-24; the terms that cancel set the scale.
    scale = GAIN * (np.abs(raw) + np.abs(bias) + np.abs(dark) + 1000) / np.where(usable, flat, 1)
    assert (np.abs(image - expected) <= 6 * 2.0**-24 * scale).all()
    assert 0 < (~usable).sum() < 0.01 * usable.size


def test_mask_has_the_saturated_and_the_dead_pixels(processed, masters):
    mask = processed.get("mask")
    np.testing.assert_array_equal((mask & 1) != 0, pixels("raw")[1:, 4:] >= SATURATE)
    np.testing.assert_array_equal((mask & 2) != 0, masters["flat"] <= 0.1)


def test_sky_and_noise_are_those_of_clipped_pixels(processed):
    calibrated = processed.get("calibrated")
    values = calibrated.array[processed.get("mask") == 0].astype(np.float64)
    for _ in range(10):
        middle, rms = np.median(values), values.std()
        values = values[np.abs(values - middle) < 3 * rms]
    assert calibrated.header["SKYLEVEL"] == pytest.approx(np.median(values), rel=0.01)
    assert calibrated.header["SKYNOISE"] == pytest.approx(values.std(), rel=0.05)


def test_sky_noise_is_photon_and_read_noise(processed):
    header = processed.get("calibrated").header
    # Photon noise of sky, read noise of the science frame; the single calibration frames add some more.
    least = np.sqrt(header["SKYLEVEL"] + 3.43**2)
    assert least < header["SKYNOISE"] < 1.1 * least


def test_objects_stand_out_at_their_places(processed):
    table = processed.get("catalogue")
    image = processed.get("calibrated").array - processed.get("calibrated").header["SKYLEVEL"]
    noise = processed.get("calibrated").header["SKYNOISE"]
    assert table.size > 50
    good = table[(table["flags"] == 0) & (table["flux"] > 20 * table["flux_err"])]
    assert good.size > 20
    column, row = np.rint(good["x"]).astype(int), np.rint(good["y"]).astype(int)
    boxes = [image[r - 2 : r + 3, c - 2 : c + 3].mean() for r, c in zip(row, column, strict=True)]
    assert np.min(boxes) > 3 * noise / 5
