# SPDX-License-Identifier: BSD-3-Clause
"""Plain tables for people: aligned columns, a rule below the headings."""

from __future__ import annotations

from collections.abc import Sequence


def align(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """The lines of a table. The first `left` columns are flush left, the others flush right."""
    table = [headings, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(headings))]
    lines = []
    for number, row in enumerate(table):
        cells = [
            text.ljust(width) if column < left else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
        if number == 0:
            lines.append("  ".join("-" * width for width in widths))
    return lines


def megabytes(size: int) -> str:
    """A size in 10^6 bytes; `0` for none."""
    return f"{size / 1e6:.2f}" if size else "0"


def counted(number: int, one: str, more: str = "") -> str:
    """`1 visit`, `2 visits`; `more` is the plural where it is not `one` with an s."""
    return f"{number} {one if number == 1 else more or one + 's'}"
