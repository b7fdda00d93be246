# SPDX-License-Identifier: BSD-3-Clause
"""What a measured process is asked for, and what it answers: plain values, for they travel as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PROBE = "probe"
"""In place of a contender: only look whether the stage can be measured."""
CONFIG, DIED, FULL = "config", "died", "full"
"""Kinds of errors: what the user gave cannot be used, a process has died, memory could not be had."""


@dataclass(frozen=True)
class Order:
    """One run of one contender.

    Attributes: as of `Plan`; `images` are files that `load` reads; `folder` is where a run may write.
    """

    contender: str
    stage: str | None
    policy: str | None
    images: tuple[str, ...]
    key: str
    source: str
    slices: int
    workers: int
    visits: int
    warm_up: int
    folder: str


@dataclass
class Answer:
    """What one run took.

    Attributes:
        seconds: of each timed visit.
        prints: fingerprints of the results of every visit, those that warm up included.
        pss, pss_workers: of all processes together, and of each worker, in bytes, after the last visit.
        shares: those of `harness.bench.shares.Shares`; like the next three only the harness has them.
        copied, shared: bytes of arrays that crossed in all visits, by a copy and where they were.
        arena: bytes of shared memory that were committed at the end.
        halves: for a probe, the names of the stage's halves.
        problem, kind, details: why there is nothing else, what sort of problem it is, and a traceback.
    """

    seconds: list[float] = field(default_factory=list)
    prints: list[str] = field(default_factory=list)
    pss: int = 0
    pss_workers: list[int] = field(default_factory=list)
    shares: dict[str, float] | None = None
    copied: int = 0
    shared: int = 0
    arena: int = 0
    halves: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    kind: str = CONFIG
    details: str = ""
