# SPDX-License-Identifier: BSD-3-Clause
"""An open FITS file: its units one after the other, and every byte accounted for."""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from harness.exceptions import IoError
from harness.storage.fits_checksum import WordSum
from harness.storage.fits_unit import BLOCK, Unit, unit_from
from harness.storage.interface import ReadRequest
from harness.storage.pieces import fill
from harness.storage.quiet import filtered_warnings

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

__all__ = ["FitsFile"]

_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1024 * 1024
_END = re.compile(rb"(?:.{80})*?END {5}", re.DOTALL)
_ALL_ONES = 0xFFFFFFFF


class FitsFile:
    """An open FITS file, decompressed in memory if its content is gzipped, whatever its name.

    Use it as a context manager.

    Args:
        request: names the item, for messages.
        path: the file.

    Raises:
        IoError: the file is missing or unreadable, or empty, or no FITS file.
    """

    def __init__(self, request: ReadRequest, path: str) -> None:
        self._request = request
        self._path = path
        self._note = ""
        self._damage: Exception | None = None
        self._units: Any = None
        try:
            self._stream: BinaryIO = open(path, "rb", buffering=0)
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
        return self._request.error(self._path, why)

    def units(self) -> Iterator[Unit]:
        """The units of the file, one after the other. Reads headers only.

        Raises:
            IoError: the file ends within a header, or a header does not tell how long its data are.
        """
        number, end = 0, 0
        # Anything may follow the last unit; only another extension goes on.
        while number == 0 or self._peek(end) == b"XTENSION=":
            content = self._header(end)
            try:
                unit = unit_from(number, end, content)
            except Exception as error:
                raise self.error(
                    f"the header of unit {number}, at byte {end}, does not tell its size:"
                    f" {type(error).__name__}: {error}"
                ) from error
            yield unit
            number, end = number + 1, unit.end_offset

    def require_complete(self, unit: Unit) -> None:
        """Make sure that every byte of the unit is there, padding included.

        Raises:
            IoError: naming expected and actual bytes, or what is wrong with the compressed file.
        """
        if self._size < unit.end_offset or self._damage:
            raise self._truncated(unit.end_offset, "file")

    def astropy_unit(self, unit: Unit) -> Any:
        """The unit as astropy has it, its data not scaled.

        Raises:
            IoError: astropy cannot make sense of the file up to there.
        """
        from astropy.io import fits
        from astropy.utils.exceptions import AstropyWarning

        # What astropy remarks about sizes has been checked, and is told with the path.
        with filtered_warnings(AstropyWarning, "Error validating header"):
            try:
                if self._units is None:
                    self._stream.seek(0)
                    self._units = fits.open(
                        self._stream, memmap=False, lazy_load_hdus=True, do_not_scale_image_data=True
                    )
                return self._units[unit.number]
            except Exception as error:
                raise self.error(f"unit {unit} cannot be read: {type(error).__name__}: {error}") from error

    def begin_data(self, unit: Unit) -> None:
        """`fill` goes on from the first byte of the unit's data."""
        self._stream.seek(unit.data_offset)

    def fill(self, target: memoryview) -> None:
        """Read the next bytes into `target`.

        Raises:
            IoError: they are not there, or cannot be read.
        """
        try:
            got = fill(self._stream, target)
        except OSError as error:
            raise self.error(error.strerror or str(error)) from error
        if got < len(target):
            raise self.error(
                f"the file has shrunk while it was read: expected {len(target)} bytes more, read {got}"
            )

    def verify_by_reading(self, unit: Unit) -> None:
        """Read the data of a unit that has checksums, and compare.

        Raises:
            IoError: they differ.
        """
        if not unit.has_checksum:
            return
        self.begin_data(unit)
        buffer, total, left = memoryview(bytearray(_PIECE)), WordSum(), unit.end_offset - unit.data_offset
        while left:
            piece = buffer[: min(left, _PIECE)]
            self.fill(piece)
            total.add(piece)
            left -= len(piece)
        self.verify(unit, total.value)

    def verify(self, unit: Unit, total: int) -> None:
        """Compare the sum of a unit's data, padding included, with what its header says.

        Raises:
            IoError: they differ.
        """
        noted = unit.checksum("DATASUM")
        # All ones is the other zero of ones' complement.
        if noted and noted.isdigit() and int(noted) % _ALL_ONES != total % _ALL_ONES:
            raise self.error(
                f"the data of unit {unit} are damaged: their checksum is {total}, and DATASUM says {noted}"
            )
        whole = WordSum(total)
        whole.add(memoryview(unit.raw_header))
        if unit.checksum("CHECKSUM").strip("0") and whole.value % _ALL_ONES:
            raise self.error(f"unit {unit} is damaged: CHECKSUM does not fit its header and its data")

    def _header(self, offset: int) -> bytes:
        """The bytes of the header that begins at `offset`, whole blocks of them."""
        self._stream.seek(offset)
        content = b""
        while len(content) % BLOCK == 0:
            block = self._stream.read(BLOCK)
            content += block
            if len(block) < BLOCK:
                break
            if _END.match(block):
                return content
        expected = (self._size // BLOCK + 1) * BLOCK
        raise self._truncated(expected, "header")

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
