# SPDX-License-Identifier: BSD-3-Clause
"""Simulates a whole night: calibration frames made into masters, science visits, catalogues and truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .algorithms import calibration
from .algorithms.isr import DetectorFacts
from .layout import NightLayout
from .simulate import exposures, fits_files
from .simulate.detector import ChipGeometry
from .simulate.random_streams import Purpose, stream
from .simulate.sky import VisitConditions, visit_conditions
from .simulate.stars import EDGE, StarField, signal_to_noise, star_field

BIAS_FRAMES, DARK_FRAMES, FLAT_FRAMES = 9, 5, 5
"""Calibration frames behind each master: their noise is in the masters, as at a telescope."""

REFERENCE_LIMIT = 22.5
"""Faintest magnitude of the reference catalogue."""

REFERENCE_MAG_ERROR = 0.005
"""Error of the reference magnitudes, magnitudes rms."""

REFERENCE_POSITION_ERROR = 0.03
"""Error of the reference positions on each axis, pixels rms."""


@dataclass(frozen=True)
class NightPlan:
    """What to simulate.

    Attributes
    ----------
    visits : int
        Science visits, >= 1, numbered from 0.
    geometry : ChipGeometry
        Amplifiers and their size.
    seed : int
        Seed of everything, >= 0.
    exposure_time : float
        Seconds of a science exposure, > 0.
    stars_per_megapixel : float
        Density of the star field.
    """

    visits: int = 6
    geometry: ChipGeometry = ChipGeometry()
    seed: int = 20091209
    exposure_time: float = 30.0
    stars_per_megapixel: float = 180.0

    def __post_init__(self) -> None:
        if self.visits < 1:
            raise ValueError(f"planning the night: at least one visit is needed, got {self.visits}")
        if self.seed < 0:
            raise ValueError(f"planning the night: the seed must not be negative, got {self.seed}")
        if not self.exposure_time > 0:
            raise ValueError(
                f"planning the night: the exposure time must be positive, got {self.exposure_time} s"
            )


def detector_facts(device: exposures.Camera, exposure_time: float) -> DetectorFacts:
    """Return what the header of this amplifier's raw frames says, without the way through a file."""
    header = fits_files.raw_header(device.geometry, device.model, "any", device.amp, exposure_time)
    return DetectorFacts.from_header({key: value for key, (value, _) in header.items()})


def make_masters(device: exposures.Camera) -> dict[str, np.ndarray]:
    """Return master ``bias`` and ``dark`` (ADU) and the unnormalised ``flat`` (electrons) of one amplifier.

    They are made from simulated calibration frames, with the functions a real night would use.
    """
    dark_facts = detector_facts(device, exposures.DARK_EXPOSURE)
    bias = calibration.master_bias(
        [exposures.bias_exposure(device, i) for i in range(BIAS_FRAMES)], detector_facts(device, 0.0)
    )
    dark = calibration.master_dark(
        [exposures.dark_exposure(device, i) for i in range(DARK_FRAMES)], dark_facts, bias
    )
    flat = calibration.flat_electrons(
        [exposures.flat_exposure(device, i) for i in range(FLAT_FRAMES)],
        detector_facts(device, exposures.FLAT_EXPOSURE),
        bias,
        dark,
        exposures.DARK_EXPOSURE,
    )
    return {"bias": bias, "dark": dark, "flat": flat}


def reference_catalogue(plan: NightPlan, field: StarField, amp: int) -> np.ndarray:
    """Return the reference stars of one amplifier: truth with the errors of a catalogue."""
    stars = field.near_amplifier(plan.geometry, amp, EDGE)
    bright = stars.magnitude < REFERENCE_LIMIT
    count = int(bright.sum())
    noise = stream(plan.seed, Purpose.REFERENCE, amp).standard_normal((3, count))
    table = np.zeros(count, dtype=fits_files.REFERENCE_COLUMNS)
    table["x"] = stars.x[bright] + REFERENCE_POSITION_ERROR * noise[0]
    table["y"] = stars.y[bright] + REFERENCE_POSITION_ERROR * noise[1]
    table["mag"] = stars.magnitude[bright] + REFERENCE_MAG_ERROR * noise[2]
    table["mag_err"] = REFERENCE_MAG_ERROR
    return table


