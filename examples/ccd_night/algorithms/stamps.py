# SPDX-License-Identifier: BSD-3-Clause
"""Cut-outs around many objects at once, and what is measured on them: centre, width, sharpness, light."""

from __future__ import annotations

import numpy as np

from .smoothing import FWHM_PER_SIGMA


def cut_stamps(image: np.ndarray, x: np.ndarray, y: np.ndarray, radius: int) -> np.ndarray:
    """Return cut-outs around whole pixels, ``(n, 2 * radius + 1, 2 * radius + 1)``; zero off the image."""
    offsets = np.arange(-radius, radius + 1)
    rows, columns = y[:, None] + offsets, x[:, None] + offsets
    ny, nx = image.shape
    stamps = image[np.clip(rows, 0, ny - 1)[:, :, None], np.clip(columns, 0, nx - 1)[:, None, :]]
    inside = ((rows >= 0) & (rows < ny))[:, :, None] & ((columns >= 0) & (columns < nx))[:, None, :]
    if not inside.all():
        stamps[~inside] = 0
    return stamps


def _distances(
    stamps: np.ndarray, dx: np.ndarray, dy: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return column, row and squared distances of every stamp pixel from the centres ``(dx, dy)``."""
    radius = stamps.shape[1] // 2
    offsets = np.arange(-radius, radius + 1)
    columns = offsets - dx[:, None, None]
    rows = offsets[:, None] - dy[:, None, None]
    return columns, rows, columns**2 + rows**2


def windowed_centres(
    stamps: np.ndarray, fwhm: float, iterations: int = 25, tolerance: float = 1e-3
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return centre and width of objects under a Gaussian window that follows them.

    Parameters
    ----------
    stamps : numpy.ndarray
        Cut-outs ``(n, side, side)``, background subtracted.
    fwhm : float
        FWHM of the window, pixels.
    iterations, tolerance
        The window moves until it moves by less than ``tolerance`` pixels, at most ``iterations`` times.

    Returns
    -------
    dx, dy : numpy.ndarray
        float64 ``(n,)``: centre relative to the middle pixel of the stamp, pixels. Zero where it failed.
    width : numpy.ndarray
        float64 ``(n,)``: FWHM of a Gaussian with the same windowed moment, pixels; NaN where it failed. For a
        Moffat profile this is some 9 % above its true FWHM.
    settled : numpy.ndarray
        bool ``(n,)``: the centre settled within one window FWHM of the middle pixel.

    Notes
    -----
    The centre moves by twice the windowed first moment, as for the windowed positions of SExtractor
    (user's manual, "Windowed positional parameters"). A Gaussian of variance s under a Gaussian window of
    variance w has the windowed variance m with 1/m = 1/s + 1/w.
    """
    window = (fwhm / FWHM_PER_SIGMA) ** 2
    count = stamps.shape[0]
    data = stamps.astype(np.float64)
    dx, dy = np.zeros(count), np.zeros(count)
    step = np.full(count, np.inf)
    moment = np.full(count, np.nan)
    active = np.ones(count, dtype=bool)
    for _ in range(iterations):
        if not active.any():
            break
        columns, rows, r2 = _distances(data[active], dx[active], dy[active])
        weighted = data[active] * np.exp(-0.5 * r2 / window)
        total = weighted.sum(axis=(1, 2))
        usable = total > 0
        safe = np.where(usable, total, 1)
        move_x = 2 * (weighted * columns).sum(axis=(1, 2)) / safe
        move_y = 2 * (weighted * rows).sum(axis=(1, 2)) / safe
        index = np.flatnonzero(active)
        dx[index] += np.where(usable, move_x, 0)
        dy[index] += np.where(usable, move_y, 0)
        step[index] = np.where(usable, np.hypot(move_x, move_y), np.inf)
        moment[index] = (weighted * r2).sum(axis=(1, 2)) / (2 * safe)
        inside = np.hypot(dx[index], dy[index]) < fwhm
        active[index] = usable & inside & (step[index] >= tolerance)
    settled = (step < tolerance) & (np.hypot(dx, dy) < fwhm)
    narrow = settled & (moment > 0) & (moment < window)
    safe = np.where(narrow, moment, 0.5 * window)
    width = np.where(narrow, FWHM_PER_SIGMA * np.sqrt(1 / (1 / safe - 1 / window)), np.nan)
    return np.where(settled, dx, 0), np.where(settled, dy, 0), width, settled


def aperture_sums(
    stamps: np.ndarray, dx: np.ndarray, dy: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the light within a circle around each centre, and the noise area of that circle.

    A pixel counts with the weight ``radius + 1/2 - distance`` limited to 0..1, which comes close to the part
    of it that lies inside the circle, as in DAOPHOT (Stetson 1987, PASP 99, 191).

    Returns
    -------
    sums : numpy.ndarray
        float64 ``(n,)``, unit of the stamps.
    area : numpy.ndarray
        float64 ``(n,)``: sum of the squared weights; times the variance of a pixel it is the sum's variance.
    """
    _, _, r2 = _distances(stamps, dx, dy)
    weight = np.clip(radius + 0.5 - np.sqrt(r2), 0, 1)
    return (stamps * weight).sum(axis=(1, 2)), (weight**2).sum(axis=(1, 2))


def sharpness(stamps: np.ndarray, fwhm: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much more each brightest pixel stands out than a star's could, and the error of that.

    For each of the four directions through the brightest pixel of the inner 3 x 3, the drop to the two
    neighbours, ``1 - (f[-1] + f[+1]) / (2 f[0])``, is compared with that of a Gaussian of the given FWHM; the
    largest difference counts. A star gives about zero or less, a track one pixel wide a half or more.

    Parameters
    ----------
    stamps : numpy.ndarray
        Cut-outs ``(n, side, side)`` with side >= 5, background subtracted, electrons.
    fwhm : float
        Width of a star, pixels.
    noise : float
        Rms of the background, electrons.

    Returns
    -------
    excess, error : numpy.ndarray
        float64 ``(n,)``. The error follows from background and photon noise of the three pixels.
    """
    middle = stamps.shape[1] // 2
    inner = stamps[:, middle - 1 : middle + 2, middle - 1 : middle + 2].reshape(-1, 9)
    brightest = np.argmax(inner, axis=1)
    row, column = middle - 1 + brightest // 3, middle - 1 + brightest % 3
    index = np.arange(stamps.shape[0])
    peak = np.maximum(stamps[index, row, column].astype(np.float64), noise)
    excess = np.full(stamps.shape[0], -np.inf)
    sigma2 = (fwhm / FWHM_PER_SIGMA) ** 2
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        sides = stamps[index, row + dy, column + dx] + stamps[index, row - dy, column - dx]
        star = 1 - np.exp(-0.5 * (dx * dx + dy * dy) / sigma2)
        excess = np.maximum(excess, 1 - sides / (2 * peak) - star)
    return excess, np.sqrt(1.5 * (noise**2 + peak)) / peak
