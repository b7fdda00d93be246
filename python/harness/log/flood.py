# SPDX-License-Identifier: BSD-3-Clause
"""FloodGuard: a bound on the records that one Pipeline or Slice writes in a visit."""

from __future__ import annotations

from harness.log.context import RecordContext
from harness.log.levels import FATAL, WARN

__all__ = ["FloodGuard"]


KINDS = ("records below WARN", "warnings", "FATAL records")


class FloodGuard:
    """Lets at most ``limit`` records of a visit and kind pass, and counts the others.

    The kinds: below WARN, from WARN on, from FATAL on: a flood of one does not hide the others. The visit is
    LOOPNUM of the context. A limit of 0 means no bound.
    """

    def __init__(self, limit: int, context: RecordContext) -> None:
        self._limit = limit
        self._context = context
        self._visit: int | None = None
        self._seen = [0, 0, 0]

    def judge(self, importance: int) -> tuple[bool, str]:
        """Whether a record may pass, and a text that has to be written before it, mostly an empty one."""
        if not self._limit:
            return True, ""
        notice = ""
        visit = self._context.number("LOOPNUM")
        if visit != self._visit:
            notice = self.end()
            self._visit = visit
        loudness = (importance >= WARN) + (importance >= FATAL)
        self._seen[loudness] += 1
        if self._seen[loudness] <= self._limit:
            return True, notice
        if self._seen[loudness] == self._limit + 1:
            kind = KINDS[loudness]
            notice = (
                f"more than {self._limit} {kind}{self._where()}: the others of this visit are only counted;"
                " logFlood sets the bound"
            )
        return False, notice

    def end(self) -> str:
        """What to write about the visit that ends: how many records were not written; empty if all were."""
        lost = sum(max(0, seen - self._limit) for seen in self._seen) if self._limit else 0
        self._seen = [0, 0, 0]
        if not lost:
            return ""
        return f"{lost} records{self._where()} were not written: more than logFlood, {self._limit}"

    def _where(self) -> str:
        return f" in visit {self._visit}" if self._visit is not None else " before the first visit"