def true_stars(device: exposures.Camera, conditions: VisitConditions, stars: StarField) -> np.ndarray:
    """Return what the stars of one amplifier are in one visit (`fits_files.TRUTH_COLUMNS`)."""
    table = np.zeros(stars.x.size, dtype=fits_files.TRUTH_COLUMNS)
    table["x"], table["y"] = stars.x + conditions.dx, stars.y + conditions.dy
    table["mag"] = stars.magnitude
    table["electrons"] = conditions.star_electrons(stars.magnitude)
    dark = device.model.dark_rate * conditions.exposure_time
    empty = conditions.sky_electrons + dark + device.model.read_noise**2
    table["snr"] = signal_to_noise(table["electrons"], conditions.seeing, empty)
    return table


def write_masters(layout: NightLayout, devices: list[exposures.Camera]) -> None:
    """Make and write the master frames of all amplifiers; the flats share one norm."""
    masters = [make_masters(device) for device in devices]
    flats = calibration.normalise_flats([master["flat"] for master in masters])
    for device, master, flat in zip(devices, masters, flats, strict=True):
        common = {"AMP": (device.amp, "amplifier, from 0")}
        adu = {"BUNIT": ("adu", "unit of the pixels")}
        dark_time = {"EXPTIME": (exposures.DARK_EXPOSURE, "[s] exposure this dark stands for")}
        bias_header = {"OBSTYPE": ("master bias", f"from {BIAS_FRAMES} frames"), **common, **adu}
        dark_header = {"OBSTYPE": ("master dark", f"from {DARK_FRAMES} frames"), **common, **dark_time, **adu}
        flat_header = {"OBSTYPE": ("master flat", f"from {FLAT_FRAMES} frames"), **common}
        fits_files.write_image(layout.master("bias", device.amp), master["bias"], bias_header)
        fits_files.write_image(layout.master("dark", device.amp), master["dark"], dark_header)
        fits_files.write_image(layout.master("flat", device.amp), flat, flat_header)


def write_visit(
    layout: NightLayout, plan: NightPlan, device: exposures.Camera, field: StarField, visit: int
) -> None:
    """Simulate and write one amplifier of one visit, and the truth about it."""
    conditions = visit_conditions(plan.seed, visit, plan.exposure_time)
    stars = field.near_amplifier(plan.geometry, device.amp, EDGE)
    raw, tracks = exposures.science_exposure(device, visit, conditions, stars)
    header = fits_files.raw_header(
        plan.geometry, device.model, "science", device.amp, plan.exposure_time, visit
    )
    fits_files.write_image(layout.raw(visit, device.amp), raw, header)
    fits_files.write_truth(
        layout.truth(visit, device.amp), true_stars(device, conditions, stars), tracks, conditions
    )


def simulate_night(
    layout: NightLayout, plan: NightPlan, progress: Callable[[str], None] = lambda text: None
) -> None:
    """Write all input files and the truth of a night.

    Parameters
    ----------
    layout : NightLayout
        Where to.
    plan : NightPlan
        What.
    progress : callable
        Called with a short text before each part.

    Notes
    -----
    Equal plans give bit-identical files, and no file depends on which others are made.
    """
    geometry = plan.geometry
    progress(f"camera of {geometry.amp_count} amplifiers, {geometry.nx} x {geometry.ny} pixels each")
    devices = [exposures.camera(plan.seed, geometry, amp) for amp in range(geometry.amp_count)]
    progress(f"master frames from {BIAS_FRAMES} bias, {DARK_FRAMES} dark and {FLAT_FRAMES} flat frames each")
    write_masters(layout, devices)
    field = star_field(plan.seed, geometry, plan.stars_per_megapixel)
    for device in devices:
        fits_files.write_reference(layout.reference(device.amp), reference_catalogue(plan, field, device.amp))
    for visit in range(plan.visits):
        progress(f"visit {visit}")
        for device in devices:
            write_visit(layout, plan, device, field, visit)
