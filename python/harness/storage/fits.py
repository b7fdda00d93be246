# SPDX-License-Identifier: BSD-3-Clause
"""FitsStorage: images, CCDData and tables in FITS files."""

from __future__ import annotations

import gzip
import importlib.util
from typing import TYPE_CHECKING, Any

from harness.arrays import empty
from harness.storage.atomic import atomic_file
from harness.storage.fits_file import FitsFile, Hdu, open_fits
from harness.storage.fits_header import properties_of
from harness.storage.fits_kinds import KINDS, SHORT_NAMES, is_ccddata, is_table
from harness.storage.fits_pixels import read_pixels
from harness.storage.fits_units import units_of, write_units
from harness.storage.image import Image
from harness.storage.interface import ReadRequest

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

__all__ = ["FitsStorage"]

_COMPRESSION_LEVEL = 6


class FitsStorage:
    """Reads and writes FITS files, gzipped ones too (by content on reading, by ``.gz`` on writing).

    It makes `harness.storage.image.Image`, numpy.ndarray, astropy.nddata.CCDData and
    astropy.table.Table, subclasses of Image, and any class with a static ``swigConvert`` that takes
    an Image. Pixels are native, in arrays from `harness.empty`: born in shared memory inside a pipeline.

    Raises:
        harness.exceptions.RuntimeError: (from the constructor) astropy is not installed.
    """

    def __init__(self) -> None:
        # Only looked for: reading a plain image does without it, and it takes long to import.
        if importlib.util.find_spec("astropy") is None:
            from harness.exceptions import RuntimeError as LsstRuntimeError

            raise LsstRuntimeError(
                "FitsStorage needs astropy, which is not installed;"
                " install it with: pip install 'pex-harness[fits]'"
            )

    def read(self, path: str, request: ReadRequest) -> Any:
        """The object in a FITS file; see `harness.storage.interface.Storage`.

        Raises:
            harness.exceptions.IoError: the file is missing, truncated, damaged or no FITS file, or
                has no extension that fits; the message names the item, the path and byte counts.
            TypeError: no object of the wanted class can be made from FITS.
            ImportError: the wanted class cannot be imported.
        """
        import numpy

        wanted = _wanted_class(request)
        if is_table(wanted):
            return _read_table(path, request, wanted)
        if is_ccddata(wanted):
            return _read_ccddata(path, request, wanted)
        with open_fits(request.item, path) as file:
            hdu = _choose(file, request, ("image", "compressed"))
            array = _array_of(file, hdu, path, request)
            if wanted is numpy.ndarray:
                return array
            if array.ndim != 2:
                raise file.error(
                    f"unit {hdu} has {array.ndim} dimensions, and an Image has two;"
                    " ask for pythonType numpy.ndarray"
                )
        image = Image(array, properties_of(hdu.cards))
        if wanted is Image:
            return image
        convert = getattr(wanted, "swigConvert", None)
        return convert(image) if convert is not None else wanted(image.array, image.header)

    def write(self, path: str, obj: Any) -> None:
        """Write an Image, an ndarray, a CCDData or a Table; see `harness.storage.interface.Storage`.

        Raises:
            harness.exceptions.IoError: the file cannot be written; nothing is left behind.
            TypeError: the object or its pixels are nothing FITS can hold.
            ValueError: an entry of its header is nothing FITS can hold.
        """
        # Whatever cannot be written is refused before a file is touched.
        units = units_of(obj)
        with atomic_file(path) as stream:
            if not path.endswith(".gz"):
                write_units(stream, units)
                return
            with gzip.GzipFile("", "wb", _COMPRESSION_LEVEL, stream, mtime=0) as packed:
                write_units(packed, units)


def _wanted_class(request: ReadRequest) -> Any:
    import numpy

    from harness.stage.class_lookup import find_class

    name = request.python_type.strip()
    wanted: Any = find_class(SHORT_NAMES.get(name, name))
    if wanted is numpy.ndarray or issubclass(wanted, Image) or hasattr(wanted, "swigConvert"):
        return wanted
    if is_table(wanted) or is_ccddata(wanted):
        return wanted
    raise TypeError(
        f"cannot read item '{request.item}': FitsStorage makes no {name}; it makes"
        f" {', '.join(KINDS)}, and classes with a static swigConvert(Image)"
    )


def _choose(file: FitsFile, request: ReadRequest, kinds: tuple[str, ...]) -> Hdu:
    """The unit that was asked for, complete; by default the first one of those kinds with data."""
    seen = []
    for hdu in file.hdus():
        seen.append(str(hdu))
        if request.hdu is None:
            chosen = hdu.kind in kinds and hdu.data_bytes > 0
        elif isinstance(request.hdu, int):
            chosen = hdu.number == request.hdu
        else:
            chosen = str(hdu.header.get("EXTNAME", "")).strip().upper() == request.hdu.strip().upper()
        if not chosen:
            continue
        if hdu.kind not in kinds or hdu.data_bytes == 0:
            raise file.error(f"hdu {request.hdu!r} is unit {hdu}, and {' or '.join(kinds)} data is wanted")
        file.require_complete(hdu)
        return hdu
    wanted = f"hdu {request.hdu!r}" if request.hdu is not None else f"unit with {' or '.join(kinds)} data"
    raise file.error(f"there is no {wanted}; the file holds: {'; '.join(seen)}")


def _array_of(file: FitsFile, hdu: Hdu, path: str, request: ReadRequest) -> Array:
    if hdu.kind == "image":
        return read_pixels(file, hdu)
    import numpy
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as units:
            data = units[hdu.number].data
    except Exception as error:
        raise file.error(f"unit {hdu} cannot be decompressed: {error}") from error
    array = empty(data.shape, data.dtype.newbyteorder("="))
    numpy.copyto(array, data)
    return array


def _read_table(path: str, request: ReadRequest, wanted: Any) -> Any:
    with open_fits(request.item, path) as file:
        hdu = _choose(file, request, ("table",))
        try:
            table = wanted.read(path, format="fits", hdu=hdu.number)
        except Exception as error:
            raise file.error(f"unit {hdu} cannot be read as a table: {error}") from error
    for name in table.colnames:
        column = table[name]
        if not getattr(column, "dtype", None) or column.dtype.isnative:
            continue
        table[name] = column.astype(column.dtype.newbyteorder("="))
    return table


def _read_ccddata(path: str, request: ReadRequest, wanted: Any) -> Any:
    with open_fits(request.item, path) as file:
        hdu = _choose(file, request, ("image", "compressed"))
        unit = None if "BUNIT" in hdu.header else "adu"
        try:
            frame = wanted.read(path, format="fits", hdu=hdu.number, unit=unit)
        except Exception as error:
            raise file.error(f"unit {hdu} cannot be read as CCDData: {error}") from error
        frame.data = _array_of(file, hdu, path, request)
    return frame
