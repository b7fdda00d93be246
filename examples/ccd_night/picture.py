# SPDX-License-Identifier: BSD-3-Clause
"""A picture of one amplifier: the raw frame beside the calibrated image with its stars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .algorithms import mask_bits
from .check import read_table
from .layout import NightLayout

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "image.interpolation": "nearest",
    "image.origin": "lower",
}


def _read(path: Path) -> tuple[np.ndarray, Any]:
    from astropy.io import fits

    with fits.open(path) as units:
        return np.asarray(units[0].data, dtype=np.float32), units[0].header.copy()


def _limits(image: np.ndarray) -> tuple[float, float]:
    """Return a grey scale from just below the sky to well above it."""
    low, middle, high = np.percentile(image, [0.5, 50.0, 99.0])
    return float(low), float(max(high, middle + 2 * (middle - low)))


def draw_amplifier(layout: NightLayout, visit: int, amp: int, path: Path) -> None:
    """Write a PNG with the raw and the calibrated image of one amplifier, side by side.

    Parameters
    ----------
    layout : NightLayout
        A night that the pipeline has processed.
    visit, amp : int
        Which image.
    path : pathlib.Path
        Name of the PNG file.

    Notes
    -----
    Tall amplifiers are drawn lying on their side, so that the page is filled; the axes' labels say which is
    which. Circles mark stars, crosses cosmic rays.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    raw, _ = _read(layout.raw(visit, amp))
    image, header = _read(layout.calibrated(visit, amp))
    stars = read_table(layout.catalogue(visit, amp))
    image = image - np.float32(header["SKYLEVEL"])
    with matplotlib.rc_context(STYLE):
        ratio = raw.shape[0] / raw.shape[1]
        panel_height = float(np.clip(4.4 * ratio, 3.0, 9.0))
        figure = Figure(
            figsize=(2 * (panel_height / ratio + 1.35) + 0.5, panel_height + 1.25), layout="constrained"
        )
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        low, high = _limits(raw)
        shown = left.imshow(raw, cmap="gray", vmin=low, vmax=high)
        figure.colorbar(shown, ax=left, label="raw signal [ADU]", shrink=0.9, pad=0.02, extend="both")
        left.set_title("raw frame with overscan")
        low, high = _limits(image)
        shown = right.imshow(image, cmap="gray", vmin=low, vmax=high)
        label = "calibrated signal above sky [e\N{SUPERSCRIPT MINUS}/pixel]"
        figure.colorbar(shown, ax=right, label=label, shrink=0.9, pad=0.02, extend="both")
        _mark_objects(right, stars, float(header["SEEING"]))
        right.set_title("calibrated image")
        for axes in (left, right):
            axes.set_xlabel("column [pixel]")
            axes.set_ylabel("row [pixel]")
        figure.suptitle(
            f"Visit {visit}, amplifier {amp}: {header['EXPTIME']:g} s in {header.get('FILTER', '?')},"
            f" seeing {header['SEEING']:.1f} pixels,"
            f" zero point {header['ZEROPT']:.3f} \N{PLUS-MINUS SIGN} {header['ZEROPTER']:.3f} mag"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)


def _mark_objects(axes: Any, stars: np.ndarray, seeing: float) -> None:
    """Circle the stars, cross the cosmic rays, and say which is which below the image."""
    ray = (stars["flags"] & mask_bits.COSMIC_RAY) != 0
    size = (2.6 * seeing) ** 2 * 0.12
    common = {"facecolors": "none", "linewidths": 0.8}
    axes.scatter(stars["x"][~ray], stars["y"][~ray], s=size, edgecolors="#35b6ff", label="star", **common)
    if ray.any():
        axes.scatter(
            stars["x"][ray],
            stars["y"][ray],
            s=size,
            c="#ff6a3d",
            marker="x",
            linewidths=1.1,
            label="cosmic ray",
        )
    axes.legend(loc="upper right", framealpha=0.85, fontsize=9, borderpad=0.4, handletextpad=0.3)
