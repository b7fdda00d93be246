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
    """Return a grey scale from three standard deviations below the sky to eight above it."""
    low, middle, high = np.percentile(image, [15.87, 50.0, 84.13])
    noise = 0.5 * (high - low)
    return float(middle - 3 * noise), float(middle + 8 * noise)


def draw_amplifier(layout: NightLayout, visit: int, amp: int, path: Path) -> None:
    """Write a PNG with the raw and the calibrated image of one amplifier, side by side (wide ones stacked).

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
    Both grey scales go from three standard deviations below the sky to eight above, so that the raw panel
    shows what calibration takes away: vignetting, the glow next to the output, bias drift, hot pixels.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    raw, _ = _read(layout.raw(visit, amp))
    image, header = _read(layout.calibrated(visit, amp))
    stars = read_table(layout.catalogue(visit, amp))
    image = image - np.float32(header["SKYLEVEL"])
    with matplotlib.rc_context(STYLE):
        wide = image.shape[1] > image.shape[0]
        inches = 8.0 / max(image.shape)
        width, height = inches * image.shape[1], inches * image.shape[0]
        size = (width + 2.2, 2 * height + 2.8) if wide else (2 * width + 4.4, height + 1.7)
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        left, right = figure.subplots(2, 1) if wide else figure.subplots(1, 2)
        bar = 0.2 / width
        _show(left, raw, _limits(raw[:, : image.shape[1]]), "raw signal [ADU]", bar)
        left.set_title("raw frame, overscan at its right")
        _show(right, image, _limits(image), "signal above sky [electrons]", bar)
        right.set_title("calibrated image and what was found in it")
        _mark_objects(right, stars, float(header["SEEING"]))
        figure.legend(loc="outside lower right", ncols=3, frameon=False, handletextpad=0.4, columnspacing=1.4)
        figure.suptitle(
            f"Visit {visit}, amplifier {amp}: {header['EXPTIME']:g} s in {header.get('FILTER', '?')},"
            f" seeing {header['SEEING']:.1f} pixels,"
            f" zero point {header['ZEROPT']:.3f} \N{PLUS-MINUS SIGN} {header['ZEROPTER']:.3f} mag",
            fontsize=12,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)


def _show(axes: Any, image: np.ndarray, limits: tuple[float, float], label: str, bar: float) -> None:
    """Draw an image with a colour bar of its own height and of ``bar`` times its width."""
    shown = axes.imshow(image, cmap="gray", vmin=limits[0], vmax=limits[1])
    place = axes.inset_axes((1 + 0.6 * bar, 0.0, bar, 1.0))
    axes.figure.colorbar(shown, cax=place, label=label, extend="both", extendfrac=0.02)
    axes.set_xlabel("column [pixel]")
    axes.set_ylabel("row [pixel]")


def _mark_objects(axes: Any, stars: np.ndarray, seeing: float) -> None:
    """Draw a circle of 2.5 times the seeing around each object, its colour by kind, and name the kinds."""
    from matplotlib.collections import EllipseCollection
    from matplotlib.lines import Line2D

    ray = (stars["flags"] & mask_bits.COSMIC_RAY) != 0
    full = ((stars["flags"] & mask_bits.SATURATED) != 0) & ~ray
    kinds = (
        ("star", ~ray & ~full, "#3fb8ff"),
        ("saturated star", full, "#ffd23f"),
        ("cosmic ray", ray, "#ff5a36"),
    )
    for name, chosen, colour in kinds:
        count = int(chosen.sum())
        if count == 0:
            continue
        sizes = np.full(count, 5 * seeing)
        axes.add_collection(
            EllipseCollection(
                sizes,
                sizes,
                np.zeros(count),
                units="x",
                offsets=np.column_stack([stars["x"][chosen], stars["y"][chosen]]),
                offset_transform=axes.transData,
                facecolors="none",
                edgecolors=colour,
                linewidths=0.9,
            )
        )
        axes.add_line(
            Line2D(
                [],
                [],
                linestyle="none",
                marker="o",
                markersize=8,
                markerfacecolor="none",
                markeredgecolor=colour,
                markeredgewidth=1.2,
                label=f"{name} ({count})",
            )
        )
