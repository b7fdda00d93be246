# SPDX-License-Identifier: BSD-3-Clause
"""Where a visit is that slices have begun."""

from __future__ import annotations

from typing import NamedTuple


class InSlices(NamedTuple):
    """A visit in flight, its slot in the run's tables, and the step that slices were asked for last.

    Where slices go on by themselves from that step, `asked` has the step of each rank, and `failed` the ranks
    that had failed when they did.
    """

    slot: int
    visit: int
    step: int
    asked: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()

    def step_of(self, rank: int) -> int:
        """What a rank was asked for last."""
        return self.asked[rank] if self.asked else self.step
