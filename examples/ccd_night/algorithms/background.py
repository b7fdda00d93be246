# SPDX-License-Identifier: BSD-3-Clause
"""Sky background: clipped medians on a mesh, smoothed, and interpolated back to every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import NoSolutionError, ReductionError, require_image, require_shape

INTERPOLATIONS = ("bilinear", "bicubic")


@dataclass(frozen=True)
class Background:
    """Result of `fit_background`.

    Attributes
    ----------
    level : numpy.ndarray
        float32, shape of the image: the background in the image's unit.
    noise : float
        Rms of the background pixels, the image's unit: median over the mesh.
    mesh : numpy.ndarray
        float32 ``(mesh rows, mesh columns)``: the smoothed medians.
    """

    level: np.ndarray
    noise: float
    mesh: np.ndarray


def mesh_edges(pixels: int, mesh: int) -> np.ndarray:
    """Return the first pixel of each mesh cell along an axis, and the end; sizes differ by one at most."""
    cells = max(1, round(pixels / mesh))
    return np.rint(np.linspace(0, pixels, cells + 1)).astype(np.int64)


def _cells(image: np.ndarray, mask: np.ndarray | None, mesh: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Return a copy of the pixels grouped by mesh cell ``(cells, pixels)`` and the mesh's shape.

    Masked pixels are NaN, and so is the last place of a cell that is a pixel smaller than the largest.
    """
    indices, valid = [], []
    for pixels in image.shape:
        edges = mesh_edges(pixels, mesh)
        index = edges[:-1, None] + np.arange(np.diff(edges).max())
        valid.append(index < edges[1:, None])
        indices.append(np.minimum(index, pixels - 1))
    (rows, height), (columns, width) = indices[0].shape, indices[1].shape
    values = image.astype(np.float32, copy=True)
    if mask is not None:
        values[mask != 0] = np.nan
    cells = values.take(indices[0].ravel(), axis=0).take(indices[1].ravel(), axis=1)
    cells[~valid[0].ravel()] = np.nan
    cells[:, ~valid[1].ravel()] = np.nan
    cells = cells.reshape(rows, height, columns, width).swapaxes(1, 2).reshape(rows * columns, height * width)
    return cells, (rows, columns)


