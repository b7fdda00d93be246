# SPDX-License-Identifier: BSD-3-Clause
"""Whether one more visit may be in flight: by what visits have needed of the arena so far."""

from __future__ import annotations

from harness import _core


def lendable(arena_bytes: int, visits_in_flight: int) -> int:
    """The most bytes that may be lent: others in flight hold no more than fits into the arena."""
    return min(arena_bytes, _core.MAX_ARENA_BYTES - arena_bytes) if visits_in_flight > 1 else 0


class Admission:
    """Used by the master's main thread.

    The first visit has the run to itself, and shows what a visit needs. From then on as many may be in flight
    as the arena holds of the largest so far. One that turns out larger must not fail because others hold
    memory meanwhile, for alone it would have had all of the arena: what others may hold is lent beyond it.

    Attributes: `largest` (bytes that one visit has needed at most), `most` (visits that were in flight at
    once), `held` (how often a visit had to wait for room).
    """

    def __init__(self, arena: _core.Arena, arena_bytes: int, visits_in_flight: int) -> None:
        self._arena = arena
        self._limit = arena_bytes
        self._lendable = lendable(arena_bytes, visits_in_flight)
        self._overlaps = visits_in_flight > 1
        self._in_flight = 0
        self._ended = 0
        self.largest = 0
        self.most = 0
        self.held = 0

    def admits(self) -> bool:
        """Whether there is room for one more visit."""
        if self._ended == 0:
            return False
        self.note_use()
        fits = (self._in_flight + 1) * self.largest <= self._limit
        self.held += not fits
        return fits

    def note_use(self) -> None:
        """Learns from what the visits in flight need now."""
        if self._overlaps and self._in_flight > 0:
            self.largest = max(self.largest, self._arena.live_bytes() // self._in_flight)

    def begin_visit(self) -> None:
        """One more is in flight."""
        self._in_flight += 1
        self.most = max(self.most, self._in_flight)
        self._lend()

    def end_visit(self) -> None:
        """One less is in flight."""
        if self._overlaps and self._ended == 0:
            # With what it had freed again: no visit needs more.
            self.largest = max(self.largest, self._arena.stats()["peak_committed_bytes"])
        self._ended += 1
        self._in_flight -= 1
        self._lend()
        if self._overlaps:
            self._arena.trim_to_limit()

    def _lend(self) -> None:
        if self._overlaps:
            others = max(0, self._in_flight - 1)
            self._arena.lend(min(others * self.largest, self._lendable))

    def row(self) -> dict[str, int]:
        """For the summary of a run."""
        return {"most": self.most, "held": self.held, "largest_visit_bytes": self.largest}
