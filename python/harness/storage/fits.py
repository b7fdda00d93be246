# SPDX-License-Identifier: BSD-3-Clause
"""FitsStorage: images, CCDData and tables in FITS files."""

from __future__ import annotations

import gzip
import importlib.util
from typing import TYPE_CHECKING, Any

from harness.storage.atomic import atomic_file
from harness.storage.fits_file import FitsFile, Unit
from harness.storage.fits_header import properties_of
from harness.storage.fits_kinds import KINDS, SHORT_NAMES, is_ccddata, is_table
from harness.storage.fits_pixels import native_pixels
from harness.storage.fits_units import fits_content
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
        # Only looked for: it takes long to import.
        if importlib.util.find_spec("astropy") is None:
            from harness.exceptions import RuntimeError as LsstRuntimeError

            raise LsstRuntimeError(
                "FitsStorage needs astropy, which is not installed;"
                " install it with: pip install 'pex-harness[fits]'"
            )

    def prepare(self) -> None:
        """Import astropy.io.fits, so that the first read or write need not wait for it."""
        import astropy.io.fits  # noqa: F401

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
        with FitsFile(request.item, path) as file:
            unit = _choose(file, request, ("image", "compressed"))
            array = _array_of(file, unit)
            if wanted is numpy.ndarray:
                return array
            if array.ndim != 2:
                raise file.error(
                    f"unit {unit} has {array.ndim} dimensions, and an Image has two;"
                    " ask for pythonType numpy.ndarray"
                )
            image = Image(array, properties_of(unit.header))
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
        content = fits_content(obj)
        with atomic_file(path) as stream:
            if path.endswith(".gz"):
                content = memoryview(gzip.compress(content, _COMPRESSION_LEVEL, mtime=0))
            stream.write(content)


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


def _choose(file: FitsFile, request: ReadRequest, kinds: tuple[str, ...]) -> Unit:
    """The unit that was asked for, complete; by default the first one of those kinds with data."""
    seen = []
    for unit in file.units():
        seen.append(str(unit))
        if request.hdu is None:
            chosen = unit.kind in kinds and unit.has_data
        elif isinstance(request.hdu, int):
            chosen = unit.number == request.hdu
        else:
            chosen = str(unit.header.get("EXTNAME", "")).strip().upper() == request.hdu.strip().upper()
        if not chosen:
            continue
        if unit.kind not in kinds or not unit.has_data:
            raise file.error(f"hdu {request.hdu!r} is unit {unit}, and {' or '.join(kinds)} data is wanted")
        file.require_complete(unit)
        return unit
    wanted = f"hdu {request.hdu!r}" if request.hdu is not None else f"unit with {' or '.join(kinds)} data"
    raise file.error(f"there is no {wanted}; the file holds: {'; '.join(seen)}")


def _array_of(file: FitsFile, unit: Unit) -> Array:
    try:
        stored = unit.hdu.data
    except Exception as error:
        raise file.error(f"the pixels of unit {unit} cannot be read: {error}") from error
    return native_pixels(stored, unit.header)


def _read_table(path: str, request: ReadRequest, wanted: Any) -> Any:
    with FitsFile(request.item, path) as file:
        unit = _choose(file, request, ("table",))
        try:
            table = wanted.read(unit.hdu, format="fits")
        except Exception as error:
            raise file.error(f"unit {unit} cannot be read as a table: {error}") from error
    for name in table.colnames:
        column = table[name]
        if not getattr(column, "dtype", None) or column.dtype.isnative:
            continue
        table[name] = column.astype(column.dtype.newbyteorder("="))
    return table


def _read_ccddata(path: str, request: ReadRequest, wanted: Any) -> Any:
    with FitsFile(request.item, path) as file:
        unit = _choose(file, request, ("image", "compressed"))
        try:
            frame = wanted.read(
                path, format="fits", hdu=unit.number, unit=None if "BUNIT" in unit.header else "adu"
            )
        except Exception as error:
            raise file.error(f"unit {unit} cannot be read as CCDData: {error}") from error
        frame.data = _array_of(file, unit)
    return frame
