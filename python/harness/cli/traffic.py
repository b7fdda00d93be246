# SPDX-License-Identifier: BSD-3-Clause
"""The table of what crossed between processes: one row per stage, direction and clipboard key."""

from __future__ import annotations

from typing import Any

from harness.cli.table import align, megabytes

HEADINGS = ("stage", "way", "key", "items", "copied MB", "shared MB")
MAX_ROWS = 20


def format_traffic(rows: list[dict[str, Any]]) -> list[str]:
    """The lines of the table, the keys with most bytes; none where no array bytes crossed."""
    heavy = [row for row in rows if row["bytes_copied"] or row["bytes_shared"]]
    if not heavy:
        return []
    ranked = sorted(heavy, key=lambda row: row["bytes_copied"] + row["bytes_shared"], reverse=True)
    shown = [row for row in heavy if row in ranked[:MAX_ROWS]]
    cells = [
        (
            row["name"],
            row["direction"],
            row["key"],
            str(row["items"]),
            megabytes(row["bytes_copied"]),
            megabytes(row["bytes_shared"]),
        )
        for row in shown
    ]
    lines = align(HEADINGS, cells, left=3)
    if len(heavy) > len(shown):
        lines.append(f"and {len(heavy) - len(shown)} keys with fewer bytes, in summary.json")
    return ["", *lines, ""]
