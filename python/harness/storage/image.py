# SPDX-License-Identifier: BSD-3-Clause
"""Image: pixels and the header that came with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.properties import PropertyList

if TYPE_CHECKING:
    import numpy

__all__ = ["Image"]


class Image:
    """A two-dimensional array with a header.

    NumPy takes an Image wherever it takes an array. Pickled with protocol 5, the pixels travel as a
    buffer out of band.

    Args:
        array: pixels, shape (ny, nx), any numeric dtype; kept by reference.
        header: names, values and comments in order; None makes an empty one.

    Raises:
        TypeError: `array` is no NumPy array, or `header` no PropertyList.
        ValueError: `array` has not two dimensions.
    """

    __slots__ = ("array", "header")

    def __init__(self, array: numpy.ndarray[Any, Any], header: PropertyList | None = None) -> None:
        import numpy

        if not isinstance(array, numpy.ndarray):
            raise TypeError(f"an Image needs a NumPy array, not {type(array).__name__}: {array!r:.80}")
        if array.ndim != 2:
            raise ValueError(
                f"an Image has two dimensions (ny, nx), not shape {array.shape};"
                " use a plain numpy.ndarray for anything else"
            )
        if header is not None and not isinstance(header, PropertyList):
            raise TypeError(f"an Image's header must be a PropertyList, not {type(header).__name__}")
        self.array = array
        self.header = PropertyList() if header is None else header

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        rows, columns = self.array.shape
        return rows, columns

    @property
    def dtype(self) -> numpy.dtype[Any]:
        """Type of the pixels."""
        dtype: numpy.dtype[Any] = self.array.dtype
        return dtype

    @property
    def nbytes(self) -> int:
        """Size of the pixels in bytes."""
        return int(self.array.nbytes)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> numpy.ndarray[Any, Any]:
        import numpy

        if dtype is None or numpy.dtype(dtype) == self.array.dtype:
            return self.array.copy() if copy else self.array
        if copy is False:
            raise ValueError(f"pixels of {self.array.dtype} cannot be seen as {dtype} without a copy")
        return self.array.astype(dtype)

    def __repr__(self) -> str:
        ny, nx = self.array.shape
        return f"<Image {ny} x {nx} {self.array.dtype}, {len(self.header)} header entries>"
