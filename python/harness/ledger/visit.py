# SPDX-License-Identifier: BSD-3-Clause
"""One visit as the master sees it, and the outcome of every stage of every rank that follows from it.

Nothing is noted for what goes well. A rank's stage is done unless the rank has failed in it; what lies behind
its failure, or behind the stage after which the visit was left, is skipped.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

DONE, FAILED, SKIPPED = "done", "failed", "skipped"
RUNNING, COMPLETE, PARTIAL = "running", "complete", "partial"
RAISED, DIED = "raised", "died"


class Outcome(NamedTuple):
    """What became of one stage (from 1) of one rank (-1 for the master); `kind` says why it failed."""

    rank: int
    stage: int
    outcome: str
    kind: str | None
    retries: int


class Failure(NamedTuple):
    """A stage that raised, or a process that died in it. `post_mortem` is a path, or `None`.

    With `retried` the slice's visit was run again, and this failure decides nothing.
    """

    rank: int
    stage: int
    cause: str
    kind: str
    text: str
    post_mortem: str | None = None
    retried: bool = False
    at: float = 0.0


@lru_cache(maxsize=1)
def _all_done(slices: int, stages: int) -> tuple[Outcome, ...]:
    """What nearly every visit of a run comes to."""
    return tuple(
        Outcome(rank, stage, DONE, None, 0) for rank in range(-1, slices) for stage in range(1, stages + 1)
    )


class VisitRecord:
    """A visit in progress, which begins now.

    Attributes: `visit` (from 1; 0: none has begun), `started` (seconds since 1970), `reached` (the last stage
    that all ranks have left behind).
    """

    def __init__(self, slices: int, stages: int, visit: int = 0) -> None:
        self.slices = slices
        self.stages = stages
        self.visit = visit
        self.started = time.time()
        self.reached = 0
        self.failures: list[Failure] = []
        self._failed: dict[int, Failure] = {}
        self._retries: Counter[tuple[int, int]] = Counter()

    def fail(self, failure: Failure) -> None:
        """Notes a failure. Of several that count for one rank, the first decides."""
        self.failures.append(failure)
        if failure.retried:
            self._retries[failure.rank, failure.stage] += 1
        else:
            self._failed.setdefault(failure.rank, failure)

    def outcomes(self) -> Iterator[Outcome]:
        """One outcome for every stage of every rank, the master's first."""
        if self.is_whole() and not self._retries:
            yield from _all_done(self.slices, self.stages)
            return
        for rank in range(-1, self.slices):
            failure = self._failed.get(rank)
            last = failure.stage if failure is not None else self.stages + 1
            for stage in range(1, self.stages + 1):
                outcome, kind = DONE, None
                if failure is not None and stage == last:
                    outcome, kind = FAILED, failure.kind
                elif stage > min(last, self.reached):
                    outcome = SKIPPED
                yield Outcome(rank, stage, outcome, kind, self._retries.get((rank, stage), 0))

    def is_whole(self) -> bool:
        """Whether everything is done."""
        return not self._failed and self.reached == self.stages

    def has_failed(self) -> bool:
        """Whether a failure counts."""
        return bool(self._failed)

    def verdict(self) -> tuple[str, str | None]:
        """The visit's state at its end, and the reason where it is not complete."""
        if self.is_whole():
            return COMPLETE, None
        reasons = []
        if self._failed:
            ranks = ", ".join("master" if rank < 0 else f"slice {rank}" for rank in sorted(self._failed)[:8])
            more = ", ..." if len(self._failed) > 8 else ""
            reasons.append(f"failed: {ranks}{more}")
        if self.reached < self.stages:
            reasons.append(f"left after stage {self.reached} of {self.stages}")
        return PARTIAL, "; ".join(reasons)
