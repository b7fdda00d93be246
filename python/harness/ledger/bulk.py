# SPDX-License-Identifier: BSD-3-Clause
"""Many rows of one visit in few statements: what SQLite does for every statement costs more than a row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import cache
from itertools import chain, islice

ROWS = 64
"""Of one statement. More gain nothing."""


def add_rows(
    connection: sqlite3.Connection, table: str, run: int, visit: int, rows: Iterable[tuple], width: int
) -> None:
    """Adds `(run, visit, *row)` to a table for each row of `width` values; one with an equal key is replaced.

    Raises what `sqlite3` does; in a transaction, rows before the one that cannot be added may be there then.
    """
    left = iter(rows)
    while batch := list(islice(left, ROWS)):
        connection.execute(_statement(table, len(batch), width), [run, visit, *chain.from_iterable(batch)])


@cache
def _statement(table: str, rows: int, width: int) -> str:
    row = f"(?1, ?2{', ?' * width})"
    return f"INSERT OR REPLACE INTO {table} VALUES {', '.join([row] * rows)}"
