# SPDX-License-Identifier: BSD-3-Clause
"""Walking through the extensions of a FITS file, plain or gzipped, with every byte accounted for."""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.exceptions import IoError
from harness.storage.fits_header import CARD_WIDTH, Card, parse_header

__all__ = ["BLOCK", "FitsFile", "Hdu", "open_fits", "padded"]

BLOCK = 2880
# Beyond any real header; a file without END is not read to its end.
MAX_HEADER_BYTES = 64 * 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_END = re.compile(rb"END {77}")


@dataclass(frozen=True)
class Hdu:
    """One header and data unit.

    Attributes:
        number: 0 for the primary.
        cards: its header.
        header: the values in it by keyword.
        data_offset: where its data begin, in bytes from the start of the (decompressed) file.
        data_bytes: size of its data without padding.
    """

    number: int
    cards: list[Card]
    header: dict[str, Any]
    data_offset: int
    data_bytes: int

    @property
    def end_offset(self) -> int:
        """Where it ends, padding included."""
        return self.data_offset + padded(self.data_bytes)

    @property
    def kind(self) -> str:
        """``image``, ``table`` (binary), ``compressed`` (tiled image in a table), ``groups`` or ``other``."""
        extension = str(self.header.get("XTENSION", "IMAGE")).strip()
        if extension == "BINTABLE":
            return "compressed" if self.header.get("ZIMAGE") is True else "table"
        if extension not in ("IMAGE", "IUEIMAGE"):
            return "other"
        return "groups" if self.header.get("GROUPS") is True else "image"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of its array in NumPy's order; empty without data."""
        return tuple(int(self.header[f"NAXIS{axis}"]) for axis in range(int(self.header["NAXIS"]), 0, -1))

    def __str__(self) -> str:
        name = f" '{self.header['EXTNAME']}'" if "EXTNAME" in self.header else ""
        return f"{self.number}{name} ({self.kind}, shape {self.shape})"


class FitsFile:
    """An open FITS file; make it with `open_fits`.

    Args:
        item: clipboard key, for messages.
        path: the file's name, for messages.
        stream: the file, positioned at its start; decompresses what is gzipped.
        file_bytes: size on disk.
        gzipped: whether that size is of compressed data.
    """

    def __init__(
        self, item: str, path: str, stream: io.BufferedIOBase, file_bytes: int, gzipped: bool
    ) -> None:
        self._item = item
        self._path = path
        self._stream = stream
        self._file_bytes = file_bytes
        self._gzipped = gzipped

    def error(self, why: str) -> IoError:
        """An error about this file."""
        return IoError(f"cannot read item '{self._item}' from {self._path}: {why}")

    def hdus(self) -> Iterator[Hdu]:
        """The units of the file, one after the other. Reads headers only.

        Raises:
            IoError: the file is no FITS file, or ends within a header.
        """
        number, offset = 0, 0
        while True:
            block = self._bytes_at(offset, BLOCK)
            if number == 0 and not block.startswith(b"SIMPLE  ="):
                raise self.error(
                    f"not a FITS file: it must begin with 'SIMPLE  =', and begins with {block[:16]!r}"
                )
            # Anything may follow the last unit; only another extension goes on.
            if number > 0 and not block.startswith(b"XTENSION="):
                return
            hdu = self._unit(number, offset, block)
            yield hdu
            number, offset = number + 1, hdu.end_offset

    def read_into(self, hdu: Hdu, start: int, buffer: memoryview) -> None:
        """Fill `buffer` with data bytes of a unit.

        Args:
            hdu: the unit.
            start: first byte, counted from the start of its data.
            buffer: bytes to fill.

        Raises:
            IoError: the file ends before that.
        """
        with self._accounting(hdu.end_offset):
            self._seek(hdu.data_offset + start)
            done = 0
            while done < len(buffer):
                count = self._stream.readinto(buffer[done:])
                if not count:
                    raise self._truncated(hdu.end_offset, hdu.data_offset + start + done)
                done += count

    def require_complete(self, hdu: Hdu) -> None:
        """Make sure that every byte of the unit is there, padding included.

        For gzipped files this reads up to the end of the unit, and checks the checksum if nothing
        follows it.

        Raises:
            IoError: naming expected and actual bytes.
        """
        if not self._gzipped:
            if self._file_bytes < hdu.end_offset:
                raise self._truncated(hdu.end_offset, self._file_bytes)
            return
        with self._accounting(hdu.end_offset):
            self._seek(hdu.end_offset)
            if self._stream.tell() < hdu.end_offset:
                raise self._truncated(hdu.end_offset, self._stream.tell())
            self._stream.read(1)

    def _unit(self, number: int, offset: int, first_block: bytes) -> Hdu:
        blocks = [first_block]
        while not _has_end(blocks[-1]):
            if len(blocks[-1]) < BLOCK:
                raise self._truncated(offset + len(blocks) * BLOCK, offset + sum(map(len, blocks)), "header")
            if len(blocks) * BLOCK >= MAX_HEADER_BYTES:
                raise self.error(f"the header of unit {number} has no END within {MAX_HEADER_BYTES} bytes")
            blocks.append(self._bytes_at(offset + len(blocks) * BLOCK, BLOCK))
        if len(blocks[-1]) < BLOCK:
            raise self._truncated(offset + len(blocks) * BLOCK, offset + sum(map(len, blocks)), "header")
        text = re.sub(rb"[^ -~]", b"?", b"".join(blocks)).decode("ascii")
        cards = parse_header(text)
        # Of a repeated keyword the first counts.
        header = {card.name: card.value for card in reversed(cards)}
        try:
            size = _data_bytes(header)
        except (KeyError, TypeError, ValueError) as error:
            raise self.error(
                f"the header of unit {number} does not tell its size: {type(error).__name__}: {error}"
            ) from error
        return Hdu(number, cards, header, offset + len(blocks) * BLOCK, size)

    def _bytes_at(self, offset: int, count: int) -> bytes:
        with self._accounting(offset + count):
            self._seek(offset)
            return self._stream.read(count)

    def _seek(self, offset: int) -> None:
        if self._stream.tell() != offset:
            self._stream.seek(offset)

    @contextlib.contextmanager
    def _accounting(self, expected: int) -> Iterator[None]:
        """Turn what reading raises into an error with the byte counts."""
        try:
            yield
        except IoError:
            raise
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self._truncated(expected, self._stream.tell(), "file", f": {error}") from error
        except OSError as error:
            raise self.error(error.strerror or str(error)) from error

    def _truncated(self, expected: int, actual: int, what: str = "file", why: str = "") -> IoError:
        packed = f" (decompressed; {self._file_bytes} bytes on disk)" if self._gzipped else ""
        return self.error(
            f"the {what} is truncated or damaged: expected at least {expected} bytes,"
            f" found {actual}{packed}{why}"
        )


