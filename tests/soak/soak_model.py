# SPDX-License-Identifier: BSD-3-Clause
"""A small camera and its reduction in plain NumPy: what a run over `soak_stages` must have written."""

from __future__ import annotations

import io

import numpy as np

AMPS = 4
SHAPE = (160, 224)
"""Rows and columns of an amplifier: 280 KiB in float64, well above what is sent inline."""
OVERSCAN = 16
"""Columns at the right edge that see no light."""


def raw(visit: int, amp: int) -> np.ndarray:
    """A raw exposure in ADU: bias, sky, noise and a few stars."""
    rng = np.random.default_rng([2009, visit, amp])
    image = rng.normal(1000.0 + 3.0 * amp, 5.0, SHAPE)
    sky = image[:, :-OVERSCAN]
    sky += 200.0
    rows = rng.integers(2, SHAPE[0] - 2, 12)
    columns = rng.integers(2, SHAPE[1] - OVERSCAN - 2, 12)
    for row, column, light in zip(rows, columns, rng.uniform(500.0, 5000.0, 12), strict=True):
        sky[row - 1 : row + 2, column - 1 : column + 2] += light
    return image


def flat(visit: int) -> np.ndarray:
    """The illumination of a visit, around 1."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1] - OVERSCAN]
    return 1.0 + 0.05 * np.sin(rows / 40.0 + visit) + 0.05 * np.cos(columns / 60.0)


def reduce(exposure: np.ndarray, illumination: np.ndarray) -> np.ndarray:
    """Bias from the overscan, row by row, then the flat field."""
    bias = np.median(exposure[:, -OVERSCAN:], axis=1, keepdims=True)
    return (exposure[:, :-OVERSCAN] - bias) / illumination


def match(own: np.ndarray, neighbour: np.ndarray) -> np.ndarray:
    """The own image on the neighbour's background."""
    return own - np.median(own) + np.median(neighbour)


def flux(image: np.ndarray) -> float:
    """The light above ten times the noise of the background."""
    background = np.median(image)
    noise = 1.4826 * np.median(np.abs(image - background))
    return float(image[image > background + 10.0 * noise].sum())


def as_file(array: np.ndarray) -> bytes:
    """An array as its file has it."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def files_of(visit: int) -> dict[str, bytes]:
    """Every file of a visit, by name, from a reduction without harness, slices or sharing."""
    illumination = flat(visit)
    reduced = [reduce(raw(visit, amp), illumination) for amp in range(AMPS)]
    matched = [match(reduced[amp], reduced[(amp - 1) % AMPS]) for amp in range(AMPS)]
    files = {f"matched-{visit}-{amp}.npy": as_file(image) for amp, image in enumerate(matched)}
    files[f"mosaic-{visit}.npy"] = as_file(np.concatenate(matched, axis=1))
    files[f"flux-{visit}.npy"] = as_file(np.array([flux(image) for image in matched]))
    return files
