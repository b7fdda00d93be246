# SPDX-License-Identifier: BSD-3-Clause
"""Why goals are missed, as far as it was looked into, and only where the figures of the run bear it out.

Where the time of a step and of a hand-over goes was measured by benchmarks/profile, and stands in
docs/design/step_cost.md and docs/design/handover_cost.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

UNNAMED = "**none named**"
NEARLY = 1.2
"""What is no more than so many times a limit is explained by what the limit does."""
A_QUARTER_MORE = 1.25


@dataclass(frozen=True)
class Seen:
    """What was found where a goal was missed, and the limit of the run.

    `otherwise` is what the harness took in the same run with as many workers as cores, or its quickest way.
    """

    found: float | None
    limit: float | None = None
    otherwise: float | None = None


@dataclass(frozen=True)
class Cause:
    """A cause of misses of the goals whose names begin as `pattern`; `holds` says whether figures agree."""

    pattern: str
    words: str
    holds: Callable[[Seen], bool]


def near_limit(seen: Seen) -> bool:
    """Whether it takes about as long as the limit, which does nothing else."""
    return seen.found is not None and seen.limit is not None and seen.found <= NEARLY * seen.limit


def at_most_over(more: float) -> Callable[[Seen], bool]:
    """Whether it takes no more than so much longer than the limit: what the cost pages found beside that."""
    return lambda seen: (
        seen.found is not None and seen.limit is not None and seen.found <= seen.limit + more
    )


def limit_is(share: float) -> Callable[[Seen], bool]:
    """Whether the limit is so much of what was found, or more."""
    return lambda seen: (
        seen.found is not None and seen.limit is not None and seen.limit >= share * seen.found
    )


def another_way_gains(percent: float) -> Callable[[Seen], bool]:
    """Whether the harness has come by so much further in another way."""
    return lambda seen: (
        seen.found is not None and seen.otherwise is not None and seen.otherwise >= seen.found + percent
    )


def limit_reaches(least: float) -> Callable[[Seen], bool]:
    """Whether the limit is clearly more than what was found, and at least so much."""
    return lambda seen: (
        seen.found is not None
        and seen.limit is not None
        and seen.limit >= max(least, NEARLY * seen.found)
    )


def fewer_are_faster(seen: Seen) -> bool:
    """Whether as many workers as cores take clearly less."""
    return seen.found is not None and seen.otherwise is not None and seen.otherwise * NEARLY < seen.found


COPY = "the copy, which takes as long in bare C"
READING = "reading a byte of every page, which takes as long in bare C"
PAGES = "first touches of pages: in memory that glibc keeps, the limit, the same program reaches the goal"
CROWDED = "more processes than cores: each has its half-step, cold, and a core changes hands for it"
CAUSES = (
    Cause(r"empty step, N=[48], N workers", CROWDED, fewer_are_faster),
    Cause(
        r"empty step, N=[12]",
        "calls from Python, as the binding has them, and three half-steps with their clocks, 1.4 us at their"
        " quickest",
        at_most_over(4.0),
    ),
    Cause(
        r"empty step, N=2",
        "the master and a worker share a core, which changes hands twice a step, and half-steps on it are"
        " cold; one worker for both slices takes two thirds of the time",
        at_most_over(7.0),
    ),
    Cause(r"(there|back), N=\d+, \d+ MiB, (computed|over)", READING, near_limit),
    Cause(
        r"(there|back), N=8, 64 MiB, .*N workers", CROWDED,
        lambda seen: fewer_are_faster(seen) and near_limit(Seen(seen.otherwise, seen.limit)),
    ),
    Cause(
        r"(there|back), N=\d+, 1 MiB, computed",
        "the rendezvous, and cold code of loop, steps and crossing: some 10 us for each part of both sides",
        at_most_over(0.1),
    ),
    Cause(
        r"(there|back), N=\d+, 1 MiB, from elsewhere", "the copy is half of it; else as if it were computed",
        limit_is(0.45),
    ),
    Cause(r"(there|back), N=\d+, (16|64) MiB, from elsewhere", COPY, near_limit),
    Cause(
        r"there, N=2, 64 MiB",
        "code and data of the crossing, 0.27 ms when they come from memory; and both slices read at once",
        at_most_over(0.4),
    ),
    Cause(
        r"there, N=2, 16 MiB",
        "code and data of the crossing, which the image has swept out of the caches; and the second slice"
        " begins 0.1 ms after the first, for the master has its core",
        at_most_over(0.3),
    ),
    Cause(
        r"back, N=2, (16|64) MiB",
        "code and data of the crossing, which the image has swept out of the caches", at_most_over(0.2),
    ),
    Cause(
        r"pex-harness run", "importing: NumPy alone takes more than half of it; then two forks, three ends",
        limit_is(0.5),
    ),
    Cause(
        r"four passes over 64", "the limit: keeping memory saves no more here, where fresh pages cost less",
        near_limit,
    ),
    Cause(r"policy of 5 MB, the core alone", PAGES, limit_reaches(200.0)),
    Cause(
        r"whole job, of two",
        "workers of a lockstep wait for the slower one, and while the master sums; fused, with visits in"
        " flight, they do not", another_way_gains(5.0),
    ),
)  # fmt: skip
"""The first one counts that fits and holds."""


def cause(what: str, seen: Seen) -> str:
    """The cause of a miss of the goal that is called so."""
    fitting = (one for one in CAUSES if re.match(one.pattern, what))
    return next((one.words for one in fitting if one.holds(seen)), UNNAMED)


def cause_of_win(
    kind: str, ours: float | None, theirs: float | None, beside: float | None, bare: float | None = None
) -> str:
    """Why a peer is ahead with a step, or with an image.

    `beside` is what the thin binding took for the step, or the harness for an image that nobody copies. Where
    the peer does not copy, `bare` is what reading took in bare C.
    """
    if ours is None or theirs is None:
        return UNNAMED
    if bare is not None and near_limit(Seen(ours, bare)):
        return "nobody copies: both read, which takes as long in bare C"
    if beside is None:
        return UNNAMED
    if kind == "a step" and theirs * A_QUARTER_MORE >= beside:
        return (
            "it is two calls of a library and no step of stages, as the thin binding, which takes a quarter"
            " more at most"
        )
    if kind != "a step" and ours - beside <= theirs:
        return "both copy once; the harness's copy is no slower, but stands within a whole step of stages"
    return UNNAMED
