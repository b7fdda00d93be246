# SPDX-License-Identifier: BSD-3-Clause
"""CCDData from FITS: astropy reads what the headers say, the pixels come as those of every image."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.storage.fits_file import FitsFile
from harness.storage.fits_unit import Unit

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

__all__ = ["read_ccddata"]

MASK, UNCERTAINTY, PSF = "MASK", "UNCERT", "PSFIMAGE"
_SCALING = ("BSCALE", "BZERO", "BLANK", "CHECKSUM", "DATASUM")


def read_ccddata(file: FitsFile, unit: Unit, wanted: Any, read: Callable[[FitsFile, Unit], Array]) -> Any:
    """A CCDData, or an instance of a subclass, with mask, uncertainty and PSF where the file has them.

    astropy is given a file of the same headers, and one pixel instead of each image: it makes unit, metadata,
    coordinates and kind of uncertainty. Mask and uncertainty are looked for by the names astropy writes.

    Args:
        file: open.
        unit: that of the image.
        wanted: the class.
        read: gives the native pixels of a unit.

    Raises:
        IoError: pixels or headers are damaged, or say what no CCDData can be.
    """
    from astropy.io import fits

    beside = _beside(file, unit)
    small = [_one_pixel(fits.PrimaryHDU, file, unit)]
    small += [_one_pixel(fits.ImageHDU, file, other) for other in beside.values()]
    content = io.BytesIO()
    try:
        fits.HDUList(small).writeto(content, output_verify="silentfix+ignore")
        content.seek(0)
        frame = wanted.read(content, format="fits", hdu=0, unit=None if "BUNIT" in small[0].header else "adu")
    except Exception as error:
        raise file.error(f"unit {unit} cannot be read as CCDData: {error}") from error
    frame.data = read(file, unit)
    if frame.wcs is not None and frame.wcs.pixel_n_dim == frame.data.ndim:
        frame.wcs.pixel_shape = frame.data.shape[::-1]
    if MASK in beside:
        mask = read(file, beside[MASK])
        # A mask is 0 and 1 in bytes, which are a mask as they are.
        frame.mask = mask.view(bool) if mask.dtype.itemsize == 1 and mask.max(initial=0) <= 1 else mask != 0
    if UNCERTAINTY in beside:
        frame.uncertainty.array = read(file, beside[UNCERTAINTY])
    if PSF in beside:
        frame.psf = read(file, beside[PSF])
    return frame


def _beside(file: FitsFile, unit: Unit) -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    for other in file.units():
        if (
            other.name in (MASK, UNCERTAINTY, PSF)
            and other.kind in ("image", "compressed")
            and other.has_data
        ):
            if other.number != unit.number:
                file.require_complete(other)
                found.setdefault(other.name, other)
    return found


def _one_pixel(kind: Any, file: FitsFile, unit: Unit) -> Any:
    import numpy

    header = unit.header() if unit.kind == "image" else file.astropy_unit(unit).header.copy()
    for name in _SCALING:
        header.remove(name, ignore_missing=True)
    dtype = "u1" if unit.name == MASK else "f4"
    return kind(numpy.zeros((1,) * max(len(unit.shape), 1), dtype), header)
