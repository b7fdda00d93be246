# SPDX-License-Identifier: BSD-3-Clause
"""What crossed, by stage and key: how often, how many bytes; and which blocks outlive their visit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import _core
from harness.transport.entry import Entry

if TYPE_CHECKING:
    from harness._crossing import PlainArray

DOWN, ACROSS, UP = "down", "across", "up"
DIRECTIONS = (ACROSS, DOWN, UP)
"""In the order in which they happen in a stage, seen from its `process()`."""

MAX_KEYS = 1000
OTHER_KEYS = "(other keys)"


class KeyTraffic:
    """What crossed under one key in one direction at one stage, in the whole run. Sizes in bytes."""

    def __init__(self) -> None:
        self.items = 0
        self.bytes_copied = 0
        self.bytes_shared = 0


class Origin(NamedTuple):
    """Where a block that crossed came from."""

    stage: int
    direction: str
    key: str
    visit: int
    size: int


class Tally:
    """Kept by the master, which sees every manifest."""

    def __init__(self) -> None:
        self.traffic: dict[tuple[int, str, str], KeyTraffic] = {}
        self._blocks: dict[int, Origin] = {}
        self._visit = 0
        self.untold: list[tuple[int, int, str, list[PlainArray]]] = []
        """Visit, stage, direction and arrays of what crossed by the short way and has yet to be counted."""

    def turn_to(self, visit: int) -> None:
        """Notes the visit that what follows belongs to."""
        self._visit = visit

    def add(self, stage: int, direction: str, entries: Iterable[Entry]) -> None:
        """Adds the entries of a manifest that was published for, or by, stage `stage`."""
        self._count_untold()
        for entry in entries:
            row = self._row(stage, direction, entry.key)
            row.bytes_copied += entry.bytes_copied
            row.bytes_shared += entry.bytes_shared
            if entry.kind == _core.ENTRY_NOTE:
                continue
            row.items += 1
            for ref, _, size in entry.buffers:
                self._blocks.setdefault(ref, Origin(stage, direction, entry.key, self._visit, size))

    def _count_untold(self) -> None:
        for visit, stage, direction, arrays in self.untold:
            for array in arrays:
                key, copied, shared, ref, size = array.counts()
                row = self._row(stage, direction, key)
                row.items += 1
                row.bytes_copied += copied
                row.bytes_shared += shared
                self._blocks.setdefault(ref, Origin(stage, direction, key, visit, size))
        self.untold.clear()

    def _row(self, stage: int, direction: str, key: str) -> KeyTraffic:
        # A key made up anew in every visit must not make the table grow for ever.
        name = key if len(self.traffic) < MAX_KEYS or (stage, direction, key) in self.traffic else OTHER_KEYS
        row = self.traffic.get((stage, direction, name))
        if row is None:
            row = self.traffic[stage, direction, name] = KeyTraffic()
        return row

    def end_visit(self, arena: _core.Arena) -> None:
        """Forgets the blocks that went with their visit. Call it after the visit was retired."""
        self._count_untold()
        if self._blocks:
            self._blocks = {ref: origin for ref, origin in self._blocks.items() if arena.is_live(ref)}

    def rows(self, stage_names: list[str]) -> list[dict[str, Any]]:
        """One row per stage, direction and key, in the order of the stages."""
        self._count_untold()
        order = sorted(self.traffic.items(), key=lambda item: (item[0][0], DIRECTIONS.index(item[0][1])))
        return [
            {
                "stage": stage,
                "name": stage_names[stage - 1],
                "direction": direction,
                "key": key,
                "items": row.items,
                "bytes_copied": row.bytes_copied,
                "bytes_shared": row.bytes_shared,
            }
            for (stage, direction, key), row in order
        ]

    def kept(self, arena: _core.Arena, stage_names: list[str], workers: list[str]) -> list[dict[str, Any]]:
        """Blocks of ended visits that processes still hold, summed by stage, key and holders.

        `workers` names the workers, as messages do; `visits` in a row are those that the blocks come from.
        Call it while the workers live.
        """
        self._count_untold()
        rows: dict[tuple[int, str, str, str], dict[str, Any]] = {}
        for ref, origin in self._blocks.items():
            holders = [
                "the master" if process == 0 else workers[process - 1] for process in arena.holders(ref)
            ]
            if not holders:
                continue
            who = ", ".join(holders)
            row = rows.setdefault(
                (origin.stage, origin.direction, origin.key, who),
                {
                    "stage": origin.stage,
                    "name": stage_names[origin.stage - 1],
                    "direction": origin.direction,
                    "key": origin.key,
                    "held_by": who,
                    "blocks": 0,
                    "bytes": 0,
                    "visits": [],
                },
            )
            row["blocks"] += 1
            row["bytes"] += origin.size
            if origin.visit not in row["visits"]:
                row["visits"].append(origin.visit)
        return list(rows.values())
