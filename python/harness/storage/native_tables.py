# SPDX-License-Identifier: BSD-3-Clause
"""Tables whose columns have native byte order."""

from __future__ import annotations

from typing import Any

__all__ = ["make_native"]


def make_native(table: Any) -> Any:
    """The same table; columns of the other byte order are exchanged for native copies."""
    for name in table.colnames:
        column = table[name]
        if not getattr(column, "dtype", None) or column.dtype.isnative:
            continue
        table[name] = column.astype(column.dtype.newbyteorder("="))
    return table
