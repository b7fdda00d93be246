# SPDX-License-Identifier: BSD-3-Clause
"""The checksums of FITS units (FITS 4.0, section 4.4.2.7): the ones' complement sum of 32-bit words."""

from __future__ import annotations

__all__ = ["WordSum", "encoded"]

_MOST = 0xFFFFFFFF
_EXCLUDED = frozenset(b":;<=>?@[\\]^_`")


class WordSum:
    """The ones' complement sum of the big-endian 32-bit words of bytes that come in pieces.

    Args:
        start: the sum of what comes before.
    """

    def __init__(self, start: int = 0) -> None:
        self._total = start
        self._rest = b""

    def add(self, content: memoryview) -> None:
        """Add the next bytes, a contiguous piece of any length."""
        import numpy

        if self._rest:
            content = memoryview(self._rest + bytes(content))
        whole = len(content) // 4 * 4
        self._rest = bytes(content[whole:])
        self._total += int(numpy.frombuffer(content[:whole], ">u4").sum(dtype="u8"))

    @property
    def value(self) -> int:
        """The sum, from 0 to 0xFFFFFFFF; what is missing of the last word counts as zeros."""
        total = self._total + int.from_bytes(self._rest.ljust(4, b"\0"), "big")
        while total > _MOST:
            total = (total & _MOST) + (total >> 32)
        return total


def encoded(complement: int) -> str:
    """A sum as the 16 characters of a CHECKSUM card (FITS 4.0, appendix J): letters and digits."""
    rows = [bytearray(4) for _ in range(4)]
    for place in range(4):
        byte = complement >> (24 - 8 * place) & 0xFF
        quotient, remainder = byte // 4 + ord("0"), byte % 4
        column = [quotient + remainder, quotient, quotient, quotient]
        while any(one in _EXCLUDED for one in column):
            for pair in (0, 2):
                if column[pair] in _EXCLUDED or column[pair + 1] in _EXCLUDED:
                    column[pair] += 1
                    column[pair + 1] -= 1
        for row, one in enumerate(column):
            rows[row][place] = one
    text = b"".join(rows)
    return (text[-1:] + text[:-1]).decode("ascii")
