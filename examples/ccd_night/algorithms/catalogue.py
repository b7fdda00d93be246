# SPDX-License-Identifier: BSD-3-Clause
"""Star catalogues of one image: from detections to positions, fluxes and flags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import mask_bits
from .aperture_correction import aperture_correction
from .background import Background, fit_background
from .detection import Detections, detect
from .errors import NoSolutionError
from .stamps import aperture_sums, cut_stamps, sharpness, windowed_centres

COLUMNS = np.dtype(
    [
        ("x", "f8"),
        ("y", "f8"),
        ("flux", "f8"),
        ("flux_err", "f8"),
        ("fwhm", "f8"),
        ("sharpness", "f8"),
        ("flags", "i4"),
    ]
)
"""x, y: zero-based pixels, integers at pixel centres. flux, flux_err: electrons in the whole profile
(aperture corrected) and its error. fwhm: pixels, of a Gaussian of equal windowed moment, NaN if not measured.
sharpness: `stamps.sharpness`. flags: `mask_bits`."""

UNFIT_FOR_PHOTOMETRY = (
    mask_bits.SATURATED
    | mask_bits.BAD_FLAT
    | mask_bits.COSMIC_RAY
    | mask_bits.EDGE
    | mask_bits.BLENDED
    | mask_bits.NOT_CONVERGED
)
"""Objects with any of these flags take no part in seeing, aperture correction and zero point."""


@dataclass(frozen=True)
class StarParameters:
    """How stars are found and measured.

    Attributes
    ----------
    seeing_guess : float
        FWHM in pixels with which the first search is made.
    threshold, minimum_area, prominence
        See `detection.detect`.
    aperture : float
        Radius of the measuring aperture in units of the seeing.
    total_aperture : float
        Radius that holds practically all light of a star, in units of the seeing.
    sharpness_limit : float
        Objects with an excess sharpness above this (plus three of its errors) are cosmic rays.
    mesh, interpolation
        See `background.fit_background`.
    """

    seeing_guess: float = 4.0
    threshold: float = 5.0
    minimum_area: int = 3
    prominence: float = 4.0
    aperture: float = 1.0
    total_aperture: float = 3.0
    sharpness_limit: float = 0.2
    mesh: int = 64
    interpolation: str = "bicubic"


@dataclass(frozen=True)
class StarImage:
    """Result of `extract_stars`.

    Attributes
    ----------
    background : Background
        Sky under the stars.
    subtracted : numpy.ndarray
        float32: the image without the sky, electrons.
    catalogue : numpy.ndarray
        Structured array of `COLUMNS`, brightest first.
    seeing : float
        Median FWHM of good stars, pixels.
    aperture_correction : float
        Total flux over aperture flux of a star.
    """

    background: Background
    subtracted: np.ndarray
    catalogue: np.ndarray
    seeing: float
    aperture_correction: float


def grow(footprint: np.ndarray, steps: int) -> np.ndarray:
    """Return a boolean image grown by ``steps`` pixels in the directions of the axes and diagonals."""
    grown = footprint.copy()
    for axis in (0, 1):
        source = np.moveaxis(grown.copy(), axis, 0)
        target = np.moveaxis(grown, axis, 0)
        for step in range(1, min(steps, source.shape[0] - 1) + 1):
            target[step:] |= source[:-step]
            target[:-step] |= source[step:]
    return grown


def nearest_neighbour(found: Detections) -> np.ndarray:
    """Return the distance of each object to the next one, float64 pixels; infinite for a lone object."""
    distance2 = ((found.x[:, None] - found.x) ** 2 + (found.y[:, None] - found.y) ** 2).astype(np.float64)
    np.fill_diagonal(distance2, np.inf)
    return np.sqrt(distance2.min(axis=1, initial=np.inf))


def _flags(found: Detections, mask: np.ndarray, radius: float) -> np.ndarray:
    """Return what position and mask alone say about each object."""
    ny, nx = mask.shape
    flags = np.zeros(found.x.size, dtype=np.int32)
    reach = radius + 0.5
    outside = (found.x < reach) | (found.x > nx - 1 - reach) | (found.y < reach) | (found.y > ny - 1 - reach)
    flags[outside] |= mask_bits.EDGE
    whole = int(np.ceil(radius))
    offsets = np.arange(-whole, whole + 1)
    circle = offsets[:, None] ** 2 + offsets**2 <= reach**2
    touched = np.bitwise_or.reduce(cut_stamps(mask, found.x, found.y, whole) * circle, axis=(1, 2))
    flags |= touched.astype(np.int32) & (mask_bits.SATURATED | mask_bits.BAD_FLAT)
    flags[nearest_neighbour(found) < 2 * radius] |= mask_bits.BLENDED
    return flags


def measure(
    image: np.ndarray,
    mask: np.ndarray,
    found: Detections,
    noise: float,
    fwhm: float,
    parameters: StarParameters,
) -> tuple[np.ndarray, float]:
    """Measure detected objects.

    Returns
    -------
    catalogue : numpy.ndarray
        Structured array of `COLUMNS`; fluxes are aperture corrected.
    correction : float
        The aperture correction that was applied.
    """
    catalogue = np.zeros(found.x.size, dtype=COLUMNS)
    if found.x.size == 0:
        return catalogue, 1.0
    radius, total_radius = parameters.aperture * fwhm, parameters.total_aperture * fwhm
    stamps = cut_stamps(image, found.x, found.y, int(np.ceil(radius + fwhm)) + 1)
    dx, dy, width, settled = windowed_centres(stamps, fwhm)
    flux, area = aperture_sums(stamps, dx, dy, radius)
    excess, excess_error = sharpness(stamps, fwhm, noise)
    flags = _flags(found, mask, radius)
    flags[~settled] |= mask_bits.NOT_CONVERGED
    flags[excess > parameters.sharpness_limit + 3 * excess_error] |= mask_bits.COSMIC_RAY
    error = np.sqrt(area * noise**2 + np.maximum(flux, 0))

    x, y = found.x + dx, found.y + dy
    # An unresolved pair is wider than a star.
    alike = np.abs(width - np.nanmedian(width)) < 0.1 * fwhm if np.isfinite(width).any() else settled
    good = ((flags & UNFIT_FOR_PHOTOMETRY) == 0) & alike
    correction = aperture_correction(image, x, y, flux, good, radius, total_radius, noise, fwhm)
    catalogue["x"], catalogue["y"] = x, y
    catalogue["flux"], catalogue["flux_err"] = flux * correction, error * correction
    catalogue["fwhm"], catalogue["sharpness"], catalogue["flags"] = width, excess, flags
    return catalogue, correction


def typical_width(catalogue: np.ndarray, least_signal_to_noise: float = 20.0) -> float:
    """Return the median FWHM of unflagged stars, pixels; `NoSolutionError` if there is none."""
    good = (catalogue["flags"] & UNFIT_FOR_PHOTOMETRY) == 0
    good &= (catalogue["flux"] > least_signal_to_noise * catalogue["flux_err"]) & np.isfinite(
        catalogue["fwhm"]
    )
    if not good.any():
        raise NoSolutionError(
            f"measuring the seeing: none of the {catalogue.size} objects is an unflagged star with a"
            f" signal-to-noise ratio above {least_signal_to_noise:g}"
        )
    return float(np.median(catalogue["fwhm"][good]))


def _search(
    image: np.ndarray, noise: float, fwhm: float, invalid: np.ndarray, parameters: StarParameters
) -> Detections:
    return detect(
        image,
        noise,
        fwhm,
        invalid,
        threshold=parameters.threshold,
        minimum_area=parameters.minimum_area,
        prominence=parameters.prominence,
    )


def extract_stars(image: np.ndarray, mask: np.ndarray, parameters: StarParameters) -> StarImage:
    """Subtract the sky of a calibrated image and catalogue its stars.

    Parameters
    ----------
    image : numpy.ndarray
        float32 ``(rows, columns)``, electrons.
    mask : numpy.ndarray
        uint8 of the same shape, `mask_bits`.
    parameters : StarParameters
        Settings.

    Raises
    ------
    ReductionError
        Shapes or parameters do not fit.
    NoSolutionError
        No sky, or no star good enough to measure the seeing on.

    Notes
    -----
    Two rounds: the first, with the guessed seeing, finds what is not sky and how wide stars are; the second
    fits the sky outside the objects and searches with the right filter.
    """
    first_sky = fit_background(image, mask, mesh=parameters.mesh, interpolation=parameters.interpolation)
    invalid = mask & mask_bits.BAD_FLAT
    subtracted = image - first_sky.level
    found = _search(subtracted, first_sky.noise, parameters.seeing_guess, invalid, parameters)
    rough, _ = measure(subtracted, mask, found, first_sky.noise, parameters.seeing_guess, parameters)
    seeing = typical_width(rough)
    # A window of another width sees another part of the profile: once more with the right one.
    rough, _ = measure(subtracted, mask, found, first_sky.noise, seeing, parameters)
    seeing = typical_width(rough)

    objects = grow(found.footprint, round(seeing))
    objects |= mask != 0
    sky = fit_background(image, objects, mesh=parameters.mesh, interpolation=parameters.interpolation)
    np.subtract(image, sky.level, out=subtracted)
    subtracted[invalid != 0] = 0
    found = _search(subtracted, sky.noise, seeing, invalid, parameters)
    catalogue, correction = measure(subtracted, mask, found, sky.noise, seeing, parameters)
    return StarImage(sky, subtracted, catalogue, typical_width(catalogue), correction)
