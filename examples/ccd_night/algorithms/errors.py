# SPDX-License-Identifier: BSD-3-Clause
"""The two ways in which reduction refuses its input."""

from __future__ import annotations

import numpy as np


class ReductionError(ValueError):
    """The input of an algorithm does not fit together; the message tells what was expected and seen."""


class NoSolutionError(RuntimeError):
    """The data do not determine the answer: too few stars, nothing left after rejection."""


def require_shape(
    doing: str, what: str, array: np.ndarray, expected: tuple[int, ...], expected_of: str
) -> None:
    """Raise `ReductionError` naming both shapes unless ``array`` has the expected one."""
    if array.shape != expected:
        raise ReductionError(
            f"{doing}: {what} has shape {array.shape}, but {expected_of} has {expected} (rows, columns);"
            " check that both come from the same amplifier and are trimmed alike"
        )


def require_image(doing: str, what: str, array: np.ndarray) -> None:
    """Raise `ReductionError` unless ``array`` is a non-empty two-dimensional array."""
    if array.ndim != 2 or array.size == 0:
        raise ReductionError(
            f"{doing}: {what} must be an image with rows and columns, got shape {array.shape}"
        )
