# SPDX-License-Identifier: BSD-3-Clause
"""FitsStorage: images, CCDData and tables in FITS files."""

from __future__ import annotations

import gzip
import importlib.util
import io
import sys
from typing import TYPE_CHECKING, Any

from harness.arrays import empty
from harness.storage.atomic import atomic_file
from harness.storage.fits_file import FitsFile, Hdu, open_fits
from harness.storage.fits_header import cards_of, is_structural, properties_of
from harness.storage.fits_pixels import layout_of, read_pixels, write_pixels
from harness.storage.image import Image
from harness.storage.interface import ReadRequest

if TYPE_CHECKING:
    import numpy
    from astropy.io import fits

    Array = numpy.ndarray[Any, Any]

__all__ = ["FitsStorage"]

_SHORT_NAMES = {
    "": "harness.storage.image.Image",
    "Image": "harness.storage.image.Image",
    "ndarray": "numpy.ndarray",
    "CCDData": "astropy.nddata.CCDData",
    "Table": "astropy.table.Table",
}
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
        if _is_table(wanted):
            return _read_table(path, request, wanted)
        if _is_ccddata(wanted):
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
        units = _units(obj)
        with atomic_file(path) as stream:
            if not path.endswith(".gz"):
                _write_units(stream, units)
                return
            with gzip.GzipFile("", "wb", _COMPRESSION_LEVEL, stream, mtime=0) as packed:
                _write_units(packed, units)


def _is_a(cls: type, module: str, name: str) -> bool:
    """Whether a class is that class of astropy or a subclass; if so, its module is loaded."""
    loaded = sys.modules.get(f"astropy.{module}")
    return loaded is not None and issubclass(cls, getattr(loaded, name))


def _is_table(cls: type) -> bool:
    return _is_a(cls, "table", "Table")


def _is_ccddata(cls: type) -> bool:
    return _is_a(cls, "nddata", "CCDData")


def _wanted_class(request: ReadRequest) -> Any:
    import numpy

    from harness.stage.class_lookup import find_class

    name = request.python_type.strip()
    wanted: Any = find_class(_SHORT_NAMES.get(name, name))
    if wanted is numpy.ndarray or issubclass(wanted, Image) or hasattr(wanted, "swigConvert"):
        return wanted
    if _is_table(wanted) or _is_ccddata(wanted):
        return wanted
    raise TypeError(
        f"cannot read item '{request.item}': FitsStorage makes no {name}; it makes"
        f" {', '.join(list(_SHORT_NAMES.values())[1:])}, and classes with a static swigConvert(Image)"
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


def _units(obj: Any) -> list[tuple[fits.Header, Array | None]] | fits.HDUList:
    """(header, array) of every unit to write; tables come as astropy's own list."""
    import numpy
    from astropy.io import fits

    if isinstance(obj, Image):
        return [(_image_header(obj.array, cards_of(obj.header), True), obj.array)]
    if _is_ccddata(type(obj)):
        return [
            (_image_header(unit.data, unit.header.cards, number == 0), unit.data)
            for number, unit in enumerate(obj.to_hdu())
        ]
    if _is_table(type(obj)):
        return fits.HDUList([fits.PrimaryHDU(), fits.table_to_hdu(obj)])
    if isinstance(obj, numpy.ndarray):
        if obj.dtype.names:
            # The copy, because astropy swaps the bytes of what it writes, in place.
            return fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(obj.copy())])
        return [(_image_header(obj, [], True), obj)]
    raise TypeError(
        f"FitsStorage cannot write {type(obj).__module__}.{type(obj).__qualname__}; it writes"
        f" {', '.join(list(_SHORT_NAMES.values())[1:])}"
    )


def _image_header(array: Array, cards: Any, primary: bool) -> fits.Header:
    """A complete header: the structural cards for the array, then the given ones."""
    from astropy.io import fits

    bitpix, zero = layout_of(array)
    axes = tuple(reversed(array.shape)) if array.ndim else (1,)
    header = fits.Header()
    if primary:
        header.append(("SIMPLE", True, "conforms to FITS standard"))
    else:
        header.append(("XTENSION", "IMAGE", "image extension"))
    header.append(("BITPIX", bitpix, "bits per pixel; negative: floating point"))
    header.append(("NAXIS", len(axes), "number of axes"))
    for number, length in enumerate(axes, start=1):
        header.append((f"NAXIS{number}", length))
    header.extend([("EXTEND", True)] if primary else [("PCOUNT", 0), ("GCOUNT", 1)])
    if zero:
        header.append(("BSCALE", 1))
        header.append(("BZERO", zero, "makes the integers " + ("unsigned" if zero > 0 else "signed")))
    for card in cards:
        if not is_structural(card.keyword):
            header.append(card, end=True)
    return header


def _write_units(stream: io.BufferedIOBase, units: Any) -> None:
    from astropy.io import fits

    if isinstance(units, fits.HDUList):
        # Straight into the file, astropy would lose the errno of a failed write.
        buffer = io.BytesIO()
        units.writeto(buffer)
        stream.write(buffer.getbuffer())
        return
    for header, array in units:
        stream.write(header.tostring().encode("ascii"))
        write_pixels(stream, array)
