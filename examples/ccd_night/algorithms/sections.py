# SPDX-License-Identifier: BSD-3-Clause
"""FITS image sections such as ``[5:513,2:2001]``."""

from __future__ import annotations

import re

from .errors import ReductionError

_SECTION = re.compile(r"\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]")


def parse_section(text: str, shape: tuple[int, int], what: str) -> tuple[slice, slice]:
    """Return the rows and columns that a FITS section names.

    Parameters
    ----------
    text : str
        ``[x1:x2,y1:y2]``, 1-based, both ends included, columns first.
    shape : tuple of int
        Rows and columns of the frame the section must lie in.
    what : str
        Name of the section for error messages, for example ``BIASSEC``.

    Returns
    -------
    rows, columns : slice
        Zero-based, end excluded: NumPy's order and habit.

    Raises
    ------
    ReductionError
        The text is not a section, or it reaches out of the frame.
    """
    match = _SECTION.fullmatch(text.strip())
    if match is None:
        raise ReductionError(f"reading {what}: expected '[x1:x2,y1:y2]' with whole numbers, got {text!r}")
    x1, x2, y1, y2 = map(int, match.groups())
    if not (1 <= x1 <= x2 <= shape[1] and 1 <= y1 <= y2 <= shape[0]):
        raise ReductionError(
            f"reading {what}: section {text.strip()} does not fit into a frame of"
            f" {shape[1]} columns and {shape[0]} rows"
        )
    return slice(y1 - 1, y2), slice(x1 - 1, x2)
