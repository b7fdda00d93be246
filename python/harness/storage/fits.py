# SPDX-License-Identifier: BSD-3-Clause
"""FitsStorage: images, CCDData and tables in FITS files."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

from harness.exceptions import IoError
from harness.storage.atomic import atomic_file
from harness.storage.fits_checksum import WordSum
from harness.storage.fits_file import FitsFile
from harness.storage.fits_frames import read_ccddata
from harness.storage.fits_header import properties_of, properties_of_cards
from harness.storage.fits_pixels import native_pixels, read_pixels
from harness.storage.fits_unit import Unit
from harness.storage.fits_units import fits_content
from harness.storage.image import Image
from harness.storage.interface import ReadRequest
from harness.storage.kinds import is_ccddata, is_table, require_library, wanted_class
from harness.storage.native_tables import make_native

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

__all__ = ["FitsStorage"]

KINDS = ("Image", "ndarray", "CCDData", "Table")
_IMAGES = ("image", "compressed")
_COMPRESSION_LEVEL = 6


class FitsStorage:
    """Reads and writes FITS files, gzipped ones too (by content on reading, by ``.gz`` on writing).

    It makes `harness.storage.image.Image`, numpy.ndarray, astropy.nddata.CCDData and
    astropy.table.Table, subclasses of Image, and any class with a static ``swigConvert`` that takes
    an Image. Pixels are native, in arrays from `harness.empty`: born in shared memory inside a pipeline.
    A name that ends in ``.fz`` is written tile-compressed, without loss. Units that have CHECKSUM or DATASUM
    are verified, and all that is written has them.

    Raises:
        harness.exceptions.RuntimeError: (from the constructor) astropy is not installed.
    """

    def __init__(self) -> None:
        require_library("FitsStorage", "astropy", "fits")

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

        wanted = wanted_class(request, "FitsStorage", KINDS, _accepts)
        with FitsFile(request, path) as file:
            if is_table(wanted):
                return _read_table(file, request, wanted)
            unit = _choose(file, request, _IMAGES)
            if is_ccddata(wanted):
                return read_ccddata(file, unit, wanted, _array_of)
            array = _array_of(file, unit)
            if wanted is numpy.ndarray:
                return array
            if array.ndim != 2:
                raise file.error(
                    f"unit {unit} has {array.ndim} dimensions, and an Image has two;"
                    " ask for pythonType numpy.ndarray"
                )
            image = Image(array, _header_of(file, unit))
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
        content = fits_content(obj, compressed=path.endswith(".fz"))
        with atomic_file(path) as stream:
            if path.endswith(".gz"):
                content = memoryview(gzip.compress(content, _COMPRESSION_LEVEL, mtime=0))
            stream.write(content)


def _accepts(cls: type) -> bool:
    import numpy

    return cls is numpy.ndarray or issubclass(cls, Image) or is_table(cls) or is_ccddata(cls)


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
            chosen = unit.name.upper() == request.hdu.strip().upper()
        if not chosen:
            continue
        if unit.kind not in kinds or not unit.has_data:
            raise file.error(f"hdu {request.hdu!r} is unit {unit}, and {' or '.join(kinds)} data is wanted")
        file.require_complete(unit)
        return unit
    wanted = f"hdu {request.hdu!r}" if request.hdu is not None else f"unit with {' or '.join(kinds)} data"
    raise file.error(f"there is no {wanted}; the file holds: {'; '.join(seen)}")


def _array_of(file: FitsFile, unit: Unit) -> Array:
    """The pixels of an image, plain or compressed."""
    if unit.kind == "image":
        return _plain_array(file, unit)
    file.verify_by_reading(unit)
    try:
        found = file.astropy_unit(unit)
        return native_pixels(found.data, found.header)
    except IoError:
        raise
    except Exception as error:
        raise file.error(f"the pixels of unit {unit} cannot be read: {error}") from error


def _plain_array(file: FitsFile, unit: Unit) -> Array:
    file.begin_data(unit)
    if not unit.has_checksum:
        return read_pixels(file.fill, unit.shape, unit.cards)
    total = WordSum()
    array = read_pixels(file.fill, unit.shape, unit.cards, total.add)
    padding = memoryview(bytearray(unit.end_offset - unit.data_offset - unit.data_bytes))
    file.fill(padding)
    total.add(padding)
    file.verify(unit, total.value)
    return array


def _header_of(file: FitsFile, unit: Unit) -> Any:
    if unit.kind == "image":
        return properties_of_cards(unit.cards)
    return properties_of(file.astropy_unit(unit).header)


def _read_table(file: FitsFile, request: ReadRequest, wanted: Any) -> Any:
    unit = _choose(file, request, ("table",))
    file.verify_by_reading(unit)
    try:
        table = wanted.read(file.astropy_unit(unit), format="fits")
    except IoError:
        raise
    except Exception as error:
        raise file.error(f"unit {unit} cannot be read as a table: {error}") from error
    return make_native(table)
