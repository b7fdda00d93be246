# SPDX-License-Identifier: BSD-3-Clause
"""FITS files of a simulated night: raw frames, master frames, reference and truth catalogues.

Nothing in a file depends on the clock or the machine, so equal inputs give equal bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .cosmic_rays import Tracks
from .detector import AmplifierModel, ChipGeometry
from .sky import VisitConditions

TRUTH_COLUMNS = np.dtype([("x", "f8"), ("y", "f8"), ("mag", "f8"), ("electrons", "f8"), ("snr", "f8")])
"""x, y: zero-based trimmed pixels in this visit. mag: true magnitude. electrons: expected in the whole
profile, response 1. snr: the best signal-to-noise ratio possible."""

REFERENCE_COLUMNS = np.dtype([("x", "f8"), ("y", "f8"), ("mag", "f8"), ("mag_err", "f8")])
"""x, y: zero-based trimmed pixels at perfect pointing. mag, mag_err: measured magnitude and its error."""


def raw_header(
    geometry: ChipGeometry,
    model: AmplifierModel,
    kind: str,
    amp: int,
    exposure_time: float,
    visit: int | None = None,
) -> dict[str, tuple[Any, str]]:
    """Return the header of a raw frame as ``{keyword: (value, comment)}``."""
    header: dict[str, tuple[Any, str]] = {
        "OBSTYPE": (kind, "science, bias, dark or flat"),
        "AMP": (amp, "amplifier, from 0"),
        "EXPTIME": (exposure_time, "[s] exposure time"),
        "GAIN": (round(model.gain, 6), "[electron/adu] gain"),
        "RDNOISE": (round(model.read_noise, 6), "[electron] read noise"),
        "SATURATE": (round(model.saturate_adu, 2), "[adu] saturated from here"),
        "BIASSEC": (geometry.biassec, "overscan"),
        "TRIMSEC": (geometry.trimsec, "light-sensitive pixels"),
        "BUNIT": ("adu", "unit of the pixels"),
    }
    if visit is not None:
        header = {"VISIT": (visit, "visit number"), "FILTER": ("r", "band"), **header}
    return header


def write_image(path: Path, image: np.ndarray, header: dict[str, tuple[Any, str]]) -> None:
    """Write one image with its header; uint16 images get BZERO 32768. Directories are created."""
    from astropy.io import fits

    unit = fits.PrimaryHDU(image)
    for key, (value, comment) in header.items():
        unit.header[key] = (value, comment)
    path.parent.mkdir(parents=True, exist_ok=True)
    unit.writeto(path, overwrite=True)


def write_reference(path: Path, table: np.ndarray) -> None:
    """Write a reference catalogue (`REFERENCE_COLUMNS`) as the first extension of a FITS file."""
    from astropy.io import fits

    path.parent.mkdir(parents=True, exist_ok=True)
    units = [fits.PrimaryHDU(), fits.BinTableHDU(table, name="REFERENCE")]
    fits.HDUList(units).writeto(path, overwrite=True)


def write_truth(path: Path, stars: np.ndarray, tracks: Tracks, conditions: VisitConditions) -> None:
    """Write what really was in a science frame: extension STARS (`TRUTH_COLUMNS`) and extension COSMICS."""
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    for key, value, comment in (
        ("ZEROPT", conditions.zero_point, "[mag] star of one electron per second"),
        ("SEEING", conditions.seeing, "[pixel] FWHM"),
        ("SKYELEC", conditions.sky_electrons, "[electron] sky per pixel"),
        ("TRANSP", conditions.transparency, "share of star light that arrives"),
        ("DX", conditions.dx, "[pixel] pointing error"),
        ("DY", conditions.dy, "[pixel] pointing error"),
        ("EXPTIME", conditions.exposure_time, "[s] exposure time"),
    ):
        primary.header[key] = (value, comment)
    columns = np.dtype([("x", "f8"), ("y", "f8"), ("electrons", "f8")])
    cosmics = np.zeros(tracks.x.size, dtype=columns)
    cosmics["x"], cosmics["y"], cosmics["electrons"] = tracks.x, tracks.y, tracks.electrons
    path.parent.mkdir(parents=True, exist_ok=True)
    units = [primary, fits.BinTableHDU(stars, name="STARS"), fits.BinTableHDU(cosmics, name="COSMICS")]
    fits.HDUList(units).writeto(path, overwrite=True)


def read_truth(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Return the stars, the cosmic rays and the conditions that `write_truth` stored."""
    from astropy.io import fits

    with fits.open(path) as units:
        keys = ("ZEROPT", "SEEING", "SKYELEC", "TRANSP", "DX", "DY", "EXPTIME")
        conditions = {key: float(units[0].header[key]) for key in keys}
        return np.array(units["STARS"].data), np.array(units["COSMICS"].data), conditions
