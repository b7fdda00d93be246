# SPDX-License-Identifier: BSD-3-Clause
"""Finding objects: threshold a smoothed image, split touching objects by the prominence of their peaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import ReductionError, require_image, require_shape
from .smoothing import gaussian_kernel, noise_gain, smooth

_NEIGHBOURS = ((0, 1), (1, -1), (1, 0), (1, 1))


@dataclass(frozen=True)
class Detections:
    """Result of `detect`, objects in order of falling peak.

    Attributes
    ----------
    x, y : numpy.ndarray
        int64 ``(n,)``: the pixel of each peak in the smoothed image, zero-based.
    peak : numpy.ndarray
        float32 ``(n,)``: the smoothed image there, in units of its noise.
    area : numpy.ndarray
        int64 ``(n,)``: pixels above the threshold that belong to the object.
    footprint : numpy.ndarray
        bool, shape of the image: all pixels above the threshold.
    """

    x: np.ndarray
    y: np.ndarray
    peak: np.ndarray
    area: np.ndarray
    footprint: np.ndarray


def _follow(parent: np.ndarray) -> np.ndarray:
    """Return the root of each node of a forest given by parents, by pointer jumping."""
    while True:
        grandparent = parent[parent]
        if np.array_equal(grandparent, parent):
            return parent
        parent = grandparent


def _edges(footprint: np.ndarray, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of footprint pixels that touch along a side or corner: two arrays of pixel numbers."""
    firsts, seconds = [], []
    ny, nx = footprint.shape
    for dy, dx in _NEIGHBOURS:
        rows, columns = slice(0, ny - dy), slice(max(0, -dx), nx - max(0, dx))
        other_rows, other_columns = slice(dy, ny), slice(max(0, dx), nx - max(0, -dx))
        here = footprint[rows, columns] & footprint[other_rows, other_columns]
        firsts.append(number[rows, columns][here])
        seconds.append(number[other_rows, other_columns][here])
    return np.concatenate(firsts), np.concatenate(seconds)


def _basins(rank: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return for each pixel the local maximum that steepest ascent leads to.

    ``rank`` orders pixels strictly, so that plateaus (saturated cores) have exactly one summit.
    """
    best = rank.copy()
    np.maximum.at(best, first, rank[second])
    np.maximum.at(best, second, rank[first])
    pixel_of_rank = np.empty_like(rank)
    pixel_of_rank[rank] = np.arange(rank.size)
    return _follow(pixel_of_rank[best])


def _merge_low_prominence(
    value: np.ndarray, basin: np.ndarray, first: np.ndarray, second: np.ndarray, least: np.ndarray
) -> np.ndarray:
    """Merge basins whose summit rises above the highest saddle to a higher one by less than ``least``.

    Parameters
    ----------
    value : numpy.ndarray
        Height of each pixel.
    basin : numpy.ndarray
        Summit pixel of each pixel.
    first, second : numpy.ndarray
        Pairs of touching pixels.
    least : numpy.ndarray
        Least prominence of a summit at each pixel.

    Returns
    -------
    numpy.ndarray
        Summit pixel of each pixel after merging.
    """
    across = basin[first] != basin[second]
    one, other = basin[first[across]], basin[second[across]]
    saddle = np.minimum(value[first[across]], value[second[across]])
    parent: dict[int, int] = {}

    def summit(node: int) -> int:
        while node in parent:
            node = parent[node]
        return node

    order = np.argsort(-saddle, kind="stable")
    for a, b, height in zip(one[order].tolist(), other[order].tolist(), saddle[order].tolist(), strict=True):
        a, b = summit(a), summit(b)
        if a == b:
            continue
        low, high = (a, b) if (value[a], a) < (value[b], b) else (b, a)
        if value[low] - height < least[low]:
            parent[low] = high
    table = np.arange(value.size)
    for node in parent:
        table[node] = summit(node)
    return table[basin]


def detect(
    image: np.ndarray,
    noise: float,
    fwhm: float,
    mask: np.ndarray | None = None,
    *,
    threshold: float = 5.0,
    minimum_area: int = 3,
    prominence: float = 4.0,
    contrast: float = 0.01,
) -> Detections:
    """Find objects in an image whose background is subtracted.

    Parameters
    ----------
    image : numpy.ndarray
        ``(rows, columns)``, electrons.
    noise : float
        Rms of the background, electrons, > 0.
    fwhm : float
        Expected width of a star: the image is smoothed with a Gaussian of this FWHM, pixels, which is the
        best filter for faint stars.
    mask : numpy.ndarray or None
        Pixels that are not zero here count as background.
    threshold : float
        Least height in the smoothed image, in units of its background noise, > 0.
    minimum_area : int
        Objects with fewer pixels above the threshold are dropped.
    prominence : float
        A peak is an object of its own if it rises by this many standard deviations over the saddle to a
        higher peak; the standard deviation at the peak includes the photon noise of the object itself.
    contrast : float
        The same, as a fraction of the peak: keeps ripples on bright stars from becoming objects.

    Raises
    ------
    ReductionError
        Bad shapes or parameters.
    """
    require_image("detecting objects", "the image", image)
    if not (noise > 0 and threshold > 0):
        raise ReductionError(
            f"detecting objects: noise and threshold must be positive, got {noise} and {threshold}"
        )
    if mask is not None:
        require_shape("detecting objects", "the mask", mask, image.shape, "the image")
        image = np.where(mask == 0, image, np.float32(0))
    kernel = gaussian_kernel(fwhm)
    gain = noise_gain(kernel)
    significance = smooth(image, kernel)
    significance /= np.float32(noise * gain)
    footprint = significance > threshold
    value = significance[footprint]
    rows, columns = np.nonzero(footprint)
    if value.size == 0:
        nothing = np.empty(0, dtype=np.int64)
        return Detections(nothing, nothing, value, nothing, footprint)
    number = np.zeros(image.shape, dtype=np.int64)
    number[footprint] = np.arange(value.size)
    first, second = _edges(footprint, number)
    rank = np.empty(value.size, dtype=np.int64)
    rank[np.argsort(value, kind="stable")] = np.arange(value.size)
    basin = _basins(rank, first, second)
    own_noise = np.sqrt(1 + value * np.float32(gain / noise))
    least = np.maximum(prominence * own_noise, contrast * value)
    summits, area = np.unique(_merge_low_prominence(value, basin, first, second, least), return_counts=True)
    large = area >= minimum_area
    summits, area = summits[large], area[large]
    order = np.argsort(-value[summits], kind="stable")
    summits, area = summits[order], area[order]
    return Detections(columns[summits], rows[summits], value[summits], area, footprint)
