# SPDX-License-Identifier: BSD-3-Clause
"""An open FITS file: astropy walks through it, and every byte is accounted for."""

from __future__ import annotations

import gzip
import io
import os
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from harness.exceptions import IoError

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = ["FitsFile", "Unit"]

BLOCK = 2880
_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1024 * 1024


@dataclass(frozen=True)
class Unit:
    """One header and data unit.

    Attributes:
        number: 0 for the primary.
        hdu: the unit itself; its data are not scaled.
    """

    number: int
    hdu: Any

    @property
    def header(self) -> fits.Header:
        """Its header; of a compressed image, the header of the image."""
        return self.hdu.header

    @property
    def has_data(self) -> bool:
        """Whether there is anything in it besides the header."""
        return self.hdu.fileinfo()["datSpan"] > 0

    @property
    def end_offset(self) -> int:
        """Where it ends, padding included, in bytes from the start of the (decompressed) file."""
        place = self.hdu.fileinfo()
        return int(place["datLoc"] + place["datSpan"])

    @property
    def kind(self) -> str:
        """``image``, ``table`` (binary), ``compressed`` (tiled image in a table) or ``other``."""
        from astropy.io import fits

        if isinstance(self.hdu, fits.CompImageHDU):
            return "compressed"
        if isinstance(self.hdu, fits.BinTableHDU):
            return "table"
        # Random groups are primary units too, to astropy.
        if isinstance(self.hdu, fits.GroupsHDU):
            return "other"
        return "image" if isinstance(self.hdu, (fits.PrimaryHDU, fits.ImageHDU)) else "other"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of its array in NumPy's order; empty without data."""
        return tuple(self.header[f"NAXIS{axis}"] for axis in range(self.header["NAXIS"], 0, -1))

    def __str__(self) -> str:
        name = f" '{self.header['EXTNAME']}'" if "EXTNAME" in self.header else ""
        return f"{self.number}{name} ({self.kind}, shape {self.shape})"


class FitsFile:
    """An open FITS file, decompressed in memory if its content is gzipped, whatever its name.

    Use it as a context manager.

    Args:
        item: clipboard key, for messages.
        path: the file.

    Raises:
        IoError: the file is missing or unreadable, or empty, or no FITS file.
    """

    def __init__(self, item: str, path: str) -> None:
        self._item = item
        self._path = path
        self._note = ""
        self._damage: Exception | None = None
        self._units: Any = None
        try:
            self._stream: BinaryIO = open(path, "rb")
            self._size = os.fstat(self._stream.fileno()).st_size
            start = self._stream.read(len(_GZIP_MAGIC))
            self._stream.seek(0)
            if start == _GZIP_MAGIC:
                self._decompress()
            start = self._peek(0)
        except OSError as error:
            raise self.error(error.strerror or str(error)) from error
        if start == b"SIMPLE  =":
            return
        self._stream.close()
        if self._damage:
            raise self._truncated(BLOCK, "file")
        if not self._size:
            raise self.error("the file is empty")
        raise self.error(f"not a FITS file: it must begin with 'SIMPLE  =', and begins with {start!r}")

    def __enter__(self) -> FitsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def error(self, why: str) -> IoError:
        """An error about this file."""
        return IoError(f"cannot read item '{self._item}' from {self._path}: {why}")

    def units(self) -> Iterator[Unit]:
        """The units of the file, one after the other. Reads headers only.

        Raises:
            IoError: the file ends within a header, or a header does not tell how long its data are.
        """
        number, end = 0, 0
        # Anything may follow the last unit; only another extension goes on.
        while number == 0 or self._peek(end) == b"XTENSION=":
            unit = self._unit(number, end)
            yield unit
            number, end = number + 1, unit.end_offset

    def require_complete(self, unit: Unit) -> None:
        """Make sure that every byte of the unit is there, padding included.

        Raises:
            IoError: naming expected and actual bytes, or what is wrong with the compressed file.
        """
        if self._size < unit.end_offset or self._damage:
            raise self._truncated(unit.end_offset, "file")

    def _unit(self, number: int, offset: int) -> Unit:
        from astropy.io import fits
        from astropy.utils.exceptions import AstropyWarning

        with warnings.catch_warnings():
            # What astropy remarks about sizes is checked and told here, with the path.
            warnings.simplefilter("ignore", AstropyWarning)
            warnings.filterwarnings("error", "Error validating header")
            try:
                if number == 0:
                    self._stream.seek(0)
                    self._units = fits.open(
                        self._stream, memmap=False, lazy_load_hdus=True, do_not_scale_image_data=True
                    )
                unit = Unit(number, self._units[number])
                _check_size(unit)
                return unit
            except Exception as error:
                if isinstance(error, OSError) or f"multiple of {BLOCK}" in str(error):
                    raise self._truncated((self._size // BLOCK + 1) * BLOCK, "header") from error
                raise self.error(
                    f"the header of unit {number}, at byte {offset}, does not tell its size:"
                    f" {type(error).__name__}: {error}"
                ) from error

    def _decompress(self) -> None:
        """Put the decompressed content in the place of the stream: of a damaged file, its sound beginning."""
        content = io.BytesIO()
        with self._stream, gzip.GzipFile(fileobj=self._stream) as packed:
            try:
                while piece := packed.read1(_PIECE):
                    content.write(piece)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                self._damage = error
        self._note = f" (decompressed; {self._size} bytes on disk)"
        self._stream, self._size = content, content.tell()

    def _peek(self, offset: int) -> bytes:
        self._stream.seek(offset)
        return self._stream.read(9)

    def _truncated(self, expected: int, what: str) -> IoError:
        damage = f": {self._damage}" if self._damage else ""
        return self.error(
            f"the {what} is truncated or damaged: expected at least {expected} bytes,"
            f" found {self._size}{self._note}{damage}"
        )


def _check_size(unit: Unit) -> None:
    """Refuse what astropy takes for a size and the FITS standard 4.0, section 4.4.1, does not."""
    bitpix, shape = unit.header["BITPIX"], unit.shape
    if bitpix not in (8, 16, 32, 64, -32, -64):
        raise ValueError(f"BITPIX is {bitpix}, and must be 8, 16, 32, 64, -32 or -64")
    if any(length < 0 for length in shape):
        raise ValueError(f"the axes have lengths {shape[::-1]}")
