# SPDX-License-Identifier: BSD-3-Clause
"""What the pixels of an item must be: their type and their shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.exceptions import InvalidParameterError, IoError

if TYPE_CHECKING:
    from harness.policy import Policy

__all__ = ["Expectation", "expectation_from"]

ANY_LENGTH = -1


@dataclass(frozen=True)
class Expectation:
    """Type and shape that pixels must have.

    Attributes:
        dtype: NumPy's name of the type, in any byte order; empty for any.
        shape: one length per axis, -1 for any; None for any shape.
    """

    dtype: str = ""
    shape: tuple[int, ...] | None = None

    def check(self, item: str, path: str, found: Any) -> None:
        """Compare with what was read.

        Raises:
            harness.exceptions.IoError: it is something else; the message has both.
        """
        if not self.dtype and self.shape is None:
            return
        import numpy

        where = f"cannot read item '{item}' from {path}"
        pixels = _pixels_of(found)
        if pixels is None:
            raise IoError(
                f"{where}: dtype or shape is expected, and {type(found).__qualname__} has none;"
                " leave them out"
            )
        if self.dtype and pixels.dtype != numpy.dtype(self.dtype):
            raise IoError(f"{where}: expected pixels of type {numpy.dtype(self.dtype)}, saw {pixels.dtype}")
        if self.shape is not None and not _fits(pixels.shape, self.shape):
            wanted = ", ".join("any" if length == ANY_LENGTH else str(length) for length in self.shape)
            raise IoError(f"{where}: expected the shape ({wanted}), saw {tuple(pixels.shape)}")


def expectation_from(where: str, policy: Policy) -> Expectation:
    """The expectation in the keys ``dtype`` and ``shape`` of an item.

    Raises:
        harness.exceptions.InvalidParameterError: NumPy knows no such type, or a length is below -1.
    """
    dtype = policy.getString("dtype").strip() if policy.exists("dtype") else ""
    if dtype:
        import numpy

        try:
            numpy.dtype(dtype)
        except TypeError as error:
            raise InvalidParameterError(f"{where}: dtype '{dtype}' is no type of NumPy's: {error}") from error
    shape = tuple(policy.getIntArray("shape")) if policy.exists("shape") else None
    if shape is not None and min(shape) < ANY_LENGTH:
        raise InvalidParameterError(f"{where}: shape {shape}: a length is 0 or more, or -1 for any")
    return Expectation(dtype, shape)


def _pixels_of(found: Any) -> Any:
    """What has dtype and shape: the object itself, or the array of an Image or a CCDData."""
    for candidate in (found, getattr(found, "array", None), getattr(found, "data", None)):
        if hasattr(candidate, "dtype") and hasattr(candidate, "shape"):
            return candidate
    return None


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        expected in (ANY_LENGTH, length) for length, expected in zip(shape, wanted, strict=True)
    )
