# SPDX-License-Identifier: BSD-3-Clause
"""FloodGuard: a bound on the records that one Pipeline or Slice writes in a visit."""

from __future__ import annotations

from harness._records import FloodCounts
from harness.log.context import RecordContext
from harness.log.levels import FATAL, WARN

__all__ = ["FloodGuard"]


KINDS = ("records below WARN", "warnings", "FATAL records")


class FloodGuard(FloodCounts):
    """Lets at most ``limit`` records of a visit and kind pass, and counts the others.

    The kinds: below WARN, from WARN on, from FATAL on: a flood of one does not hide the others. The visit is
    LOOPNUM of the context, which may go back and forth between ``in_flight`` visits. A limit of 0 means no
    bound.
    """

    def __init__(self, limit: int, context: RecordContext, in_flight: int = 1) -> None:
        self._limit = limit
        self._context = context
        self._in_flight = in_flight
        # By visit, the one that was first seen last at the end.
        self._seen: dict[int | None, list[int]] = {None: [0, 0, 0]}

    def judge(self, importance: int) -> tuple[bool, str]:
        """Whether a record may pass, and a text that has to be written before it, mostly an empty one."""
        if not self._limit:
            return True, ""
        notice = ""
        visit = self._context.number("LOOPNUM")
        if visit not in self._seen:
            notice = self._forget_all_but(self._in_flight - 1)
            self._seen[visit] = [0, 0, 0]
        seen = self._seen[visit]
        self._seen_now, self._visit_now = seen, visit
        loudness = (importance >= WARN) + (importance >= FATAL)
        seen[loudness] += 1
        if seen[loudness] <= self._limit:
            return True, notice
        if seen[loudness] == self._limit + 1:
            kind = KINDS[loudness]
            notice = (
                f"more than {self._limit} {kind}{_where(visit)}: the others of this visit are only counted;"
                " logFlood sets the bound"
            )
        return False, notice

    def end(self) -> str:
        """What to write about visits that end: how many records were not written; empty if all were."""
        return self._forget_all_but(0)

    def _forget_all_but(self, kept: int) -> str:
        """What to write about all visits but the last ``kept``."""
        notices = []
        self._seen_now = None
        for visit in list(self._seen)[: max(0, len(self._seen) - kept)]:
            lost = sum(max(0, seen - self._limit) for seen in self._seen.pop(visit)) if self._limit else 0
            if lost:
                bound = f"more than logFlood, {self._limit}"
                notices.append(f"{lost} records{_where(visit)} were not written: {bound}")
        return "; ".join(notices)


def _where(visit: int | None) -> str:
    return f" in visit {visit}" if visit is not None else " before the first visit"