@contextlib.contextmanager
def open_fits(item: str, path: str) -> Iterator[FitsFile]:
    """Open a FITS file, decompressing it if its content is gzipped, whatever its name.

    Raises:
        IoError: the file is missing or unreadable, or empty.
    """
    try:
        plain = open(path, "rb")
    except OSError as error:
        raise IoError(f"cannot read item '{item}' from {path}: {error.strerror or error}") from error
    with plain:
        size = os.fstat(plain.fileno()).st_size
        if size == 0:
            raise IoError(f"cannot read item '{item}' from {path}: the file is empty")
        gzipped = plain.read(2) == _GZIP_MAGIC
        plain.seek(0)
        if not gzipped:
            yield FitsFile(item, path, plain, size, False)
            return
        with gzip.GzipFile(fileobj=plain, mode="rb") as unpacked:
            yield FitsFile(item, path, unpacked, size, True)


def padded(count: int) -> int:
    """`count` bytes rounded up to whole FITS blocks."""
    return -(-count // BLOCK) * BLOCK


def _has_end(block: bytes) -> bool:
    return any(_END.fullmatch(block, start, start + CARD_WIDTH) for start in range(0, len(block), CARD_WIDTH))


def _data_bytes(header: dict[str, Any]) -> int:
    """Bytes of data, by the formula of the FITS standard 4.0, sections 4.4.1.1, 4.4.1.2 and 6.1."""
    axes = [int(header[f"NAXIS{axis}"]) for axis in range(1, int(header["NAXIS"]) + 1)]
    bitpix = int(header["BITPIX"])
    if bitpix not in (8, 16, 32, 64, -32, -64):
        raise ValueError(f"BITPIX is {bitpix}, and must be 8, 16, 32, 64, -32 or -64")
    if any(length < 0 for length in axes):
        raise ValueError(f"the axes have lengths {axes}")
    if not axes:
        return 0
    if header.get("GROUPS") is True and axes[0] == 0:
        axes = axes[1:]
    elements = int(header.get("GCOUNT", 1)) * (int(header.get("PCOUNT", 0)) + math.prod(axes))
    return abs(bitpix) // 8 * elements