def clipped_statistics(samples: np.ndarray, clip: float, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """Return median and rms of each row of samples after clipping; NaNs don't count.

    Parameters
    ----------
    samples : numpy.ndarray
        ``(groups, n)`` float. Overwritten: it is sorted in place.
    clip : float
        Samples further than this many rms from the median are left out.
    iterations : int
        Rounds of clipping, >= 1.

    Returns
    -------
    median, rms : numpy.ndarray
        float32 ``(groups,)``, NaN where a group has fewer than 16 samples. The rms is half the distance
        between the percentiles 15.87 and 84.13, which outliers hardly touch.
    """
    samples.sort(axis=1)
    low = np.zeros(samples.shape[0], dtype=np.int64)
    high = samples.shape[1] - np.isnan(samples).sum(axis=1)
    enough = high >= 16
    group = np.arange(samples.shape[0])

    def quantile(fraction: float) -> np.ndarray:
        position = low + fraction * np.maximum(high - low - 1, 0)
        below = position.astype(np.int64)
        above = np.minimum(below + 1, np.maximum(high - 1, below))
        weight = (position - below).astype(np.float32)
        return samples[group, below] * (1 - weight) + samples[group, above] * weight

    median = rms = np.full(samples.shape[0], np.nan, dtype=np.float32)
    for _ in range(iterations + 1):
        median = quantile(0.5)
        rms = 0.5 * (quantile(0.84134) - quantile(0.15866))
        low = (samples < (median - clip * rms)[:, None]).sum(axis=1)
        high = (samples <= (median + clip * rms)[:, None]).sum(axis=1)
    nothing = np.float32(np.nan)
    return np.where(enough, median, nothing), np.where(enough, rms, nothing)


def _median_of_neighbours(values: np.ndarray) -> np.ndarray:
    """Return the median of each mesh value and its eight neighbours, skipping NaN.

    Beyond the edge the mesh goes on point-symmetrically, so that a tilted plane stays what it is.
    """
    padded = np.pad(values, 1, mode="reflect", reflect_type="odd")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).reshape(*values.shape, 9)
    ordered = np.sort(windows, axis=-1)
    count = 9 - np.isnan(ordered).sum(axis=-1)
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0)[..., None] // 2, axis=-1)[..., 0]
    high = np.take_along_axis(ordered, (count // 2)[..., None], axis=-1)[..., 0]
    return np.where(count > 0, 0.5 * (low + high), np.nan).astype(np.float32)


def interpolation_matrix(pixels: int, nodes: int, kind: str) -> np.ndarray:
    """Return the weights that carry values at mesh centres to pixels, float32 ``(pixels, nodes)``.

    Node ``k`` lies at pixel ``(k + 0.5) * pixels / nodes - 0.5``. Beyond the outermost nodes the outermost
    straight line continues. ``bicubic`` is Keys' convolution with a = -0.5, which reproduces parabolas
    (IEEE Trans. ASSP 29, 1153, 1981); its missing outer nodes are extrapolated linearly.
    """
    if kind not in INTERPOLATIONS:
        raise ReductionError(
            f"interpolating the background: unknown kind {kind!r}, expected {INTERPOLATIONS}"
        )
    weights = np.zeros((pixels, nodes))
    if nodes == 1:
        weights[:] = 1
        return weights.astype(np.float32)
    position = (np.arange(pixels) + 0.5) * nodes / pixels - 0.5
    left = np.clip(np.floor(position).astype(np.int64), 0, nodes - 2)
    t = position - left
    if kind == "bilinear":
        taps = {0: 1 - t, 1: t}
    else:
        inside = (t >= 0) & (t <= 1)
        cubic = {
            -1: -0.5 * t + t**2 - 0.5 * t**3,
            0: 1 - 2.5 * t**2 + 1.5 * t**3,
            1: 0.5 * t + 2 * t**2 - 1.5 * t**3,
            2: -0.5 * t**2 + 0.5 * t**3,
        }
        straight = {-1: 0 * t, 0: 1 - t, 1: t, 2: 0 * t}
        taps = {offset: np.where(inside, cubic[offset], straight[offset]) for offset in cubic}
    pixel = np.arange(pixels)
    for offset, weight in taps.items():
        node = left + offset
        outside_low, outside_high = node < 0, node > nodes - 1
        middle = ~(outside_low | outside_high)
        weights[pixel[middle], node[middle]] += weight[middle]
        for outside, first, second in ((outside_low, 0, 1), (outside_high, nodes - 1, nodes - 2)):
            weights[pixel[outside], first] += 2 * weight[outside]
            weights[pixel[outside], second] -= weight[outside]
    return weights.astype(np.float32)


def fit_background(
    image: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    mesh: int = 64,
    clip: float = 3.0,
    iterations: int = 3,
    interpolation: str = "bicubic",
) -> Background:
    """Fit the sky background of an image.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, columns)``, any unit.
    mask : numpy.ndarray or None
        Pixels that are not zero here are not looked at.
    mesh : int
        Side of a mesh cell in pixels, >= 8; cells are stretched a little so that they fill the image evenly.
    clip, iterations
        See `clipped_statistics`.
    interpolation : str
        ``bilinear`` or ``bicubic``.

    Raises
    ------
    ReductionError
        Bad shapes or parameters.
    NoSolutionError
        No mesh cell has 16 usable pixels.

    Notes
    -----
    Cells without enough pixels take the median of their neighbours; where those have none either, the
    median of the whole mesh.
    """
    require_image("fitting the background", "the image", image)
    if mask is not None:
        require_shape("fitting the background", "the mask", mask, image.shape, "the image")
    if mesh < 8 or iterations < 1 or not clip > 0:
        raise ReductionError(
            "fitting the background: mesh must be at least 8 pixels, iterations at least 1 and clip positive,"
            f" got {mesh}, {iterations} and {clip}"
        )
    cells, shape = _cells(image, mask, mesh)
    median, rms = clipped_statistics(cells, clip, iterations)
    if np.isnan(median).all():
        raise NoSolutionError(
            f"fitting the background: none of the {median.size} mesh cells has 16 unmasked pixels"
        )
    smooth = _median_of_neighbours(median.reshape(shape))
    smooth = np.where(np.isnan(smooth), np.nanmedian(median), smooth).astype(np.float32)
    by_row = interpolation_matrix(image.shape[0], shape[0], interpolation)
    by_column = interpolation_matrix(image.shape[1], shape[1], interpolation)
    level = (by_row @ smooth) @ by_column.T
    return Background(level=level, noise=float(np.nanmedian(rms)), mesh=smooth)
